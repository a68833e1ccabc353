import { randomState } from "../../index";

/** Handwritten digits of 8 x 8 pixels. x [rows, 64] in 0 … 1, y [rows] the digit. */
export interface Digits {
  x: Float32Array;
  y: Int32Array;
}

export const heldBackRows = 360;
/** The largest number of a pixel in the file. */
export const MOST_INK = 16;

/**
 * The 1,797 digits, 360 of them held back, in an order drawn from `seed`.
 * Source: E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI 1998 (its test set), CC BY 4.0.
 */
export async function loadDigits(seed: number): Promise<{ training: Digits; heldBack: Digits }> {
  const answer = await fetch(new URL("./digits.csv.gz", import.meta.url));
  if (!answer.ok) throw new Error(`digits.csv.gz: ${answer.status} ${answer.statusText}`);
  const text = await unzipped(new Uint8Array(await answer.arrayBuffer()));
  const rows = text
    .trim()
    .split("\n")
    .map((line) => line.split(",").map(Number));
  const order = randomState(seed).permutation(rows.length);
  const cut = rows.length - heldBackRows;
  const take = (indices: Int32Array): Digits => ({
    x: Float32Array.from(
      [...indices].flatMap((index) => (rows[index] ?? []).slice(0, 64).map((pixel) => pixel / MOST_INK)),
    ),
    y: indices.map((index) => rows[index]?.[64] ?? -1),
  });
  return { training: take(order.subarray(0, cut)), heldBack: take(order.subarray(cut)) };
}

/** Some servers send a .gz so that the browser has unpacked it already: the first two bytes tell. */
async function unzipped(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return new TextDecoder().decode(bytes);
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
}
