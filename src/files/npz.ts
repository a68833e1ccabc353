import { inflateSync, zipSync } from "fflate";
import { checkFile, checkOptions, isRecord, shown } from "../util/checks";
import { FormatError } from "../util/errors";
import { isWellFormed, quoted } from "./json";
import { type NpyArray, readArray } from "./npy-read";
import { type NpyValues, writeArray } from "./npy-write";
import { type Member, readDirectory } from "./npz-directory";

/** What `readNpz` is held to. */
export interface NpzReadOptions {
  /** What all arrays together may take unpacked, in bytes; default 2^31. More is a FormatError, before any is unpacked. */
  maxBytes?: number;
}

/** How `writeNpz` packs. */
export interface NpzWriteOptions {
  /** Deflates each array, as `numpy.savez_compressed` does; default false, as `numpy.savez`. */
  compressed?: boolean;
}

/**
 * Reads the arrays of an .npz file, by name, as `readNpy` reads each. Sizes are checked before memory is taken for them,
 * and each file's CRC-32 after it is unpacked. Throws FormatError, also for an archive with other files than .npy.
 * Source: NumPy, `numpy.savez`; PKWARE, APPNOTE.TXT 6.3.10.
 */
export function readNpz(file: Uint8Array, options: NpzReadOptions = {}): Record<string, NpyArray> {
  checkFile("readNpz", file);
  checkOptions("readNpz", options, ["maxBytes"]);
  const { maxBytes = 2 ** 31 } = options;
  if (!(maxBytes >= 0)) {
    throw new RangeError(`readNpz: maxBytes is ${quoted(maxBytes)}; it must be a number of bytes, not negative.`);
  }
  const members = readDirectory(file, "npz");
  let sizeBytes = 0;
  for (const member of members) {
    if (!member.name.endsWith(SUFFIX)) {
      throw new FormatError(`npz: the archive has ${quoted(member.name)}; each file in it must be an array, "….npy".`);
    }
    sizeBytes += member.sizeBytes;
  }
  if (sizeBytes > maxBytes) {
    throw new FormatError(`npz: the arrays take ${sizeBytes} bytes unpacked; maxBytes allows ${maxBytes}.`);
  }
  // No prototype, so that an array may have any name, "__proto__" too.
  const arrays: Record<string, NpyArray> = Object.create(null);
  for (const member of members) {
    const part = `npz: ${quoted(member.name)}`;
    arrays[member.name.slice(0, -SUFFIX.length)] = readArray(unpack(file, member, part), part);
  }
  return arrays;
}

const SUFFIX = ".npy";

function unpack(file: Uint8Array, member: Member, part: string): Uint8Array {
  const { method, begin, storedBytes, sizeBytes } = member;
  const stored = file.subarray(begin, begin + storedBytes);
  let bytes = stored;
  if (method === "deflated") {
    try {
      bytes = inflateSync(stored, { out: new Uint8Array(sizeBytes) });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new FormatError(`${part}: its ${storedBytes} bytes are not ${sizeBytes} bytes deflated: ${reason}.`);
    }
  }
  const found = crc32(bytes);
  if (bytes.length !== sizeBytes || found !== member.crc32) {
    throw new FormatError(
      `${part}: unpacked are ${bytes.length} bytes with CRC-32 ${hex(found)}; the archive says ${sizeBytes} bytes and ${hex(member.crc32)}. It is damaged.`,
    );
  }
  return bytes;
}

/**
 * Writes arrays by name as `numpy.savez` does, each as `writeNpy`; `numpy.load` reads it. The same arrays in the same
 * order give the same bytes. Throws as `writeNpy` does, and RangeError past 4 GiB or 65,535 arrays.
 */
export function writeNpz(
  arrays: Readonly<Record<string, NpyValues>>,
  options: NpzWriteOptions = {},
): Uint8Array<ArrayBuffer> {
  if (!isRecord(arrays))
    throw new TypeError(`writeNpz: the arrays are ${shown(arrays)}; they must be an object by name.`);
  checkOptions("writeNpz", options, ["compressed"]);
  const { compressed = false } = options;
  const files: Record<string, Uint8Array> = Object.create(null);
  let sizeBytes = 0;
  let count = 0;
  for (const [name, array] of Object.entries(arrays)) {
    const part = `writeNpz: array ${quoted(name)}`;
    if (!isWellFormed(name)) throw new TypeError(`${part}: the name has half of a surrogate pair; it must be Unicode.`);
    const file = writeArray(array, part);
    const nameBytes = new TextEncoder().encode(name + SUFFIX).length;
    if (nameBytes > 0xffff)
      throw new RangeError(`${part}: the name has ${nameBytes} bytes; at most 65535 are allowed.`);
    files[name + SUFFIX] = file;
    sizeBytes += file.length + 2 * nameBytes + 76;
    count++;
  }
  if (count > 0xffff || sizeBytes > 0xffff_0000) {
    throw new RangeError(
      `writeNpz: there are ${count} arrays of ${sizeBytes} bytes; at most 65535 and 4 GiB fit. Write several files.`,
    );
  }
  // The date is NumPy's, so that the bytes do not tell when they were written.
  return zipSync(files, { level: compressed ? 6 : 0, mtime: new Date(1980, 0, 1) });
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});

/** Source: ISO/IEC 3309; APPNOTE.TXT §4.4.7. */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (let at = 0; at < bytes.length; at++) {
    crc = (CRC_TABLE[(crc ^ (bytes[at] as number)) & 0xff] as number) ^ (crc >>> 8);
  }
  return ~crc >>> 0;
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(8, "0")}`;
}
