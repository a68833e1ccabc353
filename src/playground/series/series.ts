/** A series as a network takes it: pieces of it, each with the value that comes some steps after. */

export interface Windows {
  /** Values that a forecast is made from. */
  seen: number;
  /** How many steps ahead it is. */
  ahead: number;
}

/** How a series is forecast. */
export interface ForecastOptions extends Windows {
  units: number;
  epochs: number;
}

/** The last part of a series, which no network learns from. */
const HELD_BACK = 0.2;
/** Forecasts that there must be to learn from. */
const LEAST_ROWS = 50;
/** Values that are taken of a longer series, its last. */
export const MOST_VALUES = 100_000;

export interface Forecasts {
  /** [rows, seen, 1], with mean 0 and deviation 1 over what is learnt from. */
  x: Float32Array;
  /** [rows] */
  y: Float32Array;
}

export interface SeriesData {
  training: Forecasts;
  heldBack: Forecasts;
  /** What a value was before: value * deviation + mean. */
  mean: number;
  deviation: number;
  /** Where the first value that is told of what is held back stands in the series. */
  first: number;
  /** Of what is held back, in the series' own numbers: what came, and the last value that was seen. */
  truth: Float32Array;
  naive: Float32Array;
}

/**
 * Held back are the last rows, and no value of theirs is in a row to learn from: the future must not be told.
 * Throws RangeError for a series that is too short, or whose values are all the same.
 */
export function seriesData(series: ArrayLike<number>, { seen, ahead }: Windows): SeriesData {
  const rows = series.length - seen - ahead + 1;
  const last = Math.floor((1 - HELD_BACK) * rows);
  const learnt = last - seen - ahead + 1;
  if (learnt < LEAST_ROWS) {
    const least = Math.ceil((LEAST_ROWS + seen + ahead) / (1 - HELD_BACK)) + seen + ahead;
    throw new RangeError(
      `The series has ${series.length} values; to forecast ${ahead} ahead from ${seen} it takes at least ${least}.`,
    );
  }
  const values = Float64Array.from(series);
  const known = values.subarray(0, learnt + seen + ahead - 1);
  const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
  const deviation = Math.sqrt(known.reduce((sum, value) => sum + (value - mean) ** 2, 0) / known.length);
  if (deviation === 0)
    throw new RangeError(`All values that it would learn from are ${mean}: there is nothing to learn.`);
  const scaled = Float32Array.from(values, (value) => (value - mean) / deviation);
  const part = (from: number, to: number): Forecasts => {
    const x = new Float32Array((to - from) * seen);
    for (let row = from; row < to; row++) x.set(scaled.subarray(row, row + seen), (row - from) * seen);
    return { x, y: scaled.slice(from + seen + ahead - 1, to + seen + ahead - 1) };
  };
  return {
    ...{ training: part(0, learnt), heldBack: part(last, rows), mean, deviation },
    first: last + seen + ahead - 1,
    truth: Float32Array.from(values.subarray(last + seen + ahead - 1)),
    naive: Float32Array.from(values.subarray(last + seen - 1, rows + seen - 1)),
  };
}

/** The root of the mean squared error. */
export function rootMeanSquare(said: Float32Array, truth: Float32Array): number {
  const sum = truth.reduce((sum, value, i) => sum + (value - (said[i] as number)) ** 2, 0);
  return Math.sqrt(sum / truth.length);
}
