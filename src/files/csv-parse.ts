import Papa from "papaparse";
import { FormatError } from "../util/errors";
import { delimiterHint } from "./csv-columns";

/** Few enough that little waits in memory; but at most 16 parts, because a quote that stays open is sought in each anew. */
const chunkCharacters = (text: string): number => Math.max(2 ** 22, Math.ceil(text.length / 16));

/** Calls `take` with the trimmed fields of each row that is not empty, and its number from 1. Throws FormatError. */
export function eachRow(text: string, delimiter: string, take: (fields: string[], row: number) => void): void {
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

/** ";" where the first line is parted by it and a comma there is at most a decimal one; else ",". */
export function guessedDelimiter(text: string): ";" | "," {
  const [line = ""] = /[^\r\n\ufeff \t][^\r\n]*/.exec(text) ?? [];
  const parts = line.replace(/"[^"]*"/g, "x").split(";");
  return parts.length > 1 && parts.every((part) => !part.includes(",") || /^\s*[+-]?\d*,\d+\s*$/.test(part))
    ? ";"
    : ",";
}

/** Throws FormatError where a row has not as many fields as the first. */
export function checkWidth(
  fields: readonly string[],
  row: number,
  first: readonly string[],
  firstRow: number,
  delimiter: string,
): void {
  if (fields.length === first.length) return;
  const hinted = delimiterHint([...first, ...fields], delimiter);
  throw new FormatError(
    `csv: row ${row} has ${fields.length} fields, and row ${firstRow} has ${first.length}; each row must have as many${hinted}.`,
  );
}
