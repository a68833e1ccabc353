import Papa from "papaparse";
import { checkFlag, checkOptions, shown } from "../util/checks";
import { FormatError } from "../util/errors";
import {
  ClassColumn,
  type Column,
  delimiterHint,
  findColumns,
  isNumber,
  NumberColumns,
  type Place,
} from "./csv-columns";
import { quoted } from "./json";

export type { Column } from "./csv-columns";

export interface CsvOptions {
  /**
   * Whether row 1 names the columns. Left out: it does where a column is chosen by name, and where none of its fields
   * is a number.
   */
  header?: boolean;
  /** The columns of x, in this order; left out: all but those of y. */
  features?: readonly Column[];
  /** The character between fields; default ",". */
  delimiter?: string;
}

export interface CsvLabelOptions extends CsvOptions {
  /** The column whose text names the class of a row. */
  label: Column;
  /** The classes in the order of their indices, as a training set gave them; a label that is none of them is refused. */
  classes?: readonly string[];
}

export interface CsvTargetOptions extends CsvOptions {
  /** The columns of numbers to be predicted, in this order. */
  targets: readonly Column[];
}

/** Columns without a header are named "column 1" and so on. */
export interface CsvFeatures {
  /** [rows, columns.length], row-major. */
  x: Float32Array;
  rows: number;
  /** Names of the columns of x. */
  columns: string[];
}

export interface CsvClasses extends CsvFeatures {
  /** [rows], each an index into `classes`. */
  y: Int32Array;
  /** In order of their numbers where all are numbers, else of their code points. */
  classes: string[];
}

export interface CsvTargets extends CsvFeatures {
  /** [rows, targets.length], row-major. */
  y: Float32Array;
  /** Names of the columns of y. */
  targets: string[];
}

/**
 * Reads a table of numbers to a data set. With `label`, y are classes; with `targets`, numbers; with neither there is
 * only x. Fields may be quoted; spaces around a field are dropped, empty lines and a byte order mark passed over. A
 * column is chosen by its name or by its place: 0 is the first, -1 the last.
 *
 * A number is decimal, as 12, -0.5 or 1e-3, and finite in float32. A field that is missing or no number, a label that
 * is empty, a row of another length than the first and a quote that does not close are refused with a FormatError that
 * names row and column; rows are counted from 1 as a spreadsheet shows them, header and empty lines included. So is a
 * column that the file does not have. Throws TypeError for options that cannot be meant.
 *
 * `text` may be as long as the engine lets a string be (V8: 2^29 characters); rows are turned to numbers as they come.
 * Source: RFC 4180.
 */
export function readCsv(text: string, options: CsvLabelOptions): CsvClasses;
export function readCsv(text: string, options: CsvTargetOptions): CsvTargets;
export function readCsv(text: string, options?: CsvOptions): CsvFeatures;
export function readCsv(
  text: string,
  options: CsvOptions & Partial<CsvLabelOptions & CsvTargetOptions> = {},
): CsvFeatures | CsvClasses | CsvTargets {
  checkArguments(text, options);
  const { delimiter = "," } = options;
  let table: Table | null = null;
  eachRow(text, delimiter, (fields, row) => {
    if (table !== null) return table.add(fields, row);
    table = new Table(fields, row, options);
  });
  const read = table as Table | null;
  if (read === null || read.rows === 0) {
    throw new FormatError(
      `csv: there are no rows of data${read === null ? "" : " after the header"}; there must be one.`,
    );
  }
  const features = { x: read.features.values(), rows: read.rows, columns: read.features.names };
  if (read.label !== null) return { ...features, ...read.label.result() };
  if (read.targets !== null) return { ...features, y: read.targets.values(), targets: read.targets.names };
  return features;
}

class Table {
  rows = 0;
  readonly features: NumberColumns;
  readonly label: ClassColumn | null;
  readonly targets: NumberColumns | null;

