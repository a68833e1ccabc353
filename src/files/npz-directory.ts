import { FormatError } from "../util/errors";
import { quoted } from "./json";

/** One file of a zip archive. Its bytes, as stored, are archive[begin, begin + storedBytes). */
export interface Member {
  name: string;
  method: "stored" | "deflated";
  crc32: number;
  storedBytes: number;
  sizeBytes: number;
  begin: number;
}

// fflate, which inflates and writes, reads an archive in good faith: it checks neither ranges nor CRCs, and fills what a
// member's size promises too much with zeros. So the directory is read here.

const END_SIGNATURE = 0x06054b50;
const END_BYTES = 22;
const END64_LOCATOR_SIGNATURE = 0x07064b50;
const END64_LOCATOR_BYTES = 20;
const END64_SIGNATURE = 0x06064b50;
const END64_BYTES = 56;
const ENTRY_SIGNATURE = 0x02014b50;
const ENTRY_BYTES = 46;
const LOCAL_SIGNATURE = 0x04034b50;
const LOCAL_BYTES = 30;
const ZIP64_FIELD = 0x0001;
/** Bits 0, 6 and 13 of an entry's flags. */
const ENCRYPTED = 0x2041;
/** Deflate packs at most 258 bytes into 2 bits. */
const MAX_DEFLATE_RATIO = 1032;

/**
 * The files in a zip archive, in the order of its directory. Holds each to the archive's own bytes: ranges that lie
 * inside it and do not overlap, sizes that deflate can reach, one name once. `part` begins each message.
 * Throws FormatError. Source: PKWARE, APPNOTE.TXT 6.3.10, §4.3.
 */
export function readDirectory(archive: Uint8Array, part: string): Member[] {
  const view = new DataView(archive.buffer, archive.byteOffset, archive.byteLength);
  const { begin, end, count } = findDirectory(view, part);
  if (count * ENTRY_BYTES > end - begin) {
    throw new FormatError(
      `${part}: the directory has ${end - begin} bytes for ${count} files; each takes at least ${ENTRY_BYTES}.`,
    );
  }
  const members: Member[] = [];
  const names = new Set<string>();
  let at = begin;
  for (let i = 0; i < count; i++) {
    const { member, next } = readEntry(view, at, end, begin, `${part}: file ${i} of the archive`);
    if (names.has(member.name)) {
      throw new FormatError(`${part}: the name ${quoted(member.name)} stands twice; each must stand once.`);
    }
    names.add(member.name);
    members.push(member);
    at = next;
  }
  if (at !== end) {
    throw new FormatError(`${part}: the directory has ${end - at} bytes after its ${count} files; it must have none.`);
  }
  let taken = 0;
  for (const { name, begin: start, storedBytes } of [...members].sort((a, b) => a.begin - b.begin)) {
    if (start < taken) throw new FormatError(`${part}: ${quoted(name)} overlaps the file before it; it must not.`);
    taken = start + storedBytes;
  }
  return members;
}

/** Where the directory lies, and how many files it names. */
function findDirectory(view: DataView, part: string): { begin: number; end: number; count: number } {
  const end = findEnd(view, part);
  let count = view.getUint16(end + 10, true);
  let sizeBytes = view.getUint32(end + 12, true);
  let begin = view.getUint32(end + 16, true);
  let limit = end;
  if (view.getUint16(end + 4, true) !== 0 || view.getUint16(end + 8, true) !== count) {
    throw new FormatError(`${part}: the archive is one of several parts; it must be whole.`);
  }
  const locator = end - END64_LOCATOR_BYTES;
  if (locator >= 0 && view.getUint32(locator, true) === END64_LOCATOR_SIGNATURE) {
    const record = safe(view.getBigUint64(locator + 8, true), part);
    if (record + END64_BYTES > locator || view.getUint32(record, true) !== END64_SIGNATURE) {
      throw new FormatError(`${part}: byte ${record} must begin the zip64 end of the directory, and does not.`);
    }
    count = safe(view.getBigUint64(record + 32, true), part);
    sizeBytes = safe(view.getBigUint64(record + 40, true), part);
    begin = safe(view.getBigUint64(record + 48, true), part);
    limit = record;
  }
  if (begin + sizeBytes !== limit) {
    throw new FormatError(
      `${part}: the directory is given as bytes ${begin} to ${begin + sizeBytes}; it must end at byte ${limit}, where the record of its end begins.`,
    );
  }
  return { begin, end: limit, count };
}

