import { checkChoice, checkFlag, checkOptions, shown } from "../util/checks";
import { FormatError } from "../util/errors";
import { type Column, delimiterHint, findColumns, isNumber, type Place } from "./csv-columns";
import { type CsvDescription, MISSING, type Missing } from "./csv-description";
import { Decimals, Gathered, type Slot } from "./csv-fields";
import { assemble, type DroppedRow, describe, dropMissing, type LeftOut } from "./csv-learn";
import { checkWidth, eachRow, guessedDelimiter } from "./csv-parse";
import { quoted } from "./json";

export { type ApplyCsvOptions, applyCsv, type CsvApplied, type CsvRow } from "./csv-apply";
export type { Column } from "./csv-columns";
export type {
  CategoryFeature,
  CsvDescription,
  DescribedColumn,
  Feature,
  Missing,
  NumberFeature,
} from "./csv-description";
export type { DroppedRow, FilledColumn, IgnoredColumn, LeftOut } from "./csv-learn";
export { type CsvPeek, type PeekCsvOptions, peekCsv } from "./csv-peek";

/** How a table is read, whatever is to be predicted from it. */
export interface CsvOptions {
  /**
   * Whether row 1 names the columns; or their names, where the file has none. Left out: it does where a column is chosen by name, and
   * where none of its fields is a number.
   */
  header?: boolean | readonly string[];
  /** The columns of x, in this order; left out: all but those of y. */
  features?: readonly Column[];
  /** Columns that are left out of x: names, identifiers. Instead of `features`. */
  ignore?: readonly Column[];
  /** The character between fields. Left out: ";" where that parts the first line, else ",". */
  delimiter?: string;
  /** The sign before decimals. Left out: "."; where ";" is between the fields, that of the first number that has one. */
  decimal?: "." | ",";
  /**
   * What becomes of a missing field: "refuse" (the default) is a FormatError; "drop" leaves its row out; "mean" and "mostFrequent" put that of
   * its column there, over the rows that are kept ("mean" of text is the most frequent; of several as frequent the first in order). A row
   * whose target is missing is left out by all but "refuse".
   */
  missing?: Missing;
  /** What counts as missing, besides a field that is empty; default, unless missing fields are refused, NA, N/A, NaN, nan, null, NULL and "?". */
  missingValues?: readonly string[];
  /**
   * What becomes of a row that does not read: one of another length than the first, or with a field that is no number where one must be.
   * "refuse" (the default) is a FormatError; "drop" leaves the row out, and droppedRows says why.
   */
  unreadable?: "refuse" | "drop";
  /**
   * Columns of text that become columns of 0 and 1, one for each different text, "colour=red"; true for all whose first field is no number.
   * A column of more than 50 texts that is not named here is left out, and reported. Default false: text is refused.
   */
  oneHot?: boolean | readonly Column[];
}

/** How a table is read whose rows each belong to a class. */
export interface CsvLabelOptions extends CsvOptions {
  /** The column whose text names the class of a row. */
  label: Column;
  /** The classes in the order of their indices, as a training set gave them; a label that is none of them is refused. */
  classes?: readonly string[];
}

/** How a table is read whose rows each have numbers to be predicted. */
export interface CsvTargetOptions extends CsvOptions {
  /** The columns of numbers to be predicted, in this order. */
  targets: readonly Column[];
}

/** Columns without a header are named "column 1" and so on. */
export interface CsvFeatures extends LeftOut {
  /** [rows, columns.length], row-major. */
  x: Float32Array;
  rows: number;
  /** Names of the columns of x. */
  columns: string[];
  /** What applies to later rows: see `applyCsv`. */
  description: CsvDescription;
}

/** A table whose rows each belong to a class. */
export interface CsvClasses extends CsvFeatures {
  /** [rows], each an index into `classes`. */
  y: Int32Array;
  /** In order of their numbers where all are numbers, else of their code points. */
  classes: string[];
}

/** A table whose rows each have numbers to be predicted. */
export interface CsvTargets extends CsvFeatures {
  /** [rows, targets.length], row-major. */
  y: Float32Array;
  /** Names of the columns of y. */
  targets: string[];
}

