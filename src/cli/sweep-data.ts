import { createHash } from "node:crypto";
import { readFile, realpath } from "node:fs/promises";
import { isAbsolute, join, relative, resolve, sep } from "node:path";
import { splitDataset, standardize } from "../index";
import type { SweepData } from "../sweep/index";
import { checkInteger, checkNames, type Json, told } from "../sweep/json";
import { NoData } from "../sweep/queue";
import { readTable, type TableOptions, type TrainingTable } from "./table";

/** What a sweep's file, and a queue's entry, say of the table that is trained on. */
export interface TableReference {
  /** Below the folder of the data. */
  readonly file: string;
  /** SHA-256 of it: another machine's is to be the same. */
  readonly sha256?: string;
  readonly table: TableOptions;
  /** Share of the rows that trials are judged by. */
  readonly heldBack: number;
  /** Of what is held back: the same for all trials. */
  readonly seed: number;
}

export interface SweepTable extends SweepData {
  readonly table: TrainingTable;
  readonly rows: number;
  readonly outputs: number;
}

const NAMES = [
  ...["file", "sha256", "target", "as", "heldBack", "seed"],
  ...["missing", "text", "ignore", "delimiter", "decimal", "header"],
];

/** Checks what somebody wrote. Throws TypeError or RangeError with the path. */
export function checkReference(path: string, given: Json | undefined): TableReference {
  const all = checkNames(path, given, NAMES);
  const { file, sha256, target, as, heldBack = 0.2, missing, text = true, ignore, delimiter, decimal, header } = all;
  const refuse = (name: string, right: string): never => {
    throw new TypeError(`${path}.${name} is ${told(all[name])}; it must be ${right}.`);
  };
  const isColumn = (value: Json | undefined) =>
    typeof value === "string" || (typeof value === "number" && Number.isInteger(value));
  const areColumns = (value: Json | undefined) => Array.isArray(value) && value.every(isColumn);
  if (typeof file !== "string" || file === "") refuse("file", "the path of a CSV file, below the folder of the data");
  if (isOutside(file as string)) refuse("file", "below the folder of the data: neither absolute nor with ..");
  if (sha256 !== undefined && !(typeof sha256 === "string" && /^[0-9a-f]{64}$/.test(sha256)))
    refuse("sha256", "64 hexadecimal digits");
  if (!isColumn(target)) refuse("target", "the column to predict: its name, or its number from 0, -1 being the last");
  if (as !== undefined && as !== "classes" && as !== "numbers") refuse("as", '"classes" or "numbers"');
  if (!(typeof heldBack === "number" && heldBack >= 0 && heldBack < 1)) refuse("heldBack", "at least 0 and below 1");
  if (missing !== undefined && !["refuse", "drop", "mean", "mostFrequent"].includes(missing as string))
    refuse("missing", '"refuse", "drop", "mean" or "mostFrequent"');
  if (typeof text !== "boolean" && !areColumns(text)) refuse("text", "true, or an array of columns");
  if (ignore !== undefined && !areColumns(ignore)) refuse("ignore", "an array of columns");
  if (delimiter !== undefined && !(typeof delimiter === "string" && delimiter.length === 1))
    refuse("delimiter", "one character");
  if (decimal !== undefined && decimal !== "." && decimal !== ",") refuse("decimal", '"." or ","');
  if (header !== undefined && typeof header !== "boolean") refuse("header", "true or false");
  const table = { target, as, missing, oneHot: text, ignore, delimiter, decimal, header };
  const given_ = Object.fromEntries(Object.entries(table).filter(([, value]) => value !== undefined));
  return {
    file: file as string,
    ...(sha256 !== undefined && { sha256: sha256 as string }),
    table: given_ as unknown as TableOptions,
    heldBack: heldBack as number,
    seed: checkInteger(`${path}.seed`, all.seed ?? 0, 0, 0xffffffff),
  };
}

function isOutside(file: string): boolean {
  return isAbsolute(file) || /^[A-Za-z]:/.test(file) || file.split(/[\\/]/).includes("..") || file.includes("\0");
}

/** SHA-256 of a table below `folder`, and its text. Throws NoData where it is not there, TypeError where a link leads out of the folder. */
export async function readReference(folder: string, { file, sha256 }: TableReference) {
  const path = join(folder, file);
  let text: string;
  try {
    const [root, real] = await Promise.all([realpath(resolve(folder)), realpath(path)]);
    const inside = relative(root, real);
    if (inside.split(sep)[0] === ".." || isAbsolute(inside))
      throw new TypeError(`data.file: ${file} leads out of the folder of the data; put the file itself there.`);
    text = await readFile(real, "utf8");
  } catch (error) {
    if (error instanceof TypeError) throw error;
    throw new NoData(`there is no ${path} here; copy it there, or say by --data in which folder it is.`);
  }
  const hash = createHash("sha256").update(text).digest("hex");
  if (sha256 !== undefined && sha256 !== hash)
    throw new NoData(`${path} is not the file that the sweep was begun with; copy that one there.`);
  return { text, hash };
}

/** The table, its rows parted, x brought to mean 0 and deviation 1 by the rows that are trained on, and so numbers that are the target. */
export function sweepTable(text: string, { table: options, heldBack, seed }: TableReference): SweepTable {
  const table = readTable(text, options);
  const { x, y, rows, columns, classes } = table;
  const parts =
    heldBack > 0
      ? splitDataset({ x, y }, [1 - heldBack, heldBack], { seed, stratify: classes !== null, rows })
      : [{ x, y }];
  const [training = { x, y }, held = null] = parts;
  const scale = standardize(training.x, columns.length);
  const target = classes ? null : standardize(training.y, 1);
  const scaled = (part: typeof training) => ({ x: scale.apply(part.x), y: target ? target.apply(part.y) : part.y });
  return {
    table,
    data: scaled(training),
    validation: held && scaled(held),
    rows: training.y.length,
    outputs: classes?.length ?? 1,
  };
}