/** The record that ends an archive, and a comment after it of just the length that it says. */
function findEnd(view: DataView, part: string): number {
  const last = view.byteLength - END_BYTES;
  for (let at = last; at >= Math.max(0, last - 0xffff); at--) {
    if (view.getUint32(at, true) === END_SIGNATURE && view.getUint16(at + 20, true) === last - at) return at;
  }
  throw new FormatError(
    `${part}: the ${view.byteLength} bytes do not end as a zip archive does, with the record of its directory; the file is cut off or not a zip archive.`,
  );
}

function readEntry(view: DataView, at: number, end: number, dataEnd: number, part: string) {
  if (at + ENTRY_BYTES > end || view.getUint32(at, true) !== ENTRY_SIGNATURE) {
    throw new FormatError(`${part}: byte ${at} must begin its entry in the directory, and does not.`);
  }
  const flags = view.getUint16(at + 8, true);
  const code = view.getUint16(at + 10, true);
  const nameBytes = view.getUint16(at + 28, true);
  const extraBytes = view.getUint16(at + 30, true);
  const next = at + ENTRY_BYTES + nameBytes + extraBytes + view.getUint16(at + 32, true);
  if (next > end) throw new FormatError(`${part}: its entry ends at byte ${next}, past the directory's end at ${end}.`);
  const nameStart = at + ENTRY_BYTES;
  const name = readName(view, nameStart, nameBytes, part);

  const own = `${part}, ${quoted(name)}`;
  if (flags & ENCRYPTED) throw new FormatError(`${own}: it is encrypted; it must not be.`);
  if (code !== 0 && code !== 8) {
    throw new FormatError(
      `${own}: its method of compression is ${code}; those read here are 0 (stored) and 8 (deflate).`,
    );
  }
  const [sizeBytes, storedBytes, local] = sizes(view, at, nameStart + nameBytes, extraBytes, own);
  if (code === 0 ? sizeBytes !== storedBytes : sizeBytes > storedBytes * MAX_DEFLATE_RATIO) {
    const limit = code === 0 ? "stored, it must be as many" : `deflated, at most ${storedBytes * MAX_DEFLATE_RATIO}`;
    throw new FormatError(
      `${own}: its size is given as ${sizeBytes} bytes, of ${storedBytes} in the archive; ${limit}.`,
    );
  }
  const begin = dataStart(view, local, dataEnd, own);
  if (begin + storedBytes > dataEnd) {
    throw new FormatError(
      `${own}: its data are given as bytes ${begin} to ${begin + storedBytes}; they must end by ${dataEnd}, where the directory begins.`,
    );
  }
  const crc32 = view.getUint32(at + 16, true);
  const member: Member = { name, method: code === 0 ? "stored" : "deflated", crc32, storedBytes, sizeBytes, begin };
  return { member, next };
}

function readName(view: DataView, start: number, length: number, part: string): string {
  const bytes = new Uint8Array(view.buffer as ArrayBuffer, view.byteOffset + start, length).slice();
  try {
    // Without the flag for UTF-8 the name is in some machine's own alphabet; of ASCII, all are the same.
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new FormatError(`${part}: its name of ${length} bytes is not UTF-8; it must be.`);
  }
}

/** Size, stored size and the place of the local header; what does not fit 32 bits stands in a field of its own. */
function sizes(view: DataView, at: number, extra: number, extraBytes: number, part: string): [number, number, number] {
  const given = [view.getUint32(at + 24, true), view.getUint32(at + 20, true), view.getUint32(at + 42, true)] as const;
  if (!given.includes(0xffffffff)) return [...given];
  let field = extra;
  const end = extra + extraBytes;
  while (field + 4 <= end) {
    const fieldEnd = field + 4 + view.getUint16(field + 2, true);
    if (fieldEnd > end) break;
    if (view.getUint16(field, true) === ZIP64_FIELD) {
      let next = field + 4;
      const [size, stored, local] = given.map((value) => {
        if (value !== 0xffffffff) return value;
        if (next + 8 > fieldEnd) throw new FormatError(`${part}: its zip64 field is too short for its sizes.`);
        next += 8;
        return safe(view.getBigUint64(next - 8, true), part);
      }) as [number, number, number];
      return [size, stored, local];
    }
    field = fieldEnd;
  }
  throw new FormatError(`${part}: its sizes are given as zip64, and there is no zip64 field; there must be one.`);
}

function dataStart(view: DataView, local: number, dataEnd: number, part: string): number {
  if (local + LOCAL_BYTES > dataEnd || view.getUint32(local, true) !== LOCAL_SIGNATURE) {
    throw new FormatError(`${part}: byte ${local} must begin its local header, and does not.`);
  }
  return local + LOCAL_BYTES + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
}

function safe(value: bigint, part: string): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new FormatError(`${part}: a zip64 number is ${value}; at most 2^53 - 1 is allowed.`);
  }
  return Number(value);
}
