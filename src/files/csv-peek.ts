import { checkFlag, checkOptions, shown } from "../util/checks";
import { FormatError } from "../util/errors";
import { isNumber } from "./csv-columns";
import { eachRow, guessedDelimiter } from "./csv-parse";

/** How the beginning of a table is read, and how much of it. */
export interface PeekCsvOptions {
  /** As readCsv has them: left out, both are guessed. */
  header?: boolean;
  delimiter?: string;
  /** So many rows of data are looked at; default 200. */
  rows?: number;
}

/** What a table looks like at its beginning. */
export interface CsvPeek {
  delimiter: string;
  /** Whether row 1 names the columns. */
  header: boolean;
  /** By their names, or "column 1" and so on. */
  columns: string[];
  /** The first rows of data, as texts. */
  rows: string[][];
  /** By column: the share of the fields that are not empty, in these rows, that are numbers. */
  numeric: number[];
}

/**
 * The first rows of a table, for a person to choose from what readCsv is to read. Reads no further than these. Throws FormatError where
 * there is none, and for a quote that does not close in them.
 */
export function peekCsv(text: string, options: PeekCsvOptions = {}): CsvPeek {
  if (typeof text !== "string") throw new TypeError(`peekCsv: the file must be a string, not ${shown(text)}.`);
  checkOptions("peekCsv", options, ["header", "delimiter", "rows"]);
  const { delimiter = guessedDelimiter(text), rows: most = 200 } = options;
  if (options.header !== undefined) checkFlag("peekCsv", "header", options.header);
  const seen: string[][] = [];
  try {
    eachRow(text, delimiter, (fields) => {
      seen.push(fields);
      if (seen.length > most) throw ENOUGH;
    });
  } catch (error) {
    if (error !== ENOUGH) throw error;
  }
  const [first] = seen;
  if (first === undefined) throw new FormatError("csv: the file is empty; there must be a row.");
  const header = options.header ?? !first.some((field) => isNumber(field, delimiter));
  const rows = header ? seen.slice(1) : seen.slice(0, most);
  if (rows.length === 0) throw new FormatError("csv: there are no rows of data after the header; there must be one.");
  return {
    delimiter,
    header,
    columns: first.map((name, at) => (header && name !== "" ? name : `column ${at + 1}`)),
    rows,
    numeric: first.map((_, at) => {
      const fields = rows.map((row) => row[at] ?? "").filter((field) => field !== "");
      return fields.filter((field) => isNumber(field, delimiter)).length / Math.max(1, fields.length);
    }),
  };
}

/** Thrown to stop the reading, and caught above. */
const ENOUGH = new Error("enough rows");
