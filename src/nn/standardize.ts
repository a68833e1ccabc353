import { checkCount, isNumbers, shown } from "../util/checks";
import { ShapeError } from "../util/errors";
import type { DataValues } from "./dataset";
import type { Layer } from "./layers/layer";
import { Standardize } from "./layers/standardize";

export interface Standardized {
  /** Of each column. */
  readonly mean: Float64Array;
  /** Of all rows, not of a sample of more; 1 for a column that is always the same. */
  readonly deviation: Float64Array;
  /** (x - mean) / deviation, column by column, of these or of later rows. */
  apply(x: DataValues): Float32Array;
  /** The same as the first layer of a network, which then takes rows as they are, in its files too. */
  layer(): Layer;
}

/**
 * What takes columns to mean 0 and deviation 1: `x` is rows of `columns` numbers, one row after another, or an array of rows. Throws
 * ShapeError, TypeError or RangeError.
 */
export function standardize(x: DataValues, columns: number): Standardized {
  checkCount("standardize", "columns", columns);
  const values = flat(x, columns);
  const rows = values.length / columns;
  const mean = new Float64Array(columns);
  const deviation = new Float64Array(columns);
  values.forEach((value, i) => {
    mean[i % columns] = (mean[i % columns] as number) + value / rows;
  });
  values.forEach((value, i) => {
    const off = value - (mean[i % columns] as number);
    deviation[i % columns] = (deviation[i % columns] as number) + (off * off) / rows;
  });
  deviation.forEach((variance, column) => {
    const root = Math.sqrt(variance);
    // What is left of a constant is rounding: to divide by it would make noise of it.
    deviation[column] = root > Math.abs(mean[column] as number) * rows * 2 ** -52 ? root : 1;
  });
  return {
    mean,
    deviation,
    apply: (given) =>
      Float32Array.from(flat(given, columns), (value, i) => {
        return (value - (mean[i % columns] as number)) / (deviation[i % columns] as number);
      }),
    layer: () => new Standardize(mean, deviation),
  };
}

function flat(x: DataValues, columns: number): Float64Array {
  if (!isNumbers(x)) throw new TypeError(`standardize: x is ${shown(x)}; it must be an array of numbers, or of rows.`);
  const nested = isNumbers(x[0]);
  const all: unknown[] = [];
  for (let i = 0; i < x.length; i++) {
    const row: unknown = x[i];
    if (nested && (!isNumbers(row) || row.length !== columns))
      throw new ShapeError(`standardize: row ${i} of x is ${shown(row)}; it must have ${columns} numbers.`);
    if (isNumbers(row)) for (let column = 0; column < columns; column++) all.push(row[column]);
    else all.push(row);
  }
  if (all.length === 0 || all.length % columns !== 0)
    throw new ShapeError(`standardize: x has ${all.length} numbers; it must have rows of ${columns}.`);
  const at = all.findIndex((value) => typeof value !== "number" || !Number.isFinite(value));
  if (at >= 0) {
    throw new RangeError(
      `standardize: x has ${shown(all[at])} in row ${Math.floor(at / columns)}, column ${at % columns}; it must be a finite number.`,
    );
  }
  return Float64Array.from(all as number[]);
}
