import { FormatError } from "../util/errors";
import { compareText } from "./header";
import { quoted } from "./json";

/** A column's name in the header, or its place: 0 is the first, -1 the last. */
export type Column = string | number;

export interface Place {
  at: number;
  name: string;
  /** As it stands in a message. */
  shown: string;
}

/** Where the chosen columns lie, given the fields of the first row, and whether it names them. Throws FormatError. */
export function findColumns(
  columns: readonly Column[],
  first: readonly string[],
  header: boolean,
  delimiter: string,
): Place[] {
  const width = first.length;
  const names = header ? first : null;
  const named = new Map<string, number>();
  const repeated = new Set<string>();
  if (columns.some((column) => typeof column === "string")) {
    names?.forEach((name, at) => {
      if (named.has(name)) repeated.add(name);
      else named.set(name, at);
    });
  }
  const find = (column: string): number => {
    if (names === null) {
      throw new FormatError(`csv: column ${quoted(column)} is chosen by name, and header is false; choose by number.`);
    }
    const at = named.get(column);
    if (at === undefined) {
      throw new FormatError(
        `csv: column ${quoted(column)} is not there; the file has ${names.slice(0, 20).map(quoted).join(", ")}${names.length > 20 ? ", …" : ""}${delimiterHint(names, delimiter)}.`,
      );
    }
    if (repeated.has(column)) {
      throw new FormatError(`csv: the header has ${quoted(column)} twice; choose by number, ${at} or another.`);
    }
    return at;
  };
  const places = columns.map((column): Place => {
    const at = typeof column === "string" ? find(column) : column < 0 ? width + column : column;
    if (at < 0 || at >= width) {
      throw new FormatError(
        `csv: column ${column} is not there; the file has ${width}, 0 to ${width - 1}${delimiterHint(first, delimiter)}.`,
      );
    }
    const name = names?.[at];
    if (name === undefined) return { at, name: `column ${at + 1}`, shown: `column ${at + 1}` };
    return { at, name, shown: `column ${at + 1} (${quoted(name)})` };
  });
  const seen = new Set<number>();
  const twice = places.find(({ at }) => seen.size === seen.add(at).size);
  if (twice !== undefined) throw new FormatError(`csv: ${twice.shown} is chosen twice; it must be chosen once.`);
  return places;
}

/**
 * For a message about a row that does not read: which other character seems to be between its fields. Of a row with several
 * fields "," is none: there it is more likely a decimal comma.
 */
export function delimiterHint(fields: readonly string[], delimiter: string): string {
  const others = fields.length > 1 ? [";", "\t", "|"] : [";", "\t", "|", ",", " "];
  const found = others.find((other) => other !== delimiter && fields.some((field) => field.includes(other)));
  return found === undefined
    ? ""
    : ` (is ${quoted(delimiter)} between its fields? Else give delimiter: ${quoted(found)})`;
}

const NUMBER = /^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/;

export function isNumber(field: string): boolean {
  return NUMBER.test(field);
}

/** Gathers columns of numbers, row by row. */
export class NumberColumns {
  readonly names: string[];
  private numbers: Float32Array<ArrayBuffer>;
  private length = 0;

  constructor(
    private readonly places: readonly Place[],
    private readonly delimiter: string,
  ) {
    this.names = places.map(({ name }) => name);
    this.numbers = new Float32Array(64 * places.length);
  }

  /** Throws FormatError, with `hint` after it. */
  add(fields: readonly string[], row: number, hint: string): void {
    if (this.length === this.numbers.length) this.numbers = resized(this.numbers, 2 * this.length);
    for (const { at, shown } of this.places) {
      const field = fields[at] as string;
      const value = Math.fround(Number(field));
      if (!NUMBER.test(field) || !Number.isFinite(value)) {
        const found = field === "" ? "is empty" : `has ${quoted(field)}`;
        throw new FormatError(
          `csv: row ${row}, ${shown} ${found}; there must be a decimal number, finite in float32${delimiterHint(fields, this.delimiter)}.${hint}`,
        );
      }
      this.numbers[this.length++] = value;
    }
  }

  values(): Float32Array<ArrayBuffer> {
    return resized(this.numbers, this.length);
  }
}

function resized(numbers: Float32Array, length: number): Float32Array<ArrayBuffer> {
  const copy = new Float32Array(length);
  copy.set(numbers.subarray(0, length));
  return copy;
}

/** Gathers a column of labels, row by row. */
export class ClassColumn {
  private readonly indices = new Map<string, number>();
  private readonly found: number[] = [];

  constructor(
    private readonly place: Place,
    private readonly known: readonly string[] | null,
  ) {
    known?.forEach((name, index) => {
      this.indices.set(name, index);
    });
  }

  /** Throws FormatError. */
  add(fields: readonly string[], row: number): void {
    const label = fields[this.place.at] as string;
    if (label === "") {
      throw new FormatError(`csv: row ${row}, ${this.place.shown} is empty; there must be a label.`);
    }
    let index = this.indices.get(label);
    if (index === undefined) {
      if (this.known !== null) {
        throw new FormatError(
          `csv: row ${row}, ${this.place.shown} has ${quoted(label)}; it must be one of the classes ${quoted(this.known)}.`,
        );
      }
      index = this.indices.size;
      this.indices.set(label, index);
    }
    this.found.push(index);
  }

  result(): { y: Int32Array; classes: string[] } {
    if (this.known !== null) return { y: Int32Array.from(this.found), classes: [...this.known] };
    const classes = [...this.indices.keys()];
    const byNumber = classes.every(isNumber);
    classes.sort((a, b) => (byNumber ? Number(a) - Number(b) : 0) || compareText(a, b));
    const sorted = new Int32Array(classes.length);
    classes.forEach((name, index) => {
      sorted[this.indices.get(name) as number] = index;
    });
    return { y: Int32Array.from(this.found, (index) => sorted[index] as number), classes };
  }
}
