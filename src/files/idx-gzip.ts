import { FormatError } from "../util/errors";

export function isGzip(file: Uint8Array): boolean {
  return file[0] === 0x1f && file[1] === 0x8b;
}

/**
 * Unpacks gzip with the platform's own inflater. `limit` gets the bytes so far and says how many there may be in all:
 * what would be more is refused as soon as it comes. `part` begins each message. Rejects with FormatError.
 * Source: RFC 1952.
 */
export async function gunzip(
  file: Uint8Array,
  part: string,
  limit: (begun: Uint8Array) => number,
): Promise<Uint8Array> {
  // A copy, because a stream refuses memory that threads share.
  const reader = new Blob([new Uint8Array(file)]).stream().pipeThrough(new DecompressionStream("gzip")).getReader();
  let bytes = new Uint8Array(0);
  let length = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error);
        throw new FormatError(`${part}: its ${file.length} bytes are not whole gzip: ${reason}.`);
      });
      if (done) return bytes.subarray(0, length);
      if (length + value.length > bytes.length) {
        const grown = new Uint8Array(Math.max(2 * bytes.length, length + value.length));
        grown.set(bytes.subarray(0, length));
        bytes = grown;
      }
      bytes.set(value, length);
      length += value.length;
      const most = limit(bytes.subarray(0, length));
      if (length > most) {
        throw new FormatError(`${part}: unpacked are more than ${most} bytes; the header allows no more.`);
      }
    }
  } finally {
    reader.cancel().catch(() => {}); // what is left of a refused file
  }
}
