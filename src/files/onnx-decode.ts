import { BinaryReader, type WireType } from "@bufbuild/protobuf/wire";
import { FormatError } from "../util/errors";

/** With the bytes themselves, of which some parts are kept as they are. */
class Reader extends BinaryReader {
  constructor(private readonly given: Uint8Array) {
    super(given);
  }

  bytesTo(end: number): Uint8Array {
    return this.given.subarray(this.pos, end);
  }
}

/** An ONNX file as far as networks need it. Field numbers are those of onnx.proto (version 1.23.1) of https://github.com/onnx/onnx. */
export interface DecodedModel {
  readonly graph: DecodedGraph;
  /** The version of the default operator set. */
  readonly opset: number;
}

export interface DecodedGraph {
  readonly name: string;
  readonly nodes: readonly DecodedNode[];
  readonly initializers: ReadonlyMap<string, DecodedTensor>;
  readonly inputs: readonly DecodedInput[];
  readonly outputs: readonly string[];
}

export interface DecodedNode {
  readonly name: string;
  readonly op: string;
  readonly domain: string;
  /** Names of values; empty where an optional one is left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, Attribute>;
  /** The attributes as the file has them. */
  readonly encoded: readonly Uint8Array[];
}

export type Attribute = number | string | readonly number[] | readonly string[] | DecodedTensor;

export interface DecodedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** "integer" of any width and bool; "float" of 32 or 64 bits. */
  readonly type: "float" | "integer";
  readonly values: Float64Array | Float32Array;
  /** The whole of it as the file has it. */
  readonly encoded: Uint8Array;
}

/** `shape` has null where a length is not fixed. */
export interface DecodedInput {
  readonly name: string;
  readonly type: "float" | "integer" | null;
  readonly shape: readonly (number | null)[] | null;
}

/** Throws FormatError where the bytes are no ONNX model, or hold numbers of a type that is not known. */
export function decodeModel(bytes: Uint8Array): DecodedModel {
  let graph: DecodedGraph | null = null;
  let opset = 1;
  fields(new Reader(bytes), bytes.length, {
    7: (reader) => {
      graph = message(reader, decodeGraph);
    },
    8: (reader) => {
      let [domain, version] = ["", 1];
      message(reader, (inner, end) =>
        fields(inner, end, {
          1: (r) => {
            domain = r.string();
          },
          2: (r) => {
            version = Number(r.int64());
          },
        }),
      );
      if (domain === "" || domain === "ai.onnx") opset = version;
    },
  });
  if (graph === null) throw new FormatError("onnx: the file has no graph; it is no ONNX model");
  return { graph, opset };
}

/** One tensor, as the test data of ONNX has them in files of their own. */
export function decodeTensor(bytes: Uint8Array): DecodedTensor {
  return readTensor(new Reader(bytes), bytes.length);
}

function decodeGraph(reader: Reader, end: number): DecodedGraph {
  const nodes: DecodedNode[] = [];
  const initializers = new Map<string, DecodedTensor>();
  const inputs: DecodedInput[] = [];
  const outputs: string[] = [];
  let name = "";
  fields(reader, end, {
    1: (r) => {
      nodes.push(message(r, decodeNode));
    },
    2: (r) => {
      name = r.string();
    },
    5: (r) => {
      const tensor = message(r, readTensor);
      initializers.set(tensor.name, tensor);
    },
    11: (r) => {
      inputs.push(message(r, decodeInput));
    },
    12: (r) => {
      outputs.push(message(r, decodeInput).name);
    },
  });
  return { name, nodes, initializers, inputs: inputs.filter((input) => !initializers.has(input.name)), outputs };
}

function decodeNode(reader: Reader, end: number): DecodedNode {
  const node = { name: "", op: "", domain: "" };
  const [inputs, outputs]: [string[], string[]] = [[], []];
  const attributes = new Map<string, Attribute>();
  const encoded: Uint8Array[] = [];
  fields(reader, end, {
    1: (r) => {
      inputs.push(r.string());
    },
    2: (r) => {
      outputs.push(r.string());
    },
    3: (r) => {
      node.name = r.string();
    },
    4: (r) => {
      node.op = r.string();
    },
    5: (r) => {
      const [name, value] = message(r, (inner, last) => {
        encoded.push(inner.bytesTo(last));
        return decodeAttribute(inner, last);
      });
      if (value !== null) attributes.set(name, value);
    },
    7: (r) => {
      node.domain = r.string();
    },
  });
  return { ...node, inputs, outputs, attributes, encoded };
}

function decodeAttribute(reader: Reader, end: number): [string, Attribute | null] {
  let name = "";
  let single: Attribute | null = null;
  let kind = 0;
  const numbers: number[] = [];
  const texts: string[] = [];
  fields(reader, end, {
    1: (r) => {
      name = r.string();
    },
    2: (r) => {
      single = r.float();
    },
    3: (r) => {
      single = Number(r.int64());
    },
    4: (r) => {
      single = new TextDecoder().decode(r.bytes());
    },
    5: (r) => {
      single = message(r, readTensor);
    },
    7: (r, wire) => {
      repeated(r, wire, 5, () => numbers.push(r.float()));
    },
    8: (r, wire) => {
      repeated(r, wire, 0, () => numbers.push(Number(r.int64())));
    },
    9: (r) => {
      texts.push(new TextDecoder().decode(r.bytes()));
    },
    20: (r) => {
      kind = r.int32();
    },
  });
  // AttributeType: FLOATS, INTS and STRINGS.
  if (kind === 6 || kind === 7 || numbers.length > 0) return [name, numbers];
  return [name, kind === 8 || texts.length > 0 ? texts : single];
}

