import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { OnnxAttribute } from "./nodes";

export interface OnnxNode {
  op: string;
  /** Names of graph inputs, initializers or other nodes' outputs. */
  inputs: readonly string[];
  outputs: readonly string[];
  /** What is not the operator's default. */
  attributes: Readonly<Record<string, OnnxAttribute>>;
  /** The same of a node of another file, as AttributeProtos. */
  encoded: readonly Uint8Array[];
}

export interface OnnxTensor {
  name: string;
  shape: readonly number[];
  values: Float32Array | BigInt64Array;
}

/** One of another file, a TensorProto, under a name of its own here. */
export interface EncodedTensor {
  name: string;
  encoded: Uint8Array;
}

/** Examples of this shape, as many as there are. */
interface OnnxRows {
  name: string;
  shape: readonly number[];
  type: "float32" | "int32";
}

export interface OnnxGraph {
  name: string;
  nodes: readonly OnnxNode[];
  tensors: readonly (OnnxTensor | EncodedTensor)[];
  input: OnnxRows;
  output: OnnxRows;
  operatorSet: number;
}

// The numbers of the fields that are written, from onnx.proto (version 1.23.1) of https://github.com/onnx/onnx.
const ModelProto = { ir_version: 1, producer_name: 2, graph: 7, opset_import: 8 } as const;
const OperatorSetIdProto = { version: 2 } as const;
const GraphProto = { node: 1, name: 2, initializer: 5, input: 11, output: 12 } as const;
const NodeProto = { input: 1, output: 2, name: 3, op_type: 4, attribute: 5 } as const;
const AttributeProto = { name: 1, f: 2, i: 3, s: 4, ints: 8, type: 20 } as const;
const TensorProto = { dims: 1, data_type: 2, name: 8, raw_data: 9 } as const;
const ValueInfoProto = { name: 1, type: 2 } as const;
const TypeProto = { tensor_type: 1 } as const;
const TypeProtoTensor = { elem_type: 1, shape: 2 } as const;
const TensorShapeProto = { dim: 1 } as const;
const Dimension = { dim_value: 1, dim_param: 2 } as const;

const DataType = { float32: 1, int32: 6, int64: 7 } as const; // TensorProto.DataType
const AttributeType = { FLOAT: 1, INT: 2, STRING: 3, INTS: 7 } as const;
/** The first set in which Softmax is along one axis, by default the last. */
export const OPERATOR_SET = 13;
/** That of the ONNX release which brought the operator set: 13 came with 7, all up to 18 with 8. */
const irVersion = (operatorSet: number) => (operatorSet > OPERATOR_SET ? 8 : 7);

/** The bytes of a ModelProto. */
export function encodeModel(graph: OnnxGraph): Uint8Array<ArrayBuffer> {
  return new Message()
    .integer(ModelProto.ir_version, irVersion(graph.operatorSet))
    .string(ModelProto.producer_name, "wgrad")
    .message(ModelProto.graph, (message) => writeGraph(message, graph))
    .message(ModelProto.opset_import, (message) => message.integer(OperatorSetIdProto.version, graph.operatorSet))
    .finish();
}

function writeGraph(to: Message, { name, nodes, tensors, input, output }: OnnxGraph): void {
  for (const node of nodes) to.message(GraphProto.node, (message) => writeNode(message, node));
  to.string(GraphProto.name, name);
  for (const tensor of tensors) to.message(GraphProto.initializer, (message) => writeTensor(message, tensor));
  to.message(GraphProto.input, (message) => writeRows(message, input));
  to.message(GraphProto.output, (message) => writeRows(message, output));
}

function writeNode(to: Message, { op, inputs, outputs, attributes, encoded }: OnnxNode): void {
  for (const input of inputs) to.string(NodeProto.input, input);
  for (const output of outputs) to.string(NodeProto.output, output);
  to.string(NodeProto.name, outputs[0] ?? op).string(NodeProto.op_type, op);
  for (const bytes of encoded) to.bytes(NodeProto.attribute, bytes);
  for (const [name, value] of Object.entries(attributes)) {
    to.message(NodeProto.attribute, (message) => writeAttribute(message.string(AttributeProto.name, name), value));
  }
}

function writeAttribute(to: Message, value: OnnxAttribute): void {
  if (typeof value === "number") to.integer(AttributeProto.i, value).integer(AttributeProto.type, AttributeType.INT);
  else if (typeof value === "string")
    to.string(AttributeProto.s, value).integer(AttributeProto.type, AttributeType.STRING);
  else if ("float" in value) to.float(AttributeProto.f, value.float).integer(AttributeProto.type, AttributeType.FLOAT);
  else {
    for (const each of value) to.integer(AttributeProto.ints, each);
    to.integer(AttributeProto.type, AttributeType.INTS);
  }
}

function writeTensor(to: Message, tensor: OnnxTensor | EncodedTensor): void {
  if ("encoded" in tensor) {
    // Of a field that is there twice, the last one holds.
    to.raw(tensor.encoded).string(TensorProto.name, tensor.name);
    return;
  }
  const { name, shape, values } = tensor;
  for (const length of shape) to.integer(TensorProto.dims, length);
  const { buffer, byteOffset, byteLength } = values;
  // Little-endian, as raw_data must be and as every machine with WebGPU is.
  to.integer(TensorProto.data_type, values instanceof Float32Array ? DataType.float32 : DataType.int64)
    .string(TensorProto.name, name)
    .bytes(TensorProto.raw_data, new Uint8Array(buffer, byteOffset, byteLength));
}

function writeRows(to: Message, { name, shape: example, type: kind }: OnnxRows): void {
  to.string(ValueInfoProto.name, name).message(ValueInfoProto.type, (type) =>
    type.message(TypeProto.tensor_type, (tensor) =>
      tensor.integer(TypeProtoTensor.elem_type, DataType[kind]).message(TypeProtoTensor.shape, (shape) => {
        shape.message(TensorShapeProto.dim, (dim) => dim.string(Dimension.dim_param, "batch"));
        for (const length of example) {
          shape.message(TensorShapeProto.dim, (dim) => dim.integer(Dimension.dim_value, length));
        }
      }),
    ),
  );
}

/** A protobuf message by its fields' numbers. */
class Message {
  private readonly writer = new BinaryWriter();

  integer(field: number, value: number): this {
    this.writer.tag(field, WireType.Varint).int64(value);
    return this;
  }

  float(field: number, value: number): this {
    this.writer.tag(field, WireType.Bit32).float(value);
    return this;
  }

  string(field: number, value: string): this {
    this.writer.tag(field, WireType.LengthDelimited).string(value);
    return this;
  }

  /** Fields that are encoded already. */
  raw(fields: Uint8Array): this {
    this.writer.raw(fields);
    return this;
  }

  bytes(field: number, value: Uint8Array): this {
    this.writer.tag(field, WireType.LengthDelimited).bytes(value);
    return this;
  }

  message(field: number, write: (message: this) => void): this {
    this.writer.tag(field, WireType.LengthDelimited).fork();
    write(this);
    this.writer.join();
    return this;
  }

  finish(): Uint8Array<ArrayBuffer> {
    return this.writer.finish();
  }
}
