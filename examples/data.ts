import { randomState } from "wgrad";

/** Rows with their classes: x [rows, width], y [rows]. */
export interface Table {
  x: Float32Array;
  y: Int32Array;
}

/** A file that comes with these examples, in Node and in a page: "iris.csv", "digits.csv.gz". */
export async function bytesOf(name: string): Promise<Uint8Array<ArrayBuffer>> {
  const url = new URL(/* @vite-ignore */ `../src/playground/data/${name}`, import.meta.url);
  if (url.protocol === "file:") return new Uint8Array(await (await import("node:fs/promises")).readFile(url));
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${name}: ${answer.status} ${answer.statusText}`);
  return new Uint8Array(await answer.arrayBuffer());
}

/** The text of such a file. Some servers send a .gz so that it arrives unpacked: the first two bytes tell. */
export async function textOf(name: string): Promise<string> {
  const bytes = await bytesOf(name);
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return new TextDecoder().decode(bytes);
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
}

/**
 * Shuffles the rows by `seed` and holds `rows` of them back: the last of them, or with `fold` 1, 2, … those before, so
 * that folds share no row.
 */
export function holdBack(
  { x, y }: Table,
  rows: number,
  { fold = 0, seed = 0 } = {},
): { training: Table; heldBack: Table } {
  const order = randomState(seed).permutation(y.length);
  const width = x.length / y.length;
  const take = (picked: Int32Array): Table => {
    const table = { x: new Float32Array(picked.length * width), y: picked.map((row) => y[row] as number) };
    picked.forEach((row, i) => {
      table.x.set(x.subarray(row * width, (row + 1) * width), i * width);
    });
    return table;
  };
  const end = y.length - fold * rows;
  const training = [...order.subarray(0, end - rows), ...order.subarray(end)];
  return { training: take(Int32Array.from(training)), heldBack: take(order.subarray(end - rows, end)) };
}

export interface Columns {
  mean: Float64Array;
  deviation: Float64Array;
}

/** Mean and standard deviation of each column. */
export function columnsOf({ x, y }: Table): Columns {
  const width = x.length / y.length;
  const [mean, variance] = [new Float64Array(width), new Float64Array(width)];
  x.forEach((value, i) => {
    mean[i % width] = (mean[i % width] as number) + value / y.length;
  });
  x.forEach((value, i) => {
    variance[i % width] = (variance[i % width] as number) + (value - (mean[i % width] as number)) ** 2 / y.length;
  });
  return { mean, deviation: variance.map(Math.sqrt) };
}

/** Shifts and scales each column: over the rows that `mean` and `deviation` are of, it then has mean 0 and deviation 1. */
export function standardised({ x, y }: Table, { mean, deviation }: Columns): Table {
  const column = (i: number) => i % mean.length;
  return { x: x.map((value, i) => (value - (mean[column(i)] as number)) / (deviation[column(i)] as number)), y };
}
