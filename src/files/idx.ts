import { checkFile } from "../util/checks";
import { FormatError } from "../util/errors";
import { formatShape, type Shape } from "../util/shape";
import { gunzip, isGzip } from "./idx-gzip";

type Numbers = Float32Array | Float64Array | Int32Array;

/** An array of an IDX file, with what the file says of it. */
export interface IdxArray {
  /** "uint8", "int8", "int16", "int32", "float32" or "float64": the numbers in the file. */
  dtype: string;
  shape: Shape;
  /** Row-major: Float64Array of float64, Float32Array of float32, Int32Array of the others. */
  values: Numbers;
}

/** What `readIdx` and `readMnist` are held to. */
export interface IdxOptions {
  /** What the file may take unpacked, in bytes; default 2^31. More is a FormatError, before memory is taken for it. */
  maxBytes?: number;
}

/** A data set of images: `x` [rows, inputs] with pixels in 0 … 1, `y` [rows] the classes. */
export interface IdxImages {
  x: Float32Array;
  y: Int32Array;
  rows: number;
  /** Pixels of an image: height * width. */
  inputs: number;
  /** Rows of pixels in an image. */
  height: number;
  width: number;
}

interface IdxType {
  name: string;
  bytes: number;
  read(view: DataView, length: number): Numbers;
}

const numbers = <T extends Numbers>(values: T, get: (index: number) => number): T => {
  for (let i = 0; i < values.length; i++) values[i] = get(i);
  return values;
};

const TYPES: ReadonlyMap<number, IdxType> = new Map<number, IdxType>([
  [0x08, { name: "uint8", bytes: 1, read: (v, n) => numbers(new Int32Array(n), (i) => v.getUint8(i)) }],
  [0x09, { name: "int8", bytes: 1, read: (v, n) => numbers(new Int32Array(n), (i) => v.getInt8(i)) }],
  [0x0b, { name: "int16", bytes: 2, read: (v, n) => numbers(new Int32Array(n), (i) => v.getInt16(i * 2)) }],
  [0x0c, { name: "int32", bytes: 4, read: (v, n) => numbers(new Int32Array(n), (i) => v.getInt32(i * 4)) }],
  [0x0d, { name: "float32", bytes: 4, read: (v, n) => numbers(new Float32Array(n), (i) => v.getFloat32(i * 4)) }],
  [0x0e, { name: "float64", bytes: 8, read: (v, n) => numbers(new Float64Array(n), (i) => v.getFloat64(i * 8)) }],
]);

/**
 * Reads an IDX file, the format of MNIST, as it is or packed with gzip. The file must end where the array does.
 * Rejects with FormatError. Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database", file formats.
 */
export async function readIdx(file: Uint8Array, options: IdxOptions = {}): Promise<IdxArray> {
  const { type, shape, data } = await open("readIdx", "idx", file, options);
  return { dtype: type.name, shape, values: type.read(viewOf(data), data.length / type.bytes) };
}

/**
 * Reads images and their labels, each an IDX file of bytes as MNIST has them (train-images-idx3-ubyte,
 * train-labels-idx1-ubyte, packed with gzip or not), to a data set that a trainer takes. images [rows, height, width],
 * labels [rows]; a pixel of 255 becomes 1. `maxBytes` holds for each. Rejects with FormatError.
 */
