import { FormatError } from "../util/errors";
import type { Shape } from "../util/shape";
import { storedTypes } from "./dtypes";
import { type Json, parseJson, quoted } from "./json";

/** Bytes before the header: its length, an unsigned 64-bit integer. */
export const LENGTH_BYTES = 8;
/** As the format's own implementation has it. */
export const MAX_HEADER_BYTES = 100_000_000;
export const METADATA = "__metadata__";

/** One tensor of a file: its bytes are file[begin, end). */
export interface Entry {
  name: string;
  dtype: string;
  shape: Shape;
  begin: number;
  end: number;
}

export interface Header {
  entries: Entry[];
  metadata: Record<string, string>;
}

/** Reads the header of a safetensors file and holds it to every rule of the format. Throws FormatError. */
export function readHeader(file: Uint8Array): Header {
  const json = parseJson("safetensors header", headerText(file));
  if (!isObject(json)) throw new FormatError("safetensors: the header must be a JSON object.");

  const dataStart = LENGTH_BYTES + headerBytes(file);
  const entries: Entry[] = [];
  let metadata: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries(json)) {
    if (name === METADATA) metadata = readMetadata(value);
    else entries.push(readEntry(name, value, dataStart));
  }
  checkCover(entries, dataStart, file.length);
  return { entries, metadata };
}

function headerBytes(file: Uint8Array): number {
  if (file.length < LENGTH_BYTES) {
    throw new FormatError(
      `safetensors: the file has ${file.length} bytes; it must have at least ${LENGTH_BYTES}, the length of its header.`,
    );
  }
  const length = new DataView(file.buffer, file.byteOffset).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES)) {
    throw new FormatError(
      `safetensors: the header's length is given as ${length} bytes; at most ${MAX_HEADER_BYTES} are allowed.`,
    );
  }
  if (length > BigInt(file.length - LENGTH_BYTES)) {
    throw new FormatError(
      `safetensors: the header's length is given as ${length} bytes, but ${file.length - LENGTH_BYTES} follow; the file is cut off or not safetensors.`,
    );
  }
  return Number(length);
}

function headerText(file: Uint8Array): string {
  // A copy, because TextDecoder refuses memory that threads share.
  const bytes = new Uint8Array(file.subarray(LENGTH_BYTES, LENGTH_BYTES + headerBytes(file)));
  if (bytes[0] !== 0x7b) {
    const found =
      bytes[0] === undefined ? "it is empty" : `its first byte is 0x${bytes[0].toString(16).padStart(2, "0")}`;
    throw new FormatError(`safetensors: the header must begin with "{" (0x7b); ${found}.`);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new FormatError(`safetensors: the header's ${bytes.length} bytes are not valid UTF-8; they must be.`);
  }
}

function readMetadata(value: Json): Record<string, string> {
  if (!isObject(value)) {
    throw new FormatError(`safetensors: ${METADATA} is ${quoted(value)}; it must be an object of strings.`);
  }
  const metadata: Record<string, string> = Object.create(null);
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== "string") {
      throw new FormatError(`safetensors: ${METADATA} has ${quoted(text)} for ${quoted(key)}; it must be a string.`);
    }
    metadata[key] = text;
  }
  return metadata;
}

function readEntry(name: string, value: Json, dataStart: number): Entry {
  const part = `safetensors: tensor ${quoted(name)}`;
  if (!isObject(value)) {
    throw new FormatError(`${part} is ${quoted(value)}; it must be an object with dtype, shape and data_offsets.`);
  }
  const { dtype, shape, data_offsets: offsets } = value;
  const type = typeof dtype === "string" ? storedTypes.get(dtype) : undefined;
  if (typeof dtype !== "string" || type === undefined) {
    throw new FormatError(
      `${part}: dtype is ${quoted(dtype)}; those read here are ${[...storedTypes.keys()].join(", ")}.`,
    );
  }
  if (!isCounts(shape)) {
    throw new FormatError(`${part}: shape is ${quoted(shape)}; it must be an array of integers from 0 to 2^53 - 1.`);
  }
  if (!isCounts(offsets) || offsets.length !== 2) {
    throw new FormatError(
      `${part}: data_offsets is ${quoted(offsets)}; it must be two integers from 0 to 2^53 - 1, begin and end.`,
    );
  }
  const [begin, end] = offsets as [number, number];

  const sizeBytes = shape.includes(0) ? 0 : shape.reduce((bytes, length) => bytes * length, type.bytes);
  if (sizeBytes > Number.MAX_SAFE_INTEGER) {
    throw new FormatError(`${part}: ${dtype} of shape ${quoted(shape)} is more than 2^53 - 1 bytes.`);
  }
  if (end - begin !== sizeBytes) {
    throw new FormatError(
      `${part}: data_offsets are [${begin}, ${end}], ${end - begin} bytes; ${dtype} of shape ${quoted(shape)} is ${sizeBytes} bytes.`,
    );
  }
  return { name, dtype, shape, begin: dataStart + begin, end: dataStart + end };
}

/** The tensors' bytes must follow each other, in some order, from the header to the end of the file. */
function checkCover(entries: readonly Entry[], dataStart: number, fileBytes: number): void {
  let covered = dataStart;
  // Empty tensors take no room: they come before the one that begins where they do.
  for (const { name, begin, end } of [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== covered) {
      throw new FormatError(
        `safetensors: tensor ${quoted(name)} begins at byte ${begin - dataStart} of the data; the one before it ends at ${covered - dataStart}, and it must begin there, with no gap and no overlap.`,
      );
    }
    covered = end;
  }
  if (covered !== fileBytes) {
    throw new FormatError(
      `safetensors: the tensors take ${covered - dataStart} bytes, and the file has ${fileBytes - dataStart} after its header; the two must be equal.`,
    );
  }
}

function isObject(value: Json): value is { [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCounts(value: Json | undefined): value is number[] {
  const isCount = (item: Json): boolean => Number.isSafeInteger(item) && (item as number) >= 0 && !Object.is(item, -0);
  return Array.isArray(value) && value.every(isCount);
}

/** A header's bytes, spaces after it so that the data begin at a multiple of 8. Offsets are counted from the data. */
export function writeHeader(entries: readonly Entry[], metadata: Readonly<Record<string, string>>): Uint8Array {
  const lines: string[] = [];
  // Written out piece by piece: an object would put names that look like integers first.
  const pairs = Object.entries(metadata).sort(([a], [b]) => compareText(a, b));
  if (pairs.length > 0) {
    lines.push(
      `"${METADATA}":{${pairs.map(([key, text]) => `${JSON.stringify(key)}:${JSON.stringify(text)}`).join(",")}}`,
    );
  }
  for (const { name, dtype, shape, begin, end } of entries) {
    lines.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [begin, end] })}`);
  }
  const text = new TextEncoder().encode(`{${lines.join(",")}}`);
  const padded = new Uint8Array(Math.ceil(text.length / 8) * 8).fill(0x20);
  padded.set(text);
  if (padded.length > MAX_HEADER_BYTES) {
    throw new RangeError(
      `writeSafetensors: the header would have ${padded.length} bytes; at most ${MAX_HEADER_BYTES} are allowed. Write fewer tensors or less metadata.`,
    );
  }
  return padded;
}

/** By code points, which is the order of the UTF-8 bytes; `<` would go by UTF-16 units. */
export function compareText(a: string, b: string): number {
  const left = [...a];
  const right = [...b];
  const at = left.findIndex((character, i) => character !== right[i]);
  if (at === -1) return left.length - right.length;
  return (left[at]?.codePointAt(0) ?? -1) - (right[at]?.codePointAt(0) ?? -1);
}
