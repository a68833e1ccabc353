import type { CsvPeek, CsvTargets, LeftOut } from "../../files/csv";
import type { Table } from "./data-set";

/** How a person wants a file read: what is left to guess is null. */
export interface TableChoice {
  header: boolean | null;
  delimiter: string | null;
  decimal: "." | "," | null;
  missing: "refuse" | "drop" | "mean" | "mostFrequent";
  /** What counts as missing besides an empty field; null for what usually does. */
  missingValues: string[] | null;
  unreadable: "refuse" | "drop";
  /** Columns by their places. */
  features: number[];
  /** Those of them that become a column of 0 and 1 for each of their texts. */
  oneHot: number[];
  label: number;
  /** Whether the label is a number to be predicted, not the name of a class. */
  numbers: boolean;
}

export interface ReadTable {
  table: Table;
  leftOut: LeftOut;
}

const MOST_CLASSES = 20;
const LEAST_ROWS = 10;
/** What a page has memory for. */
const MOST_FIELDS = 3e6;
/** A dialog shows them all, and a network has an input for each. */
const MOST_COLUMNS = 256;

/** The beginning of a file, before its columns are chosen. Throws FormatError, and Error for what is too large for a page. */
export async function peekTable(text: string, choice: Pick<TableChoice, "header" | "delimiter">): Promise<CsvPeek> {
  const { peekCsv } = await import("../../files/csv");
  const { header, delimiter } = choice;
  const peek = peekCsv(text, { ...(header !== null && { header }), ...(delimiter !== null && { delimiter }) });
  const columns = peek.columns.length;
  if (columns > MOST_COLUMNS) {
    throw new Error(
      `Row 1 has ${columns.toLocaleString("en")} columns; at most ${MOST_COLUMNS} can be used here. Leave some out of the file.`,
    );
  }
  let lines = 1;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) lines++;
  if (lines * columns > MOST_FIELDS) {
    const most = Math.floor(MOST_FIELDS / columns).toLocaleString("en");
    throw new Error(
      `The file has more than ${MOST_FIELDS / 1e6} million fields, which is what can be used here: ${most} rows of ${columns} columns. Take a part of its rows or columns.`,
    );
  }
  if (columns < 2) {
    throw new Error(
      "The file has one column, where there must be two: one to learn from, one to tell. Is another character between its columns? Choose it above.",
    );
  }
  return peek;
}

/** The table as numbers, and what was left out of it. Throws FormatError, and Error for what nothing can be learned from. */
export async function readTable(text: string, choice: TableChoice): Promise<ReadTable> {
  const { readCsv } = await import("../../files/csv");
  const { header, delimiter, decimal, missing, missingValues, unreadable, oneHot, features, label, numbers } = choice;
  const options = {
    ...(header !== null && { header }),
    ...(delimiter !== null && { delimiter }),
    ...(decimal !== null && { decimal }),
    ...(missingValues !== null && { missingValues }),
    missing,
    unreadable,
    oneHot,
    features,
  };
  if (numbers) {
    const read = readCsv(text, { ...options, targets: [label] });
    checkNumbers(read);
    const { x, y, columns, description, ...leftOut } = read;
    const table = { x, y, columns, classes: [], target: read.targets[0] ?? "", description };
    return checked({ table, leftOut });
  }
  const { x, y, columns, classes, description, ...leftOut } = readCsv(text, { ...options, label });
  if (classes.length < 2 || classes.length > MOST_CLASSES) {
    const all = classes.length > 2 && classes.every((name) => Number.isFinite(Number(name.replace(",", "."))));
    throw new Error(
      `What is to be told has ${classes.length} different values; as classes there must be 2 to ${MOST_CLASSES}. ` +
        (all ? "Learn it as numbers, or choose another column." : "Choose another column."),
    );
  }
  return checked({ table: { x, y, columns, classes, target: null, description }, leftOut });
}

function checkNumbers({ y, targets }: CsvTargets): void {
  if (!y.every((value) => value === y[0])) return;
  throw new Error(
    `The column "${targets[0]}" is ${y[0]} in every row: there is nothing to predict. Choose another column.`,
  );
}

function checked(read: ReadTable): ReadTable {
  const { y, columns } = read.table;
  if (y.length < LEAST_ROWS) throw new Error(`Only ${y.length} rows can be used; at least ${LEAST_ROWS} are needed.`);
  if (columns.length > MOST_COLUMNS) {
    throw new Error(
      `Its texts make ${columns.length.toLocaleString("en")} columns; at most ${MOST_COLUMNS} can be used here. Untick a column of many texts.`,
    );
  }
  return read;
}
