import { FormatError } from "../util/errors";

/** How a safetensors dtype lies in the file, and what its numbers are read into. */
export interface StoredType {
  readonly bytes: number;
  /** `data` are the tensor's bytes alone, in a buffer of their own; `part` begins the message of a FormatError. */
  read(data: ArrayBuffer, part: string): Float32Array | Float64Array | Int32Array;
}

// A typed array over the bytes takes them in the machine's order. The file's is little-endian, and so is that of
// every machine with WebGPU: WGSL fixes it for memory that host and device share.

/** Those that an array of `Values` holds are themselves; the others go to one that is exact for each of their values. */
export const storedTypes: ReadonlyMap<string, StoredType> = new Map<string, StoredType>([
  ["F64", { bytes: 8, read: (data) => new Float64Array(data) }],
  ["F32", { bytes: 4, read: (data) => new Float32Array(data) }],
  ["F16", { bytes: 2, read: (data) => Float32Array.from(new Uint16Array(data), float16) }],
  ["BF16", { bytes: 2, read: (data) => bfloat16(new Uint16Array(data)) }],
  ["I64", { bytes: 8, read: (data, part) => exact(new BigInt64Array(data), part) }],
  ["I32", { bytes: 4, read: (data) => new Int32Array(data) }],
  ["I16", { bytes: 2, read: (data) => new Int32Array(new Int16Array(data)) }],
  ["I8", { bytes: 1, read: (data) => new Int32Array(new Int8Array(data)) }],
  ["U64", { bytes: 8, read: (data, part) => exact(new BigUint64Array(data), part) }],
  ["U32", { bytes: 4, read: (data) => new Float64Array(new Uint32Array(data)) }],
  ["U16", { bytes: 2, read: (data) => new Int32Array(new Uint16Array(data)) }],
  ["U8", { bytes: 1, read: (data) => new Int32Array(new Uint8Array(data)) }],
  ["BOOL", { bytes: 1, read: (data) => Int32Array.from(new Uint8Array(data), (byte) => (byte === 0 ? 0 : 1)) }],
]);

/** IEEE 754 binary16 to a number, exactly. */
function float16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** bfloat16 is the upper half of a float32. */
function bfloat16(halves: Uint16Array): Float32Array {
  return new Float32Array(Uint32Array.from(halves, (bits) => bits << 16).buffer);
}

function exact(values: BigInt64Array | BigUint64Array, part: string): Float64Array {
  const numbers = new Float64Array(values.length);
  values.forEach((value, index) => {
    numbers[index] = Number(value);
    if (BigInt(Number(value)) !== value) {
      throw new FormatError(`${part}: value ${index} is ${value}; it must be one that float64 holds exactly.`);
    }
  });
  return numbers;
}
