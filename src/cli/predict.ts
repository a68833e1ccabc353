import { readFile, writeFile } from "node:fs/promises";
import Papa from "papaparse";
import { applyCsv, type CsvDescription } from "../files/csv";
import { eachRow } from "../files/csv-parse";
import { safetensorsMetadata } from "../index";
import { openDevice } from "./device";
import { UsageError } from "./fail";
import { bestOf } from "./figures";
import { type Network, networkModel, networkTrainer, restored } from "./network";

export interface PredictOptions {
  model: string;
  file: string;
  /** Where to; stdout where left out. */
  out: string | null;
  device: "cpu" | "webgpu";
  write(text: string): void;
  say(line: string): void;
}

/** The rows of a file with what a network of `train` makes of them: a column "predicted", and for classes one with each probability. */
export async function predict({ model: path, file, out, device: backend, write, say }: PredictOptions): Promise<void> {
  const weights = new Uint8Array(await readFile(path));
  const { csv, network: text } = safetensorsMetadata(weights);
  if (csv === undefined || text === undefined)
    throw new UsageError(`${path} has no description of its table; wgrad train writes files that have.`);
  const description = JSON.parse(csv) as CsvDescription;
  const network = JSON.parse(text) as Network;
  const table = await readFile(file, "utf8");
  const { x, columns, droppedRows, filled } = applyCsv(description, table, { target: false });
  for (const { column, count, value } of filled) say(`filled: ${count} missing in ${column} with ${value}`);

  const device = await openDevice(backend);
  try {
    const model = networkModel(network, description, columns.length, null);
    const net = await networkTrainer(device, model, network, 0.01, 32);
    net.load(weights);
    const predicted = await net.predict(x);
    const result = joined(
      table,
      description,
      answers(predicted, description, network),
      new Set(droppedRows.map(({ row }) => row)),
    );
    for (const { row, why } of droppedRows) say(`row ${row} has no prediction: ${why}`);
    if (out === null) write(result);
    else await writeFile(out, result);
  } finally {
    device.close();
  }
}

interface Answers {
  names: string[];
  rows: (string | number)[][];
}

function answers(predicted: Float32Array, { target }: CsvDescription, network: Network): Answers {
  if (target?.kind !== "classes") {
    return { names: ["predicted"], rows: Array.from(predicted, (value) => [Math.fround(restored(value, network))]) };
  }
  const { classes } = target;
  const rows = bestOf(predicted, classes.length).map((best, row) => [
    classes[best] as string,
    ...predicted.subarray(row * classes.length, (row + 1) * classes.length),
  ]);
  return { names: ["predicted", ...classes.map((name) => `p(${name})`)], rows };
}

/** The rows as they were, each with its answer; of those that were left out it is empty. */
function joined(
  text: string,
  { header, delimiter, decimal }: CsvDescription,
  { names, rows }: Answers,
  left: ReadonlySet<number>,
): string {
  const lines: string[][] = [];
  let next = 0;
  // As many digits as float32 has, and the decimal sign of the file.
  const cell = (value: string | number) =>
    typeof value === "string" ? value : String(Number(value.toPrecision(7))).replace(".", decimal ?? ".");
  eachRow(text, delimiter, (fields, row) => {
    if (header && lines.length === 0) lines.push([...fields, ...names]);
    else lines.push([...fields, ...(left.has(row) ? names.map(() => "") : (rows[next++] ?? []).map(cell))]);
  });
  return `${Papa.unparse(lines, { delimiter, newline: "\n" })}\n`;
}
