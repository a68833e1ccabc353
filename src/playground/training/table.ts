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
  /** By column, whether it has few enough different values to be classes. */
  few: boolean[];
  rows: number;
}

export interface TableChoice {
  header: boolean;
  label: number;
  /** Whether the label is a number to be predicted, not the name of a class. */
  numbers: boolean;
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
/** What a page has memory for: a field is a string of its own while the file is read. */
const MOST_FIELDS = 3e6;
/** A dialog shows them all, and a network has an input for each. */
const MOST_COLUMNS = 256;
const NAME_LENGTH = 60;

export async function inspectTable(text: string): Promise<TableFacts> {
  const rows = (await parse(text)).filter((row) => !isEmpty(row));
  const [first = [], ...rest] = rows;
  if (first.length < 2) throw new Error("The file has fewer than two columns separated by commas, semicolons or tabs.");
  const header = !first.some((field) => NUMBER.test(field));
  const data = header ? rest : rows;
  const preview = data.slice(0, 5);
  if (preview.length === 0) throw new Error("The file has a header and no rows below it.");
  return {
    header,
    columns: namesOf(first, header),
    preview,
    numeric: first.map((_, column) => preview.every((row) => NUMBER.test(row[column] ?? ""))),
    few: first.map((_, column) => hasFew(data, column)),
    rows: data.length,
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
  if (good.length < 10) throw new Error(`Only ${good.length} rows can be used; at least 10 are needed.`);
  const names = features.map((column) => columns[column] as string);
  const table = await (choice.numbers ? numbersOf(good, columns[label] ?? "") : classesOf(good, columns[label] ?? ""));
  return { table: { ...table, columns: names }, bad, badRows };
}

/** The last column as numbers to be predicted. */
async function numbersOf(rows: string[][], name: string): Promise<Omit<Table, "columns">> {
  const { readCsv, asText } = await reading();
  const { x, y } = readCsv(asText(rows), { header: false, targets: [-1] });
  if (y.every((value) => value === y[0])) {
    throw new Error(
      `The column "${name}" is ${y[0]} in every row: there is nothing to predict. Choose another column.`,
    );
  }
  return { x, y, classes: [], target: name };
}

/** The last column as the names of classes. */
async function classesOf(rows: string[][], name: string): Promise<Omit<Table, "columns">> {
  const values = new Set(rows.map((fields) => fields[fields.length - 1] as string));
  if (values.size < 2 || values.size > MOST_CLASSES) {
    const numbers = values.size > 2 && [...values].every((value) => NUMBER.test(value));
    throw new Error(
      `The column "${name}" has ${values.size} different values; as classes there must be 2 to ${MOST_CLASSES}. ` +
        (numbers ? "Learn it as numbers, or choose another column." : "Choose another column."),
    );
  }
  const { readCsv, asText } = await reading();
  const { x, y, classes } = readCsv(asText(rows), { header: false, label: -1 });
  return { x, y, classes, target: null };
}

async function reading() {
  const [{ readCsv }, { default: Papa }] = await Promise.all([import("../../files/csv"), import("papaparse")]);
  return { readCsv, asText: (rows: string[][]) => Papa.unparse(rows) };
}

async function parse(text: string): Promise<string[][]> {
  const { default: Papa } = await import("papaparse");
  const rows: string[][] = [];
  let fields = 0;
  let refused = "";
  Papa.parse<string[]>(text.replace(/^\uFEFF/, ""), {
    step({ data }, parser) {
      rows.push(data.map((field) => field.trim()));
      fields += data.length;
      if (data.length > MOST_COLUMNS) {
        refused = `Row ${rows.length} has ${data.length.toLocaleString("en")} columns; at most ${MOST_COLUMNS} can be used here.`;
      } else if (fields > MOST_FIELDS) {
        refused = `The file has more than ${MOST_FIELDS / 1e6} million fields, which is what can be used here: the first ${rows.length.toLocaleString("en")} rows. Take a part of its rows or columns.`;
      }
      if (refused) parser.abort();
    },
  });
  if (refused) throw new Error(refused);
  if (rows.every(isEmpty)) throw new Error("The file is empty.");
  return rows;
}

/** A line without fields, which stays in its place so that rows are counted as a spreadsheet does. */
function isEmpty(row: readonly string[]): boolean {
  return row.every((field) => field.trim() === "");
}

function hasFew(rows: readonly string[][], column: number): boolean {
  const seen = new Set<string>();
  for (const row of rows) {
    seen.add(row[column] ?? "");
    if (seen.size > MOST_CLASSES) return false;
  }
  return true;
}

function namesOf(first: readonly string[], header: boolean): string[] {
  return first.map((field, column) => (header && field !== "" ? shortened(field) : `column ${column + 1}`));
}

function shortened(name: string): string {
  return name.length > NAME_LENGTH ? `${name.slice(0, NAME_LENGTH)}…` : name;
}

function fault(
  fields: readonly string[],
  width: number,
  columns: readonly string[],
  { label, numbers, features }: TableChoice,
): string | null {
  if (fields.length !== width) return `has ${fields.length} fields where row 1 has ${width}`;
  for (const column of numbers ? [...features, label] : features) {
    const field = fields[column] as string;
    if (field === "") return `"${columns[column]}" is empty`;
    if (!NUMBER.test(field) || !Number.isFinite(Math.fround(Number(field)))) {
      return `"${columns[column]}" is "${field.slice(0, 24)}", not a number`;
    }
  }
  return fields[label] === "" ? `"${columns[label]}" is empty` : null;
}