/** TensorProto.DataType: how the bytes of raw_data are read. */
const TYPES: Readonly<
  Record<number, { type: "float" | "integer"; bytes: number; read(view: DataView, at: number): number }>
> = {
  1: { type: "float", bytes: 4, read: (view, at) => view.getFloat32(at, true) },
  2: { type: "integer", bytes: 1, read: (view, at) => view.getUint8(at) },
  3: { type: "integer", bytes: 1, read: (view, at) => view.getInt8(at) },
  5: { type: "integer", bytes: 2, read: (view, at) => view.getInt16(at, true) },
  6: { type: "integer", bytes: 4, read: (view, at) => view.getInt32(at, true) },
  7: { type: "integer", bytes: 8, read: (view, at) => Number(view.getBigInt64(at, true)) },
  9: { type: "integer", bytes: 1, read: (view, at) => view.getUint8(at) },
  11: { type: "float", bytes: 8, read: (view, at) => view.getFloat64(at, true) },
};

function readTensor(reader: Reader, end: number): DecodedTensor {
  const encoded = reader.bytesTo(end);
  const shape: number[] = [];
  const listed: number[] = [];
  let name = "";
  let dataType = 0;
  let raw: Uint8Array | null = null;
  fields(reader, end, {
    1: (r, wire) => {
      repeated(r, wire, 0, () => shape.push(Number(r.int64())));
    },
    2: (r) => {
      dataType = r.int32();
    },
    4: (r, wire) => {
      repeated(r, wire, 5, () => listed.push(r.float()));
    },
    5: (r, wire) => {
      repeated(r, wire, 0, () => listed.push(r.int32()));
    },
    7: (r, wire) => {
      repeated(r, wire, 0, () => listed.push(Number(r.int64())));
    },
    8: (r) => {
      name = r.string();
    },
    9: (r) => {
      raw = r.bytes();
    },
    10: (r, wire) => {
      repeated(r, wire, 1, () => listed.push(r.double()));
    },
    13: () => {
      throw new FormatError(`onnx: the numbers of "${name}" are in a file of their own, which is not read`);
    },
  });
  const type = TYPES[dataType];
  if (type === undefined)
    throw new FormatError(`onnx: the tensor "${name}" has the type ${dataType}, which is not known`);
  const bytes = raw as Uint8Array | null;
  if (bytes === null) return { name, shape, type: type.type, values: Float64Array.from(listed), encoded };
  // A copy begins where its numbers are aligned; its bytes are little-endian, as every machine with WebGPU is.
  if (dataType === 1)
    return {
      name,
      shape,
      type: type.type,
      values: new Float32Array(new Uint8Array(bytes.subarray(0, bytes.length & ~3)).buffer),
      encoded,
    };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values = Float64Array.from({ length: Math.floor(bytes.byteLength / type.bytes) }, (_, i) =>
    type.read(view, i * type.bytes),
  );
  return { name, shape, type: type.type, values, encoded };
}

function decodeInput(reader: Reader, end: number): DecodedInput {
  let name = "";
  let elements = 0;
  let shape: (number | null)[] | null = null;
  const dimension = (r: Reader, to: number) => {
    let length: number | null = null;
    fields(r, to, {
      1: (each) => {
        length = Number(each.int64());
      },
    });
    shape?.push(length);
  };
  const tensor = (r: Reader, to: number) =>
    fields(r, to, {
      1: (each) => {
        elements = each.int32();
      },
      2: (each) => {
        shape = [];
        message(each, (inner, last) => fields(inner, last, { 1: (axis) => message(axis, dimension) }));
      },
    });
  fields(reader, end, {
    1: (r) => {
      name = r.string();
    },
    2: (r) => message(r, (inner, last) => fields(inner, last, { 1: (each) => message(each, tensor) })),
  });
  return { name, type: TYPES[elements]?.type ?? null, shape };
}

type Fields = Readonly<Record<number, (reader: Reader, wire: WireType) => void>>;

/** Reads the fields that are known, up to `end`, and passes over the others. */
function fields(reader: Reader, end: number, known: Fields): void {
  try {
    while (reader.pos < end) {
      const [field, wire] = reader.tag();
      const read = known[field];
      if (read) read(reader, wire);
      else reader.skip(wire, field);
    }
  } catch (error) {
    if (error instanceof FormatError) throw error;
    throw new FormatError(`onnx: the bytes are no ONNX model: ${(error as Error).message}`);
  }
}

/** A message within another. */
function message<T>(reader: Reader, read: (reader: Reader, end: number) => T): T {
  const length = reader.uint32();
  if (reader.pos + length > reader.len) throw new FormatError("onnx: the file ends within a message; it was cut short");
  return read(reader, reader.pos + length);
}

/** Numbers one by one, or many packed together. */
function repeated(reader: Reader, wire: WireType, single: number, read: () => void): void {
  if (wire === single) read();
  else for (const end = reader.uint32() + reader.pos; reader.pos < end; ) read();
}