/**
 * Reads a table to a data set. With `label`, y are classes; with `targets`, numbers; with neither there is only x. Fields may be
 * quoted; spaces around a field are dropped, empty lines and a byte order mark passed over. A column is chosen by its name or by
 * its place: 0 is the first, -1 the last. Rows and columns that were left out are in the result, with the reason.
 *
 *     const { x, y, classes, description } = readCsv(text, { label: "species", missing: "mean", oneHot: true });
 *     const file = await net.save({ metadata: { csv: JSON.stringify(description) } });
 *     // later, elsewhere
 *     const { csv } = net.load(file);
 *     const { x } = applyCsv(JSON.parse(csv), [{ island: "Biscoe", mass: 4200 }]);
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
export function readCsv(text: string, options: AllOptions = {}): CsvFeatures | CsvClasses | CsvTargets {
  checkArguments(text, options);
  const { delimiter = guessedDelimiter(text), missing = "refuse", unreadable = "refuse" } = options;
  const unread: DroppedRow[] = [];
  const missingValues = ["", ...(options.missingValues ?? (missing === "refuse" ? [] : MISSING_VALUES))];
  const decimals = new Decimals(options.decimal ?? (delimiter === ";" ? null : "."));
  const gathering = { delimiter, decimals, missing, missingValues: new Set(missingValues) };
  let table: { gathered: Gathered; header: boolean; width: number; first: readonly string[]; row: number } | null =
    null;
  eachRow(text, delimiter, (fields, row) => {
    if (table === null) {
      const { slots, header } = slotsOf(fields, delimiter, options);
      table = { gathered: new Gathered(slots, gathering), header, width: fields.length, first: fields, row };
      if (header) return;
    }
    const unsaid = row === table.row && options.header === undefined;
    const hint = unsaid ? " Where row 1 names the columns, give header: true." : "";
    const { gathered, first, row: firstRow } = table;
    const take = () => {
      checkWidth(fields, row, first, firstRow, delimiter);
      gathered.add(({ place }) => fields[place.at], row, hint);
    };
    if (unreadable === "drop") {
      const why = refusal(take);
      if (why !== null) unread.push({ row, why: why.replace(/^csv: row \d+,? /, "") });
    } else take();
  });
  const read = table as { gathered: Gathered; header: boolean; width: number } | null;
  if (read === null || read.gathered.rows.length === 0) {
    const [first] = unread;
    const none = first ? `, of the ${unread.length} none reads; row ${first.row} ${first.why}` : "; there must be one.";
    throw new FormatError(`csv: there are no rows of data${read === null ? "" : " after the header"}${none}`);
  }
  const { gathered, header, width } = read;
  const incomplete = missing === "refuse" ? [] : dropMissing(gathered, missing === "drop");
  const droppedRows = [...unread, ...incomplete].sort((a, b) => a.row - b.row);
  const learnt = { delimiter, decimal: decimals.sign, header, width, missing, missingValues };
  const { description, ignoredColumns } = describe(gathered, learnt, options.classes ?? null);
  const slotAt = new Map(gathered.slots.map(({ place }, i) => [place.at, i]));
  const places = description.features.map(({ at }) => slotAt.get(at) as number);
  const targets = gathered.slots.flatMap(({ role }, i) => (role === "feature" ? [] : [i]));
  const { y, ...found } = assemble(gathered, description, places, targets);
  const features = { ...found, droppedRows, ignoredColumns, description };
  const { target } = description;
  if (y instanceof Int32Array && target?.kind === "classes") return { ...features, y, classes: target.classes };
  if (y instanceof Float32Array && target?.kind === "numbers")
    return { ...features, y, targets: target.columns.map(({ name }) => name) };
  return features;
}

/** What a FormatError says; null where there is none. */
function refusal(take: () => void): string | null {
  try {
    take();
    return null;
  } catch (error) {
    if (error instanceof FormatError) return error.message;
    throw error;
  }
}

type AllOptions = CsvOptions & Partial<CsvLabelOptions & CsvTargetOptions>;
const MISSING_VALUES = ["NA", "N/A", "NaN", "nan", "null", "NULL", "?"];

