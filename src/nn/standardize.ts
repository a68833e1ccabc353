import { checkCount, shown } from "../util/checks";
import { ShapeError } from "../util/errors";
import { sizeOf } from "../util/shape";
import type { Layer } from "./layers/layer";
import { Standardize } from "./layers/standardize";
import { type DataValues, nested } from "./nested";

/** What `standardize` measured, column by column, and what applies it. */
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
 * What takes columns to mean 0 and deviation 1: `x` is rows of `columns` numbers, one row after another, or rows in arrays of
 * their own, nested as an example is, its last axis the columns. Throws
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
  const { shape, arrays } = nested("standardize", "x", x);
  const last = shape.at(-1);
  if (shape.length > 1 && last !== columns)
    throw new ShapeError(`standardize: rows of x have ${last} numbers; they must have ${columns}, one a column.`);
  const all = new Float64Array(sizeOf(shape));
  if (all.length === 0 || all.length % columns !== 0)
    throw new ShapeError(`standardize: x has ${all.length} numbers; it must have rows of ${columns}.`);
  let i = 0;
  for (const values of arrays) {
    for (let at = 0; at < values.length; at++, i++) {
      const value = values[at];
      if (typeof value !== "number" || !Number.isFinite(value)) {
        throw new RangeError(
          `standardize: x has ${shown(value)} in row ${Math.floor(i / columns)}, column ${i % columns}; it must be a finite number.`,
        );
      }
      all[i] = value;
    }
  }
  return all;
}
