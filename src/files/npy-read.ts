import { checkFile } from "../util/checks";
import { FormatError } from "../util/errors";
import { formatShape, type Shape, stridesOf } from "../util/shape";
import { storedTypes } from "./dtypes";
import { quoted } from "./json";
import { readNpyHeader } from "./npy-header";

type Numbers = Float32Array | Float64Array | Int32Array;

/** An array of NumPy's, with what the file says of it. */
export interface NpyArray {
  /** NumPy's name of the numbers in the file, byte order first: "<f4", ">i8", "|u1". */
  dtype: string;
  shape: Shape;
  /** Row-major, whatever order the file has them in. */
  values: Numbers;
}

/** Kind and bytes in NumPy's name of a dtype, and the same numbers' name in the table of `dtypes.ts`. */
const KINDS: ReadonlyMap<string, string> = new Map([
  ["f8", "F64"],
  ["f4", "F32"],
  ["f2", "F16"],
  ["i8", "I64"],
  ["i4", "I32"],
  ["i2", "I16"],
  ["i1", "I8"],
  ["u8", "U64"],
  ["u4", "U32"],
  ["u2", "U16"],
  ["u1", "U8"],
  ["b1", "BOOL"],
]);

/**
 * Reads one array as `numpy.save` writes it, of format version 1.0, 2.0 or 3.0, in either byte order, in C or Fortran
 * order; the values come as copies in C order, which is row-major:
 *
 * | dtype | values |
 * |---|---|
 * | f8, f4, i4 | Float64Array, Float32Array, Int32Array |
 * | f2 | Float32Array |
 * | u4, i8, u8 | Float64Array; a value that float64 cannot hold is a FormatError |
 * | i2, i1, u2, u1, b1 | Int32Array; b1 is 0 or 1 |
 *
 * Nothing in the file is evaluated or unpickled: dtypes of objects, records, text and complex numbers are refused. The
 * file must end where the array does. Throws FormatError. Source: NumPy, "numpy.lib.format".
 */
export function readNpy(file: Uint8Array): NpyArray {
  checkFile("readNpy", file);
  return readArray(file, "npy");
}

/** @internal `part` begins each message. */
export function readArray(file: Uint8Array, part: string): NpyArray {
  const { descr, shape, dataStart, fortranOrder } = readNpyHeader(file, part);
  const order = /^[<>|=]/.exec(descr)?.[0] ?? "";
  const type = storedTypes.get(KINDS.get(descr.slice(order.length)) ?? "");
  // "=" and no order at all are the writing machine's own, which the file does not tell.
  if (type === undefined || order === "" || order === "=" || (order === "|" && type.bytes > 1)) {
    const known = [...KINDS.keys()].join(", ");
    throw new FormatError(
      `${part}: descr is ${quoted(descr)}; it must be ${known}, each after "<" or ">" for its byte order (one byte: "|").`,
    );
  }
  const sizeBytes = shape.includes(0) ? 0 : shape.reduce((bytes, length) => bytes * length, type.bytes);
  if (sizeBytes > Number.MAX_SAFE_INTEGER) {
    throw new FormatError(`${part}: ${descr} of shape ${formatShape(shape)} is more than 2^53 - 1 bytes.`);
  }
  if (file.length - dataStart !== sizeBytes) {
    throw new FormatError(
      `${part}: ${file.length - dataStart} bytes follow the header; ${descr} of shape ${formatShape(shape)} is ${sizeBytes} bytes.`,
    );
  }
  // The copy also aligns: data may begin at any byte of a buffer, and a typed array may not.
  const bytes = new Uint8Array(file.subarray(dataStart));
  if (order === ">") reverseEach(bytes, type.bytes);
  const values = type.read(bytes.buffer, part);
  return { dtype: descr, shape, values: fortranOrder ? rowMajor(values, shape) : values };
}

/** From one byte order to the other, in place. */
function reverseEach(bytes: Uint8Array, size: number): void {
  for (let start = 0; start < bytes.length; start += size) {
    for (let low = start, high = start + size - 1; low < high; low++, high--) {
      const byte = bytes[low] as number;
      bytes[low] = bytes[high] as number;
      bytes[high] = byte;
    }
  }
}

/** Values in Fortran order are those of the transposed array in C order: each goes where the shape has it. */
function rowMajor<T extends Numbers>(values: T, shape: Shape): T {
  const longAxes = shape.filter((length) => length !== 1);
  if (longAxes.length < 2 || values.length === 0) return values;
  const strides = stridesOf(longAxes);
  const index = new Array<number>(longAxes.length).fill(0);
  const sorted = values.slice() as T;
  let to = 0;
  for (const value of values) {
    sorted[to] = value;
    for (let axis = 0; axis < longAxes.length; axis++) {
      const length = longAxes[axis] as number;
      const stride = strides[axis] as number;
      const position = (index[axis] as number) + 1;
      to += stride;
      if (position < length) {
        index[axis] = position;
        break;
      }
      index[axis] = 0;
      to -= length * stride;
    }
  }
  return sorted;
}