/** The columns that are read, those of x first, and whether the first row names them. */
function slotsOf(first: readonly string[], delimiter: string, options: AllOptions): { slots: Slot[]; header: boolean } {
  const { label, targets, features, ignore = [], classes, oneHot = false } = options;
  const named = Array.isArray(options.header) ? (options.header as readonly string[]) : null;
  if (named !== null && named.length !== first.length) {
    throw new FormatError(
      `csv: row 1 has ${first.length} fields, and header names ${named.length} columns; there must be a name for each.`,
    );
  }
  const texts = Array.isArray(oneHot) ? (oneHot as readonly Column[]) : [];
  const chosen = [
    ...(label === undefined ? [] : [label]),
    ...(targets ?? []),
    ...(features ?? []),
    ...ignore,
    ...texts,
  ];
  const header =
    named === null &&
    ((options.header as boolean | undefined) ??
      (chosen.some((column) => typeof column === "string") || !first.some((field) => isNumber(field, delimiter))));
  const names = header ? first : named;
  const find = (columns: readonly Column[]): Place[] => findColumns(columns, first, names, delimiter);

  const labelPlace = label === undefined ? [] : find([label]);
  const targetPlaces = find(targets ?? []);
  const taken = new Set([...labelPlace, ...targetPlaces].map(({ at }) => at));
  const ignored = new Set(find(ignore).map(({ at }) => at));
  const rest = first.map((_, at) => at).filter((at) => !taken.has(at) && !ignored.has(at));
  const featurePlaces = find(features ?? rest);
  if (featurePlaces.length === 0) {
    throw new FormatError(
      `csv: none of the ${first.length} columns is left for x; at least one must be${delimiterHint(first, delimiter)}.`,
    );
  }
  const both = featurePlaces.find(({ at }) => taken.has(at));
  if (both !== undefined)
    throw new FormatError(`csv: ${both.shown} is chosen for x and for y; it must be one of them.`);
  const asText = new Set(find(texts).map(({ at }) => at));
  const lost = find(texts).find(({ at }) => !featurePlaces.some((place) => place.at === at));
  if (lost !== undefined)
    throw new FormatError(`csv: ${lost.shown} is given in oneHot, and is none of the columns of x.`);

  const slot = (place: Place, role: Slot["role"], kind: Slot["kind"], known: readonly string[] | null = null): Slot => {
    const categories = new Map(known?.map((name, index) => [name, index]));
    return { place, role, kind, categories, known: known !== null, meant: role === "label" || asText.has(place.at) };
  };
  const slots = [
    ...featurePlaces.map((place) =>
      slot(place, "feature", asText.has(place.at) ? "categories" : oneHot === true ? null : "number"),
    ),
    ...labelPlace.map((place) => slot(place, "label", "categories", classes ?? null)),
    ...targetPlaces.map((place) => slot(place, "number", "number")),
  ];
  return { slots, header };
}

const OPTIONS = [
  "header",
  "features",
  "ignore",
  "delimiter",
  "decimal",
  "missing",
  "missingValues",
  "unreadable",
  "oneHot",
  "label",
  "classes",
  "targets",
];

function checkArguments(text: string, options: AllOptions): void {
  if (typeof text !== "string") {
    throw new TypeError(
      `readCsv: the file must be a string, not ${shown(text)}; of bytes, give new TextDecoder().decode(bytes).`,
    );
  }
  checkOptions("readCsv", options, OPTIONS);
  const {
    label,
    targets,
    features,
    ignore,
    classes,
    header,
    delimiter = ",",
    decimal,
    missing,
    missingValues,
    unreadable,
    oneHot,
  } = options;
  for (const [name, list] of Object.entries({ targets, features, ignore, classes, missingValues })) {
    if (list !== undefined && !Array.isArray(list)) {
      throw new TypeError(`readCsv: ${name} is ${shown(list)}; it must be an array.`);
    }
  }
  for (const [name, list] of Object.entries({ header, classes, missingValues })) {
    if (!Array.isArray(list)) continue;
    const fits = list.every((text) => typeof text === "string") && new Set(list).size === list.length;
    if (!fits)
      throw new TypeError(`readCsv: ${name} are ${quoted(list)}; they must be texts, and each must stand once.`);
  }
  if (header !== undefined && !Array.isArray(header)) checkFlag("readCsv", "header", header as boolean);
  if (oneHot !== undefined && !Array.isArray(oneHot)) checkFlag("readCsv", "oneHot", oneHot as boolean);
  if (missing !== undefined) checkChoice("readCsv", "missing", missing, MISSING);
  if (unreadable !== undefined) checkChoice("readCsv", "unreadable", unreadable, ["refuse", "drop"]);
  if (decimal !== undefined) checkChoice("readCsv", "decimal", decimal, [".", ","]);
  if (label !== undefined && targets !== undefined) {
    throw new TypeError("readCsv: both label and targets are given; y is one or the other.");
  }
  if (features !== undefined && ignore !== undefined) {
    throw new TypeError("readCsv: both features and ignore are given; the columns of x are said by one or the other.");
  }
  if (classes !== undefined && label === undefined) {
    throw new TypeError("readCsv: classes are given, and no label; they are those of the column that label chooses.");
  }
  if (targets?.length === 0 || features?.length === 0) {
    throw new TypeError("readCsv: targets and features must have a column each where they are given.");
  }
  const texts = Array.isArray(oneHot) ? (oneHot as readonly Column[]) : [];
  const columns = [
    ...(label === undefined ? [] : [label]),
    ...(targets ?? []),
    ...(features ?? []),
    ...(ignore ?? []),
    ...texts,
  ];
  for (const column of columns) {
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
