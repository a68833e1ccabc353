import { checkFile, checkShaped, isRecord, shown } from "../util/checks";
import { ShapeError } from "../util/errors";
import { formatShape, type Shape, sizeOf } from "../util/shape";
import { storedTypes } from "./dtypes";
import { compareText, type Entry, LENGTH_BYTES, METADATA, readHeader, writeHeader } from "./header";
import { isWellFormed, quoted } from "./json";

type Numbers = Float32Array | Float64Array | Int32Array;

/** `values` are row-major, as many as the product of `shape`. */
export interface FileTensor {
  shape: Shape;
  values: Numbers | readonly number[];
}

/**
 * Reads all tensors of a safetensors file, by name. `dtype` is the file's; the values are copies:
 *
 * | dtype | values |
 * |---|---|
 * | F64, F32, I32 | Float64Array, Float32Array, Int32Array |
 * | F16, BF16 | Float32Array |
 * | U32, I64, U64 | Float64Array; a value that float64 cannot hold is a FormatError |
 * | I16, U16, I8, U8, BOOL | Int32Array; BOOL is 0 or 1 |
 *
 * The whole header is held to the format's rules before any value is read: its length, UTF-8 and JSON without a key
 * twice, known dtypes, sizes that fit the shapes, and offsets that cover the file with no gap and no overlap.
 * Throws FormatError. Source: https://github.com/huggingface/safetensors, "Format".
 */
export function readSafetensors(file: Uint8Array): Record<string, { dtype: string; shape: Shape; values: Numbers }> {
  checkFile("readSafetensors", file);
  // No prototype, so that a tensor may have any name, "__proto__" too.
  const tensors: Record<string, { dtype: string; shape: Shape; values: Numbers }> = Object.create(null);
  for (const { name, dtype, shape, begin, end } of readHeader(file).entries) {
    const type = storedTypes.get(dtype);
    if (type === undefined)
      throw new Error(`internal: safetensors dtype ${dtype} passed the header and has no reader.`);
    // The copy also aligns: data may begin at any byte of a file, and a typed array may not.
    const { buffer } = new Uint8Array(file.subarray(begin, end));
    tensors[name] = { dtype, shape, values: type.read(buffer, `safetensors: tensor ${quoted(name)}`) };
  }
  return tensors;
}

/** The strings that a safetensors file carries beside its tensors; empty where there are none. Throws FormatError. */
export function safetensorsMetadata(file: Uint8Array): Record<string, string> {
  checkFile("safetensorsMetadata", file);
  return readHeader(file).metadata;
}

/**
 * Writes a safetensors file: Float64Array as F64, Float32Array and plain arrays as F32, Int32Array as I32. The same
 * tensors and metadata, in any order, give the same bytes: F64, F32, I32, and by name within each, as the format's own
 * implementation orders them, so that each tensor is aligned; metadata by key.
 *
 * Throws ShapeError where a shape and its values do not fit or a name cannot be written, RangeError where a plain array
 * has a number too large for float32, TypeError where there is something else than numbers.
 */
export function writeSafetensors(
  tensors: Readonly<Record<string, FileTensor>>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  for (const [what, given] of Object.entries({ tensors, metadata })) {
    if (!isRecord(given))
      throw new TypeError(`writeSafetensors: ${what} is ${shown(given)}; it must be an object by name.`);
  }
  for (const [key, text] of Object.entries(metadata)) {
    if (typeof text !== "string") {
      throw new TypeError(`writeSafetensors: metadata ${quoted(key)} is ${quoted(text)}; it must be a string.`);
    }
    if (!isWellFormed(key) || !isWellFormed(text)) {
      throw new TypeError(
        `writeSafetensors: metadata ${quoted(key)} has half of a surrogate pair; it must be Unicode text.`,
      );
    }
  }
  const blocks = Object.entries(tensors)
    .map(([name, tensor]) => toBlock(name, tensor))
    .sort((a, b) => ORDER.indexOf(a.dtype) - ORDER.indexOf(b.dtype) || compareText(a.name, b.name));

  let dataBytes = 0;
  const entries = blocks.map(({ name, dtype, shape, values }): Entry => {
    const begin = dataBytes;
    dataBytes += values.byteLength;
    return { name, dtype, shape, begin, end: dataBytes };
  });
  const header = writeHeader(entries, metadata);
  const dataStart = LENGTH_BYTES + header.length;

  const file = new Uint8Array(dataStart + dataBytes);
  new DataView(file.buffer).setBigUint64(0, BigInt(header.length), true);
  file.set(header, LENGTH_BYTES);
  blocks.forEach(({ values: { buffer, byteOffset, byteLength } }, i) => {
    file.set(new Uint8Array(buffer, byteOffset, byteLength), dataStart + (entries[i] as Entry).begin);
  });
  return file;
}

const ORDER = ["F64", "F32", "I32"];

function toBlock(name: string, tensor: FileTensor) {
  const part = `writeSafetensors: tensor ${quoted(name)}`;
  checkShaped(part, tensor);
  const { shape, values } = tensor;
  if (name === METADATA) throw new ShapeError(`${part}: the format keeps this name for its metadata; take another.`);
  if (!isWellFormed(name))
    throw new ShapeError(`${part}: the name has half of a surrogate pair; it must be Unicode text.`);
  if (!Array.isArray(shape) || !shape.every((length) => Number.isSafeInteger(length) && length >= 0)) {
    throw new ShapeError(`${part}: shape is ${quoted(shape)}; each length must be an integer, not negative.`);
  }
  if (sizeOf(shape) !== values?.length) {
    throw new ShapeError(
      `${part}: there are ${values?.length} values, and shape ${formatShape(shape)} has ${sizeOf(shape)} elements; the two must be equal.`,
    );
  }
  if (values instanceof Float64Array) return { name, dtype: "F64", shape, values };
  if (values instanceof Float32Array) return { name, dtype: "F32", shape, values };
  if (values instanceof Int32Array) return { name, dtype: "I32", shape, values };
  if (Array.isArray(values)) return { name, dtype: "F32", shape, values: toFloat32(part, values) };
  throw new TypeError(`${part}: values must be a Float32Array, Float64Array, Int32Array or an array of numbers.`);
}

function toFloat32(part: string, values: readonly unknown[]): Float32Array {
  return Float32Array.from(values, (value, index) => {
    if (typeof value !== "number")
      throw new TypeError(`${part}: value ${index} is ${quoted(value)}; it must be a number.`);
    if (Number.isFinite(value) && !Number.isFinite(Math.fround(value))) {
      throw new RangeError(
        `${part}: value ${index} is ${value}, too large for float32; give a Float64Array, written as F64.`,
      );
    }
    return value;
  });
}
