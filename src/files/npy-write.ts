import { checkShaped } from "../util/checks";
import { ShapeError } from "../util/errors";
import { formatShape, type Shape, sizeOf } from "../util/shape";
import { quoted } from "./json";

type Numbers = Float32Array | Float64Array | Int32Array;

/** `values` are row-major, as many as the product of `shape`. */
export interface NpyValues {
  shape: Shape;
  values: Numbers | readonly number[];
}

/**
 * Writes an array as `numpy.save` does, byte for byte: Float64Array as <f8, Float32Array and plain arrays as <f4,
 * Int32Array as <i4, in C order, format version 1.0.
 *
 * Throws ShapeError where shape and values do not fit, RangeError where a plain array has a number too large for
 * float32, TypeError where there is something else than numbers. Source: NumPy, "numpy.lib.format".
 */
export function writeNpy(array: NpyValues): Uint8Array<ArrayBuffer> {
  return writeArray(array, "writeNpy");
}

const ALIGNMENT = 64;
/** NumPy leaves room for the first length to grow to so many digits, so that a file can be appended to in place. */
const GROWTH_DIGITS = 21;

/** @internal `part` begins each message. */
export function writeArray(array: NpyValues, part: string): Uint8Array<ArrayBuffer> {
  checkShaped(part, array);
  const { shape, values } = array;
  if (!Array.isArray(shape) || !shape.every((length) => Number.isSafeInteger(length) && length >= 0)) {
    throw new ShapeError(`${part}: shape is ${quoted(shape)}; each length must be an integer, not negative.`);
  }
  if (shape.length > 64) throw new ShapeError(`${part}: shape has ${shape.length} axes; NumPy takes at most 64.`);
  if (sizeOf(shape) !== values?.length) {
    throw new ShapeError(
      `${part}: there are ${values?.length} values, and shape ${formatShape(shape)} has ${sizeOf(shape)} elements; the two must be equal.`,
    );
  }
  const { descr, bytes } = toBytes(values, part);
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
  const growth = shape.length === 0 ? 0 : GROWTH_DIGITS - String(shape[0]).length;
  const dictionary = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${tuple}, }${" ".repeat(growth)}`;

  const prefixBytes = 10; // 64 axes of 16 digits stay far below what version 1.0 can say
  const padding = ALIGNMENT - ((prefixBytes + dictionary.length + 1) % ALIGNMENT);
  const header = `${dictionary}${" ".repeat(padding)}\n`;
  const file = new Uint8Array(prefixBytes + header.length + bytes.length);
  file.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length & 0xff, header.length >> 8]);
  file.set(new TextEncoder().encode(header), prefixBytes);
  file.set(bytes, prefixBytes + header.length);
  return file;
}

function toBytes(values: Numbers | readonly number[], part: string): { descr: string; bytes: Uint8Array } {
  const bytesOf = ({ buffer, byteOffset, byteLength }: Numbers) => new Uint8Array(buffer, byteOffset, byteLength);
  if (values instanceof Float64Array) return { descr: "<f8", bytes: bytesOf(values) };
  if (values instanceof Float32Array) return { descr: "<f4", bytes: bytesOf(values) };
  if (values instanceof Int32Array) return { descr: "<i4", bytes: bytesOf(values) };
  if (Array.isArray(values)) return { descr: "<f4", bytes: bytesOf(toFloat32(values, part)) };
  throw new TypeError(`${part}: values must be a Float32Array, Float64Array, Int32Array or an array of numbers.`);
}

function toFloat32(values: readonly unknown[], part: string): Float32Array {
  return Float32Array.from(values, (value, index) => {
    if (typeof value !== "number") {
      throw new TypeError(`${part}: value ${index} is ${quoted(value)}; it must be a number.`);
    }
    if (Number.isFinite(value) && !Number.isFinite(Math.fround(value))) {
      throw new RangeError(
        `${part}: value ${index} is ${value}, too large for float32; give a Float64Array, written as <f8.`,
      );
    }
    return value;
  });
}