export async function readMnist(images: Uint8Array, labels: Uint8Array, options: IdxOptions = {}): Promise<IdxImages> {
  const pixels = await open("readMnist", "idx images", images, options);
  const classes = await open("readMnist", "idx labels", labels, options);
  const [rows, height, width] = pixels.shape;
  if (pixels.type.name !== "uint8" || pixels.shape.length !== 3 || !rows || !height || !width) {
    throw new FormatError(
      `idx images: the file has ${pixels.type.name} of shape ${formatShape(pixels.shape)}; it must have uint8 of shape [rows, height, width], none of them 0.`,
    );
  }
  if (classes.type.name !== "uint8" || classes.shape.length !== 1) {
    throw new FormatError(
      `idx labels: the file has ${classes.type.name} of shape ${formatShape(classes.shape)}; it must have uint8 of shape [rows].`,
    );
  }
  if (classes.data.length !== rows) {
    throw new FormatError(
      `idx labels: there are ${classes.data.length} labels for ${rows} images; there must be one for each.`,
    );
  }
  const x = new Float32Array(pixels.data.length);
  for (let i = 0; i < x.length; i++) x[i] = (pixels.data[i] as number) / 255;
  return { x, y: Int32Array.from(classes.data), rows, inputs: height * width, height, width };
}

interface Opened {
  type: IdxType;
  shape: Shape;
  data: Uint8Array;
}

async function open(caller: string, part: string, file: Uint8Array, { maxBytes = 2 ** 31 }: IdxOptions) {
  checkFile(caller, file);
  if (!(maxBytes >= 0)) {
    throw new RangeError(`${caller}: maxBytes is ${String(maxBytes)}; it must be a number of bytes, not negative.`);
  }
  // A packed file may grow a thousandfold: it is unpacked no further than its own header says.
  const plain = isGzip(file)
    ? await gunzip(file, part, (begun) => sizeOfFile(begun, part, maxBytes) ?? MAX_HEADER_BYTES)
    : file;
  const sizeBytes = sizeOfFile(plain, part, maxBytes);
  const header = readHeader(plain, part);
  if (header === null || sizeBytes === null) {
    throw new FormatError(`${part}: the file has ${plain.length} bytes, less than its header has. It is cut off.`);
  }
  if (plain.length !== sizeBytes) {
    throw new FormatError(
      `${part}: the file has ${plain.length} bytes; ${header.type.name} of shape ${formatShape(header.shape)} takes ${sizeBytes} with its header.`,
    );
  }
  return { ...header, data: plain.subarray(header.bytes) } satisfies Opened;
}

/** 255 axes, as the format's one byte can say. */
const MAX_HEADER_BYTES = 4 + 255 * 4;

/** Type and shape, or null where the bytes so far end within the header. */
function readHeader(bytes: Uint8Array, part: string): { type: IdxType; shape: Shape; bytes: number } | null {
  const [zero0 = 0, zero1 = 0, code, rank] = bytes;
  if (zero0 !== 0 || zero1 !== 0) {
    throw new FormatError(
      `${part}: the file begins with bytes ${zero0} and ${zero1}; an IDX file begins with two of 0. If it is packed, it must be with gzip.`,
    );
  }
  if (code === undefined) return null;
  const type = TYPES.get(code);
  if (type === undefined) {
    const known = [...TYPES].map(([key, { name }]) => `${key} (${name})`).join(", ");
    throw new FormatError(`${part}: byte 2, the type of the numbers, is ${code}; it must be one of ${known}.`);
  }
  if (rank === undefined) return null;
  if (rank === 0) throw new FormatError(`${part}: byte 3, the number of axes, is 0; it must be at least 1.`);
  const headerBytes = 4 + rank * 4;
  if (bytes.length < headerBytes) return null;
  const view = viewOf(bytes);
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + axis * 4));
  return { type, shape, bytes: headerBytes };
}

/** The bytes of the whole file as its header says, or null where the bytes so far end within the header. */
function sizeOfFile(bytes: Uint8Array, part: string, maxBytes: number): number | null {
  const header = readHeader(bytes, part);
  if (header === null) return null;
  const { type, shape } = header;
  const dataBytes = shape.includes(0) ? 0 : shape.reduce((size, length) => size * length, type.bytes);
  if (header.bytes + dataBytes > maxBytes) {
    throw new FormatError(
      `${part}: ${type.name} of shape ${formatShape(shape)} takes ${dataBytes} bytes; maxBytes allows ${maxBytes}.`,
    );
  }
  return header.bytes + dataBytes;
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}
