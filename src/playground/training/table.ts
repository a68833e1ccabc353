import type { Table } from "./data-set";

/** What a dropped file looks like, before its columns are chosen. */
export interface TableFacts {
  /** Whether row 1 names the columns. */
  header: boolean;
  columns: string[];
  /** The first rows of data. */
  preview: string[][];
  /** By column, whether every field of the preview is a number. */
  numeric: boolean[];
  rows: number;
}

export interface TableChoice {
  header: boolean;
  label: number;
  features: number[];
  leaveOutBad: boolean;
}

/** A row that cannot be used, counted from 1 as a spreadsheet shows it. */
export interface BadRow {
  row: number;
  what: string;
}

export interface ReadTable {
  table: Table | null;
  /** The first few of them, and how many in all. */
  bad: BadRow[];
  badRows: number;
}

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const MOST_NAMED = 8;
const MOST_CLASSES = 20;

export async function inspectTable(text: string): Promise<TableFacts> {
  const rows = (await parse(text)).filter((row) => !isEmpty(row));
  const [first = [], ...rest] = rows;
  if (first.length < 2) throw new Error("The file has fewer than two columns separated by commas, semicolons or tabs.");
  const header = !first.some((field) => NUMBER.test(field));
  const preview = (header ? rest : rows).slice(0, 5);
  if (preview.length === 0) throw new Error("The file has a header and no rows below it.");
  return {
    header,
    columns: namesOf(first, header),
    preview,
    numeric: first.map((_, column) => preview.every((row) => NUMBER.test(row[column] ?? ""))),
    rows: rows.length - (header ? 1 : 0),
  };
}

/** Checks every row, then reads those that are good; where there are bad ones and they are not to be left out, none. */
export async function readTable(text: string, choice: TableChoice): Promise<ReadTable> {
  const { header, label, features, leaveOutBad } = choice;
  const rows = await parse(text);
  const top = rows.findIndex((row) => !isEmpty(row));
  const first = rows[top] ?? [];
  const columns = namesOf(first, header);
  const bad: BadRow[] = [];
  const good: string[][] = [];
  let badRows = 0;
  for (let at = top + (header ? 1 : 0); at < rows.length; at++) {
    const fields = rows[at] as string[];
    if (isEmpty(fields)) continue;
    const what = fault(fields, first.length, columns, choice);
    if (what === null) good.push([...features.map((column) => fields[column] as string), fields[label] as string]);
    else if (badRows++ < MOST_NAMED) bad.push({ row: at + 1, what });
  }
  if (badRows > 0 && !leaveOutBad) return { table: null, bad, badRows };
  const classes = [...new Set(good.map((fields) => fields[features.length] as string))];
  if (classes.length < 2 || classes.length > MOST_CLASSES) {
    throw new Error(
      `The column "${columns[label]}" has ${classes.length} different values; as classes there must be 2 to ${MOST_CLASSES}. Choose another column.`,
    );
  }
  if (good.length < 10) throw new Error(`Only ${good.length} rows can be used; at least 10 are needed.`);
  const [{ readCsv }, { default: Papa }] = await Promise.all([import("../../files/csv"), import("papaparse")]);
  const read = readCsv(Papa.unparse(good), { header: false, label: -1 });
  return {
    table: {
      x: read.x,
      y: read.y,
      columns: features.map((column) => columns[column] as string),
      classes: read.classes,
    },
    bad,
    badRows,
  };
}

async function parse(text: string): Promise<string[][]> {
  const { default: Papa } = await import("papaparse");
  const { data } = Papa.parse<string[]>(text.replace(/^\uFEFF/, ""));
  if (data.every(isEmpty)) throw new Error("The file is empty.");
  return data.map((row) => row.map((field) => field.trim()));
}

/** A line without fields, which stays in its place so that rows are counted as a spreadsheet does. */
function isEmpty(row: readonly string[]): boolean {
  return row.every((field) => field.trim() === "");
}

function namesOf(first: readonly string[], header: boolean): string[] {
  return first.map((field, column) => (header && field !== "" ? field : `column ${column + 1}`));
}

function fault(
  fields: readonly string[],
  width: number,
  columns: readonly string[],
  { label, features }: TableChoice,
): string | null {
  if (fields.length !== width) return `has ${fields.length} fields where row 1 has ${width}`;
  for (const column of features) {
    const field = fields[column] as string;
    if (field === "") return `"${columns[column]}" is empty`;
    if (!NUMBER.test(field) || !Number.isFinite(Math.fround(Number(field)))) {
      return `"${columns[column]}" is "${field.slice(0, 24)}", not a number`;
    }
  }
  return fields[label] === "" ? `"${columns[label]}" is empty` : null;
}
