import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

export interface OnnxNode {
  op: "Gemm" | "Relu" | "Tanh" | "Sigmoid" | "Softmax" | "Sub" | "Div" | "Mul" | "Add";
  /** Names of graph inputs, initializers or other nodes' outputs. */
  inputs: readonly string[];
  output: string;
}

export interface OnnxTensor {
  name: string;
  shape: readonly number[];
  values: Float32Array;
}

/** Rows of so many float32 numbers, as many rows as there are. */
interface OnnxRows {
  name: string;
  length: number;
}

export interface OnnxGraph {
  name: string;
  nodes: readonly OnnxNode[];
  tensors: readonly OnnxTensor[];
  input: OnnxRows;
  output: OnnxRows;
}

// The numbers of the fields that are written, from onnx.proto (version 1.23.1) of https://github.com/onnx/onnx.
const ModelProto = { ir_version: 1, producer_name: 2, graph: 7, opset_import: 8 } as const;
const OperatorSetIdProto = { version: 2 } as const;
const GraphProto = { node: 1, name: 2, initializer: 5, input: 11, output: 12 } as const;
const NodeProto = { input: 1, output: 2, name: 3, op_type: 4 } as const;
const TensorProto = { dims: 1, data_type: 2, name: 8, raw_data: 9 } as const;
const ValueInfoProto = { name: 1, type: 2 } as const;
const TypeProto = { tensor_type: 1 } as const;
const TypeProtoTensor = { elem_type: 1, shape: 2 } as const;
const TensorShapeProto = { dim: 1 } as const;
const Dimension = { dim_value: 1, dim_param: 2 } as const;

const FLOAT = 1; // TensorProto.DataType
/** The first set in which Softmax is along one axis, by default the last. */
const OPERATOR_SET = 13;
/** That of the ONNX release which brought the operator set. */
const IR_VERSION = 7;

/** The bytes of a ModelProto. Attributes are left out: each operator's defaults are what is meant. */
export function encodeModel(graph: OnnxGraph): Uint8Array<ArrayBuffer> {
  return new Message()
    .integer(ModelProto.ir_version, IR_VERSION)
    .string(ModelProto.producer_name, "wgrad")
    .message(ModelProto.graph, (message) => writeGraph(message, graph))
    .message(ModelProto.opset_import, (message) => message.integer(OperatorSetIdProto.version, OPERATOR_SET))
    .finish();
}

function writeGraph(to: Message, { name, nodes, tensors, input, output }: OnnxGraph): void {
  for (const node of nodes) to.message(GraphProto.node, (message) => writeNode(message, node));
  to.string(GraphProto.name, name);
  for (const tensor of tensors) to.message(GraphProto.initializer, (message) => writeTensor(message, tensor));
  to.message(GraphProto.input, (message) => writeRows(message, input));
  to.message(GraphProto.output, (message) => writeRows(message, output));
}

function writeNode(to: Message, { op, inputs, output }: OnnxNode): void {
  for (const input of inputs) to.string(NodeProto.input, input);
  to.string(NodeProto.output, output).string(NodeProto.name, output).string(NodeProto.op_type, op);
}

function writeTensor(to: Message, { name, shape, values }: OnnxTensor): void {
  for (const length of shape) to.integer(TensorProto.dims, length);
  const { buffer, byteOffset, byteLength } = values;
  // Little-endian, as raw_data must be and as every machine with WebGPU is.
  to.integer(TensorProto.data_type, FLOAT)
    .string(TensorProto.name, name)
    .bytes(TensorProto.raw_data, new Uint8Array(buffer, byteOffset, byteLength));
}

function writeRows(to: Message, { name, length }: OnnxRows): void {
  to.string(ValueInfoProto.name, name).message(ValueInfoProto.type, (type) =>
    type.message(TypeProto.tensor_type, (tensor) =>
      tensor
        .integer(TypeProtoTensor.elem_type, FLOAT)
        .message(TypeProtoTensor.shape, (shape) =>
          shape
            .message(TensorShapeProto.dim, (dim) => dim.string(Dimension.dim_param, "batch"))
            .message(TensorShapeProto.dim, (dim) => dim.integer(Dimension.dim_value, length)),
        ),
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

  string(field: number, value: string): this {
    this.writer.tag(field, WireType.LengthDelimited).string(value);
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
