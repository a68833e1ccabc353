import { type Column, type CsvDescription, type CsvOptions, type LeftOut, readCsv } from "../files/csv";

/** The more different whole numbers a target has, the less likely it is that they are names of classes. */
const MOST_CLASSES = 20;

export interface TableOptions extends CsvOptions {
  target: Column;
  /** Left out: classes where the target is text, or whole numbers of few different values. */
  as?: "classes" | "numbers";
}

export interface TrainingTable extends LeftOut {
  x: Float32Array;
  y: Int32Array | Float32Array;
  rows: number;
  columns: string[];
  description: CsvDescription;
  /** Null where the target is a number. */
  classes: string[] | null;
}

/** Reads the table that a network is trained on. Throws FormatError. */
export function readTable(text: string, { target, as, ...options }: TableOptions): TrainingTable {
  if (as !== "numbers") {
    const read = readCsv(text, { ...options, label: target });
    if (as === "classes" || !areNumbers(read.classes, read.rows)) return read;
  }
  return { ...readCsv(text, { ...options, targets: [target] }), classes: null };
}

function areNumbers(classes: readonly string[], rows: number): boolean {
  const values = classes.map((name) => Number(name.replace(",", ".")));
  if (values.some(Number.isNaN)) return false;
  return values.some((value) => !Number.isInteger(value)) || classes.length > Math.min(MOST_CLASSES, rows / 2);
}

/** What was not used, in lines for a person. */
export function leftOutText({ droppedRows, ignoredColumns, filled }: LeftOut): string[] {
  const [first] = droppedRows;
  return [
    ...ignoredColumns.map(({ column, why }) => `left out: ${column} ${why}`),
    ...(first
      ? [`left out: ${droppedRows.length} ${droppedRows.length === 1 ? "row" : "rows"}; row ${first.row}: ${first.why}`]
      : []),
    ...filled.map(({ column, count, value }) => `filled: ${count} missing in ${column} with ${value}`),
  ];
}
