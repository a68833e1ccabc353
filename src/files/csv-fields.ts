import { FormatError } from "../util/errors";
import { delimiterHint, isNumber, NUMBER, type Place, WITH_COMMA } from "./csv-columns";
import type { Missing } from "./csv-description";
import { compareText } from "./header";
import { quoted } from "./json";

/** A field of a file, or what a caller's own row has for it. */
export type Cell = string | number | null | undefined;

/** A column of more texts is one of names or identifiers, of which nothing is learnt. */
export const MOST_CATEGORIES = 50;

/** Reads numbers whose decimal sign is given, or is that of the first number that has one. */
export class Decimals {
  constructor(public sign: "." | "," | null) {}

  /** In float32; NaN where the field is no such number. */
  read(field: string): number {
    if (this.sign !== ",") {
      if (NUMBER.test(field)) {
        if (this.sign === null && field.includes(".")) this.sign = ".";
        return Math.fround(Number(field));
      }
      if (this.sign === ".") return Number.NaN;
    }
    if (!WITH_COMMA.test(field)) return Number.NaN;
    if (field.includes(",")) this.sign = ",";
    return Math.fround(Number(field.replace(",", ".")));
  }

  /** For a message, where only the sign is another. */
  hint(field: string): string {
    const other = this.sign === "," ? NUMBER : WITH_COMMA;
    if (!other.test(field) || this.sign === null) return "";
    return ` The decimal sign is ${quoted(this.sign)} here; where it is another, give decimal: ${this.sign === "," ? '"."' : '","'}.`;
  }
}

/** A column of the file that is read, and what it becomes. */
export interface Slot {
  readonly place: Place;
  readonly role: "feature" | "label" | "number";
  /** Null until the first field says. */
  kind: "number" | "categories" | null;
  /** By text; of a column of numbers empty. */
  categories: Map<string, number>;
  /** Whether there are no categories but these. */
  readonly known: boolean;
  /** Whether more than a few categories are meant. */
  readonly meant: boolean;
  /** The row that said what kind it is. */
  from?: number;
  /** Why the column is left out. */
  ignored?: string;
}

export interface GatherOptions {
  readonly delimiter: string;
  readonly decimals: Decimals;
  readonly missing: Missing;
  readonly missingValues: ReadonlySet<string>;
}

/** Gathers rows as numbers, a category by its index, row by row; what is missing is NaN. */
export class Gathered {
  readonly rows: number[] = [];
  numbers = new Float32Array(64);
  private length = 0;

  constructor(
    readonly slots: readonly Slot[],
    private readonly options: GatherOptions,
  ) {}

  /** Cells in the order of the slots. Throws FormatError, with `hint` after it; then nothing of the row is there. */
  add(cells: (slot: Slot) => Cell, row: number, hint = ""): void {
    if (this.length + this.slots.length > this.numbers.length) {
      const grown = new Float32Array(2 * (this.numbers.length + this.slots.length));
      grown.set(this.numbers);
      this.numbers = grown;
    }
    const [length, sign] = [this.length, this.options.decimals.sign];
    try {
      for (const slot of this.slots) {
        this.numbers[this.length++] = slot.ignored === undefined ? this.read(slot, cells(slot), row, hint) : Number.NaN;
      }
    } catch (error) {
      this.length = length;
      this.options.decimals.sign = sign;
      for (const slot of this.slots) {
        if (slot.from !== row) continue; // what this row said of a column is unsaid
        slot.kind = null;
        delete slot.from;
      }
      throw error;
    }
    this.rows.push(row);
  }

  private read(slot: Slot, given: Cell, row: number, hint: string): number {
    const { missing, missingValues } = this.options;
    const cell = given ?? "";
    const absent = typeof cell === "string" ? missingValues.has(cell) : Number.isNaN(cell);
    if (absent && missing !== "refuse") return Number.NaN;
    const text = String(cell);
    const where = `csv: row ${row}, ${slot.place.shown} ${text === "" ? "is empty" : `has ${quoted(text)}`}`;
    if (absent && (slot.kind !== "number" || text === ""))
      throw new FormatError(`${where}; ${this.wanted(slot)}${hint}`);
    const value = this.number(slot, cell);
    if (slot.kind === null) {
      slot.kind = Number.isNaN(value) ? "categories" : "number";
      slot.from = row;
    }
    if (slot.kind === "number") {
      if (Number.isFinite(value)) return value;
      throw new FormatError(`${where}; ${this.wanted(slot, text)}${hint}`);
    }
    if (slot.from !== undefined && !Number.isNaN(value)) {
      throw new FormatError(
        `${where}, a number, and row ${slot.from} text; a column is one or the other. Correct it, or give it in oneHot, where all of it is text.`,
      );
    }
    return this.category(slot, text, where);
  }

  private number(slot: Slot, cell: string | number): number {
    if (slot.kind === "categories" && slot.from === undefined) return Number.NaN;
    return typeof cell === "number" ? Math.fround(cell) : this.options.decimals.read(cell);
  }

  private category(slot: Slot, text: string, where: string): number {
    const found = slot.categories.get(text);
    if (found !== undefined) return found;
    if (slot.known) {
      const those = slot.role === "label" ? "classes" : "categories";
      throw new FormatError(`${where}; it must be one of the ${those} ${quoted([...slot.categories.keys()])}.`);
    }
    slot.categories.set(text, slot.categories.size);
    if (slot.meant || slot.categories.size <= MOST_CATEGORIES) return slot.categories.size - 1;
    slot.ignored = `has more than ${MOST_CATEGORIES} different texts, as names and identifiers have; give it in oneHot to have a column for each`;
    return Number.NaN;
  }

  /** What should have been there. */
  private wanted(slot: Slot, text = ""): string {
    const { delimiter, decimals } = this.options;
    const remedy =
      slot.role === "feature" && text === "" ? ' Else give missing: "drop", "mean" or "mostFrequent".' : "";
    if (slot.role === "label") return `there must be a label.`;
    if (slot.kind !== "number") return `there must be a text or a number.${remedy}`;
    const mixed =
      slot.from === undefined || text === ""
        ? ""
        : ` Row ${slot.from} has a number: correct it, give it in missingValues, or the column in oneHot, where all of it is text.`;
    return `there must be a decimal number, finite in float32${delimiterHint([text], delimiter)}.${decimals.hint(text)}${mixed}${remedy}`;
  }

  /** Of one slot, by row. */
  column(at: number): Float32Array {
    const { length } = this.slots;
    return Float32Array.from(this.rows, (_, row) => this.numbers[row * length + at] as number);
  }

  /** Leaves out rows by index. */
  leaveOut(rows: ReadonlySet<number>): void {
    if (rows.size === 0) return;
    const { length } = this.slots;
    let kept = 0;
    this.rows.forEach((number, row) => {
      if (rows.has(row)) return;
      this.numbers.copyWithin(kept * length, row * length, (row + 1) * length);
      this.rows[kept++] = number;
    });
    this.rows.length = kept;
  }
}

/** Categories by their numbers where all are numbers, else by their code points. */
export function sortedCategories(names: readonly string[]): string[] {
  const byNumber = names.every((name) => isNumber(name));
  return [...names].sort((a, b) => (byNumber ? Number(a) - Number(b) : 0) || compareText(a, b));
}
