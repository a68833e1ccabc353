import { checkFlag, checkOptions, isRecord, shown } from "../util/checks";
import { FormatError } from "../util/errors";
import { delimiterHint, type Place } from "./csv-columns";
import { type CsvDescription, checkDescription, type DescribedColumn } from "./csv-description";
import { type Cell, Decimals, Gathered, type Slot } from "./csv-fields";
import { type Assembled, assemble, dropMissing } from "./csv-learn";
import { checkWidth, eachRow } from "./csv-parse";
import { quoted } from "./json";

/** A row of a page's own: fields by the names of their columns, or in the order of the file that was learnt from. */
export type CsvRow = Readonly<Record<string, Cell>> | readonly Cell[];

/** How `applyCsv` reads later rows. */
export interface ApplyCsvOptions {
  /** Whether y is read too, where the rows have it; default true. */
  target?: boolean;
}

/** `y` is null where the rows have no target, or it is not asked for. Nothing is ignored that the description does not ignore. */
export type CsvApplied = Omit<Assembled, "ignoredColumns">;

/**
 * Later rows as a table was read before: the same columns of x in the same order, categories by the same places, what is missing filled with
 * what the table had. `rows` is the text of a file, in which columns are found by name where the table had a header; or an array of rows,
 * counted from 1. Throws FormatError, with row, column and value, for a category or class that the table had not, for a field that is missing
 * where it was "refuse", and for what readCsv refuses; TypeError for what are no rows.
 */
export function applyCsv(
  description: CsvDescription,
  rows: string | readonly CsvRow[],
  options: ApplyCsvOptions = {},
): CsvApplied {
  checkDescription("applyCsv", description);
  checkOptions("applyCsv", options, ["target"]);
  const { target: asked = true } = options;
  checkFlag("applyCsv", "target", asked);
  const { delimiter, decimal, missing, missingValues, features } = description;
  const gathering = { delimiter, decimals: new Decimals(decimal), missing, missingValues: new Set(missingValues) };
  const begin = (find: Find) => new Gathered(slotsOf(description, find, asked), gathering);
  const gathered = typeof rows === "string" ? ofText(rows, description, begin) : ofRows(rows, description, begin);
  if (gathered === null || gathered.rows.length === 0) {
    throw new FormatError(`csv: there are no rows of data; there must be one.`);
  }
  const droppedRows = missing === "refuse" ? [] : dropMissing(gathered, missing === "drop");
  const places = features.map((_, i) => i);
  const targets = gathered.slots.flatMap(({ role }, i) => (role === "feature" ? [] : [i]));
  return { ...assemble(gathered, description, places, targets), droppedRows };
}

/** Where a described column is in what is given; -1 where it is not. */
type Find = (column: DescribedColumn) => number;

function ofText(text: string, description: CsvDescription, begin: (find: Find) => Gathered): Gathered | null {
  const { header, delimiter } = description;
  let read: { gathered: Gathered; first: readonly string[]; row: number } | null = null;
  eachRow(text, delimiter, (fields, row) => {
    if (read === null) {
      const find = header ? byName(fields) : byPlace(description, fields.length, delimiterHint(fields, delimiter));
      read = { gathered: begin(find), first: fields, row };
      if (header) return;
    }
    checkWidth(fields, row, read.first, read.row, delimiter);
    read.gathered.add(({ place }) => fields[place.at], row);
  });
  return (read as { gathered: Gathered } | null)?.gathered ?? null;
}

function ofRows(
  rows: readonly CsvRow[],
  description: CsvDescription,
  begin: (find: Find) => Gathered,
): Gathered | null {
  if (!Array.isArray(rows)) {
    throw new TypeError(`applyCsv: the rows are ${shown(rows)}; they must be the text of a file, or an array of rows.`);
  }
  const first: unknown = rows[0];
  if (first === undefined) return null;
  const listed = Array.isArray(first);
  const length = listed ? first.length : 0;
  const find: Find = listed
    ? byPlace(description, length, "")
    : (column) => (isRecord(first) && Object.hasOwn(first, column.name) ? column.at : -1);
  const gathered = begin(find);
  rows.forEach((row: unknown, i) => {
    if (Array.isArray(row) !== listed || (!listed && !isRecord(row)) || (Array.isArray(row) && row.length !== length)) {
      throw new TypeError(
        `applyCsv: row ${i + 1} is ${shown(row)}; it must be ${listed ? `an array of ${length} fields` : "an object of fields by name"}, as the first.`,
      );
    }
    gathered.add(({ place }) => {
      const cell: unknown = listed ? (row as unknown[])[place.at] : (row as Record<string, unknown>)[place.name];
      if (cell === undefined || cell === null || typeof cell === "string" || typeof cell === "number") return cell;
      throw new TypeError(`applyCsv: row ${i + 1}, ${place.shown} is ${shown(cell)}; it must be a text or a number.`);
    }, i + 1);
  });
  return gathered;
}

/** At its old place where the name is there, else wherever the name is. */
function byName(names: readonly string[]): Find {
  return ({ name, at }) => {
    if (names[at] === name) return at;
    const found = names.indexOf(name);
    if (found !== names.lastIndexOf(name)) {
      throw new FormatError(
        `csv: the header has ${quoted(name)} twice, and neither where it was; name each column once.`,
      );
    }
    return found;
  };
}

/** Rows without names have all columns, or all but those of the target. */
function byPlace({ width, target }: CsvDescription, given: number, hint: string): Find {
  const left = new Set(targetColumns(target).map(({ at }) => at));
  if (given === width) return ({ at }) => at;
  if (given !== width - left.size) {
    const without = left.size > 0 ? `, or ${width - left.size} without its target` : "";
    throw new FormatError(
      `csv: row 1 has ${given} fields; the table that was learnt from has ${width}${without}${hint}.`,
    );
  }
  return ({ at }) => (left.has(at) ? -1 : at - [...left].filter((other) => other < at).length);
}

function targetColumns(target: CsvDescription["target"]): DescribedColumn[] {
  if (target === null) return [];
  return target.kind === "classes" ? [target.column] : target.columns;
}

function slotsOf({ features, target, header }: CsvDescription, find: Find, asked: boolean): Slot[] {
  const placeOf = ({ name }: DescribedColumn, at: number): Place => {
    return { at, name, shown: header || name !== `column ${at + 1}` ? `column ${at + 1} (${quoted(name)})` : name };
  };
  const slot = (column: DescribedColumn, role: Slot["role"], categories: readonly string[] | null): Slot => {
    const at = find(column);
    if (at < 0) {
      throw new FormatError(
        `csv: column ${quoted(column.name)} is not there; the table that was learnt from has it for x.`,
      );
    }
    const kind = categories === null ? "number" : "categories";
    const map = new Map(categories?.map((name, index) => [name, index]));
    return { place: placeOf(column, at), role, kind, categories: map, known: true, meant: true };
  };
  const slots = features.map((each) => slot(each, "feature", each.kind === "categories" ? each.categories : null));
  const columns = targetColumns(target);
  if (!asked || columns.some((column) => find(column) < 0)) return slots;
  const classes = target?.kind === "classes" ? target.classes : null;
  return [...slots, ...columns.map((column) => slot(column, classes ? "label" : "number", classes))];
}
