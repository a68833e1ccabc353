import { confusionMatrix } from "../index";

/** What a network is worth on rows that it was not trained on. */
export type Figures =
  | {
      kind: "classes";
      rows: number;
      accuracy: number;
      classes: string[];
      counts: number[][];
      precision: number[];
      recall: number[];
      f1: number[];
    }
  | { kind: "numbers"; rows: number; rmse: number; mae: number; r2: number };

/** Of predictions [rows, classes]: the class of each row is its most probable. */
export function classFigures(probabilities: Float32Array, y: ArrayLike<number>, classes: string[]): Figures {
  const predicted = bestOf(probabilities, classes.length);
  const hits = predicted.filter((k, row) => k === y[row]).length;
  const confusion = confusionMatrix(y, predicted, classes.length);
  return { kind: "classes", rows: y.length, accuracy: hits / y.length, classes, ...confusion };
}

/** Of predictions of one number a row. R² is the share of the variance that they explain: 0 for a guess of the mean. */
export function numberFigures(predicted: ArrayLike<number>, y: ArrayLike<number>): Figures {
  const rows = y.length;
  const mean = sum(rows, (row) => y[row] as number) / rows;
  const off = (row: number) => (predicted[row] as number) - (y[row] as number);
  const squares = sum(rows, (row) => off(row) ** 2);
  const variance = sum(rows, (row) => ((y[row] as number) - mean) ** 2);
  return {
    kind: "numbers",
    rows,
    rmse: Math.sqrt(squares / rows),
    mae: sum(rows, (row) => Math.abs(off(row))) / rows,
    r2: variance === 0 ? Number.NaN : 1 - squares / variance,
  };
}

export function bestOf(probabilities: Float32Array, classes: number): number[] {
  return Array.from({ length: probabilities.length / classes }, (_, row) => {
    const own = probabilities.subarray(row * classes, (row + 1) * classes);
    return own.indexOf(Math.max(...own));
  });
}

function sum(count: number, of: (i: number) => number): number {
  let total = 0;
  for (let i = 0; i < count; i++) total += of(i);
  return total;
}

export const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
export const number = (value: number): string => (Number.isFinite(value) ? String(Number(value.toPrecision(4))) : "–");

/** For a terminal. */
export function figuresText(figures: Figures): string {
  if (figures.kind === "numbers") {
    const { rows, rmse, mae, r2 } = figures;
    return `held back ${rows} rows: root mean squared error ${number(rmse)}, mean absolute error ${number(mae)}, R² ${number(r2)}`;
  }
  const { rows, accuracy, classes, counts, precision, recall, f1 } = figures;
  const lines = [
    ["actual \\ predicted", ...classes, "precision", "recall", "F1"],
    ...classes.map((name, k) => [
      name,
      ...(counts[k] as number[]).map(String),
      ...[precision, recall, f1].map((each) => (each[k] as number).toFixed(3)),
    ]),
  ];
  return `held back ${rows} rows: accuracy ${percent(accuracy)}\n${columned(lines)}`;
}

/** Lines of cells, the first column to the left, the others to the right. */
export function columned(lines: readonly (readonly string[])[]): string {
  const widths = (lines[0] ?? []).map((_, i) => Math.max(...lines.map((line) => line[i]?.length ?? 0)));
  return lines
    .map((line) =>
      line
        .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