  constructor(
    private readonly first: readonly string[],
    private readonly firstRow: number,
    private readonly options: CsvOptions & Partial<CsvLabelOptions & CsvTargetOptions>,
  ) {
    const { label, targets, features, classes, delimiter = "," } = options;
    const chosen = [...(label === undefined ? [] : [label]), ...(targets ?? []), ...(features ?? [])];
    const header = options.header ?? (chosen.some((column) => typeof column === "string") || !first.some(isNumber));
    const find = (columns: readonly Column[]): Place[] => findColumns(columns, first, header, delimiter);

    const labelPlace = label === undefined ? [] : find([label]);
    const targetPlaces = find(targets ?? []);
    const taken = new Set([...labelPlace, ...targetPlaces].map(({ at }) => at));
    const rest = first.map((_, at) => at).filter((at) => !taken.has(at));
    const featurePlaces = find(features ?? rest);
    if (featurePlaces.length === 0) {
      throw new FormatError(
        `csv: none of the ${first.length} columns is left for x; at least one must be${delimiterHint(first, delimiter)}.`,
      );
    }
    const both = featurePlaces.find(({ at }) => taken.has(at));
    if (both !== undefined) {
      throw new FormatError(`csv: ${both.shown} is chosen for x and for y; it must be one of them.`);
    }
    this.features = new NumberColumns(featurePlaces, delimiter);
    this.label = labelPlace[0] === undefined ? null : new ClassColumn(labelPlace[0], classes ?? null);
    this.targets = targets === undefined ? null : new NumberColumns(targetPlaces, delimiter);
    if (!header) {
      const hint = options.header === false ? "" : " Where row 1 names the columns, give header: true.";
      this.add(first, firstRow, hint);
    }
  }

  add(fields: readonly string[], row: number, hint = ""): void {
    const { first, firstRow } = this;
    if (fields.length !== first.length) {
      const hinted = delimiterHint([...first, ...fields], this.options.delimiter ?? ",");
      throw new FormatError(
        `csv: row ${row} has ${fields.length} fields, and row ${firstRow} has ${first.length}; each row must have as many${hinted}.`,
      );
    }
    this.features.add(fields, row, hint);
    this.label?.add(fields, row);
    this.targets?.add(fields, row, hint);
    this.rows++;
  }
}

/** Few enough that little waits in memory; but at most 16 parts, because a quote that stays open is sought in each anew. */
const chunkCharacters = (text: string): number => Math.max(2 ** 22, Math.ceil(text.length / 16));

/** Calls `take` with the trimmed fields of each row that is not empty. */
function eachRow(text: string, delimiter: string, take: (fields: string[], row: number) => void): void {
  let row = 0;
  Papa.parse<string[]>(text.startsWith("\ufeff") ? text.slice(1) : text, {
    delimiter,
    // Not guessed, so that "\r\n" and "\n" may stand in one file; the "\r" is trimmed.
    newline: text.includes("\n") || !text.includes("\r") ? "\n" : "\r",
    chunkSize: chunkCharacters(text),
    step: ({ data, errors }) => {
      row++;
      const [error] = errors;
      if (error !== undefined) {
        throw new FormatError(
          `csv: row ${row}: ${error.message}; a field that begins with a quote must end with one, and a quote in it be written twice${delimiterHint(data, delimiter)}.`,
        );
      }
      const fields = data.map((field) => field.trim());
      if (fields.length === 1 && fields[0] === "") return;
      take(fields, row);
    },
  });
}

function checkArguments(text: string, options: CsvOptions & Partial<CsvLabelOptions & CsvTargetOptions>): void {
  if (typeof text !== "string") {
    throw new TypeError(
      `readCsv: the file must be a string, not ${shown(text)}; of bytes, give new TextDecoder().decode(bytes).`,
    );
  }
  checkOptions("readCsv", options, ["header", "features", "delimiter", "label", "classes", "targets"]);
  const { label, targets, features, classes, header, delimiter = "," } = options;
  for (const [name, list] of Object.entries({ targets, features, classes })) {
    if (list !== undefined && !Array.isArray(list)) {
      throw new TypeError(`readCsv: ${name} is ${shown(list)}; it must be an array.`);
    }
  }
  if (header !== undefined) checkFlag("readCsv", "header", header);
  if (label !== undefined && targets !== undefined) {
    throw new TypeError("readCsv: both label and targets are given; y is one or the other.");
  }
  if (classes !== undefined && label === undefined) {
    throw new TypeError("readCsv: classes are given, and no label; they are those of the column that label chooses.");
  }
  if (classes !== undefined && new Set(classes).size !== classes.length) {
    throw new TypeError(`readCsv: classes are ${quoted(classes)}; each must stand once.`);
  }
  if (targets?.length === 0 || features?.length === 0) {
    throw new TypeError("readCsv: targets and features must have a column each where they are given.");
  }
  for (const column of [...(label === undefined ? [] : [label]), ...(targets ?? []), ...(features ?? [])]) {
    if (typeof column !== "string" && !Number.isSafeInteger(column)) {
      throw new TypeError(`readCsv: a column is given as ${quoted(column)}; it must be a name or an integer.`);
    }
  }
  if (typeof delimiter !== "string" || [...delimiter].length !== 1 || /["\r\n\ufeff]/.test(delimiter)) {
    throw new TypeError(
      `readCsv: delimiter is ${quoted(delimiter)}; it must be one character, and neither a quote nor a line's end.`,
    );
  }
}
