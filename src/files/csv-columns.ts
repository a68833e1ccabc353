import { FormatError } from "../util/errors";
import { quoted } from "./json";

/** A column's name in the header, or its place: 0 is the first, -1 the last. */
export type Column = string | number;

export interface Place {
  at: number;
  name: string;
  /** As it stands in a message. */
  shown: string;
}

/** Where the chosen columns lie, given the fields of the first row, and the names of all where there are any. Throws FormatError. */
export function findColumns(
  columns: readonly Column[],
  first: readonly string[],
  names: readonly string[] | null,
  delimiter: string,
): Place[] {
  const width = first.length;
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

export const NUMBER = /^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/;
export const WITH_COMMA = /^[+-]?(?:[0-9]+,?[0-9]*|,[0-9]+)(?:[eE][+-]?[0-9]+)?$/;

/** Between ";" a number may have a comma before its decimals. */
export function isNumber(field: string, delimiter = ","): boolean {
  return NUMBER.test(field) || (delimiter === ";" && WITH_COMMA.test(field));
}
