import { FormatError } from "../util/errors";
import type { Shape } from "../util/shape";
import { quoted } from "./json";
import { type Literal, parseDictionary } from "./npy-literal";

/** What a header says of the array that follows it. */
export interface NpyHeader {
  /** NumPy's name of the numbers, byte order first: "<f4". */
  descr: string;
  /** Whether the first axis runs fastest. */
  fortranOrder: boolean;
  shape: Shape;
  /** Where the array's bytes begin. */
  dataStart: number;
}

/** As NumPy has it by default (`max_header_size` of `numpy.load`). */
const MAX_HEADER_BYTES = 10_000;
/** NumPy's own arrays have at most as many axes. */
const MAX_AXES = 64;
const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]; // \x93NUMPY

/**
 * Reads the header of an .npy file. `part` begins each message. Throws FormatError.
 * Source: NumPy, "numpy.lib.format", versions 1.0, 2.0 and 3.0.
 */
export function readNpyHeader(file: Uint8Array, part: string): NpyHeader {
  const { text, dataStart, version } = headerText(file, part);
  const entries = parseDictionary(text, `${part}: the header`, version < 3);
  for (const key of entries.keys()) {
    if (!["descr", "fortran_order", "shape"].includes(key)) {
      throw new FormatError(
        `${part}: the header has ${quoted(key)}; it must have descr, fortran_order and shape alone.`,
      );
    }
  }
  const descr = entries.get("descr");
  const fortranOrder = entries.get("fortran_order");
  const shape = entries.get("shape");
  if (typeof descr !== "string") {
    const found = Array.isArray(descr) ? "of records or sub-arrays" : String(descr);
    throw new FormatError(`${part}: descr is ${found}; it must be a string that names plain numbers, as '<f4'.`);
  }
  if (typeof fortranOrder !== "boolean") {
    throw new FormatError(`${part}: fortran_order is ${quoted(fortranOrder)}; it must be True or False.`);
  }
  if (!isCounts(shape)) {
    throw new FormatError(
      `${part}: shape is ${quoted(shape)}; it must be a tuple of integers from 0 to 2^53 - 1, as (3, 4) or (3,).`,
    );
  }
  if (shape.length > MAX_AXES) {
    throw new FormatError(`${part}: shape has ${shape.length} axes; at most ${MAX_AXES} are allowed.`);
  }
  return { descr, fortranOrder, shape, dataStart };
}

function headerText(file: Uint8Array, part: string): { text: string; dataStart: number; version: number } {
  const wrong = MAGIC.findIndex((byte, at) => at < file.length && file[at] !== byte);
  if (wrong !== -1) {
    throw new FormatError(
      `${part}: byte ${wrong} is ${hex(file[wrong])}; an .npy file begins with 0x93 "NUMPY", and there ${hex(MAGIC[wrong])} must stand.`,
    );
  }
  const [major, minor] = file.subarray(6, 8);
  if (major === undefined || minor === undefined) throw cutOff(part, file, 8, "its magic string and version");
  if (major < 1 || major > 3 || minor !== 0) {
    throw new FormatError(`${part}: the format's version is ${major}.${minor}; those read here are 1.0, 2.0 and 3.0.`);
  }
  const lengthBytes = major === 1 ? 2 : 4;
  const textStart = 8 + lengthBytes;
  if (file.length < textStart) throw cutOff(part, file, textStart, "the length of its header");
  const view = new DataView(file.buffer, file.byteOffset);
  const length = major === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (length > MAX_HEADER_BYTES) {
    throw new FormatError(
      `${part}: the header's length is given as ${length} bytes; at most ${MAX_HEADER_BYTES} are allowed.`,
    );
  }
  const dataStart = textStart + length;
  if (file.length < dataStart) throw cutOff(part, file, dataStart, `its header of ${length} bytes`);
  const bytes = file.subarray(textStart, dataStart);
  return { text: major === 3 ? utf8(bytes, part) : latin1(bytes), dataStart, version: major };
}

function cutOff(part: string, file: Uint8Array, needed: number, what: string): FormatError {
  return new FormatError(
    `${part}: the file has ${file.length} bytes; with ${what} it must have at least ${needed}. It is cut off.`,
  );
}

function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes); // at most MAX_HEADER_BYTES
}

function utf8(bytes: Uint8Array, part: string): string {
  try {
    // A copy, because TextDecoder refuses memory that threads share.
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(new Uint8Array(bytes));
  } catch {
    throw new FormatError(
      `${part}: the header's ${bytes.length} bytes are not valid UTF-8; in version 3.0 they must be.`,
    );
  }
}

function hex(byte: number | undefined): string {
  return `0x${(byte ?? 0).toString(16).padStart(2, "0")}`;
}

function isCounts(value: Literal | undefined): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item));
}
