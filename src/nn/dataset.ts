import type { Values } from "../graph/program";
import { isNumbers, isRecord, shown } from "../util/checks";
import { ShapeError } from "../util/errors";
import type { Criterion } from "./losses";

/** Numbers row after row, in whatever array; or an array of rows. */
export type DataValues =
  | Values
  | Uint8Array
  | Uint8ClampedArray
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | readonly (Values | Uint8Array)[];

export interface Dataset<V extends DataValues = Values> {
  /** Row-major, `rows * inputs` numbers, or `rows` arrays of `inputs` numbers. */
  x: V;
  /** int32 classes (one a row) or `rows * outputs` numbers, or `rows` arrays of them. */
  y: V;
}

/** Classes: one index a row. Values: a number for each output of each row. */
export type TargetKind = "classes" | "values";

/** A data set checked against a network: everything is finite in float32. The arrays may be the caller's own. */
export interface Rows {
  readonly count: number;
  readonly x: Float32Array;
  readonly y: Float32Array;
  readonly kind: TargetKind;
  /** A factor for the loss of each row. */
  readonly weights?: Float32Array;
}

/** Of a network, what its data must fit. */
interface Fitted {
  /** Numbers in an example. */
  readonly inputs: number;
  /** How many tokens there are, where an example is made of tokens. */
  readonly vocabulary: number | null;
  /** Positions of what the network makes of an example, and the outputs of each. */
  readonly positions: number;
  readonly units: number;
}

/** Checks rows of inputs. Throws TypeError, ShapeError or RangeError, with row and column. */
export function checkInputs(
  part: string,
  given: DataValues,
  { inputs, vocabulary }: Fitted,
): { count: number; x: Float32Array } {
  const { values: x, rows } = flattened(part, "x", given);
  if (rows > 0 && x.length !== rows * inputs) {
    throw new ShapeError(
      `${part}: x has ${rows} rows of ${x.length / rows} numbers; the network takes rows of ${inputs}.`,
    );
  }
  if (x.length === 0 || x.length % inputs !== 0) {
    throw new ShapeError(
      `${part}: x has ${x.length} numbers; the network takes rows of ${inputs}, so that it must have ${inputs}, ${2 * inputs}, ….`,
    );
  }
  const numbers = toFloat32(part, "x", x, inputs);
  if (vocabulary !== null) checkWhole(part, "token", "x", numbers, inputs, vocabulary);
  return { count: x.length / inputs, x: numbers };
}

/** Checks a data set for a network with this loss. Throws TypeError, ShapeError or RangeError, with row and column. */
export function checkDataset(part: string, data: Dataset<DataValues>, network: Fitted, loss: Criterion): Rows {
  checkData(part, data);
  const { positions, units } = network;
  const { count, x } = checkInputs(part, data.x, network);
  const { values: y, rows } = flattened(part, "y", data.y);
  if (rows > 0 && rows !== count) {
    throw new ShapeError(`${part}: y has ${rows} rows for ${count} rows of x; it must have as many.`);
  }
  const kind = loss.targets === "classes" && y.length === count * positions ? "classes" : "values";
  const width = kind === "classes" ? positions : positions * units;
  if (y.length !== count * width) {
    const fits = `${count * positions * units} (${positions * units} a row)${loss.targets === "classes" ? `, or ${count * positions} classes` : ""}`;
    throw new ShapeError(`${part}: y has ${y.length} numbers for ${count} rows of x; it must have ${fits}.`);
  }
  const targets = toFloat32(part, "y", y, width);
  if (kind === "classes") checkWhole(part, "class", "y", targets, positions, units);
  else if (loss.targets !== undefined) checkProbabilities(part, targets, units, loss);
  return { count, x, y: targets, kind };
}

/** A factor for the loss of each of `count` rows. Throws TypeError, ShapeError or RangeError. */
export function checkWeights(part: string, given: DataValues, count: number): Float32Array {
  const { values } = flattened(part, "sampleWeights", given);
  if (values.length !== count) {
    throw new ShapeError(
      `${part}: sampleWeights has ${values.length} numbers for ${count} rows of x; it must have one a row.`,
    );
  }
  const weights = toFloat32(part, "sampleWeights", values, 1);
  const at = weights.findIndex((weight) => weight < 0);
  if (at >= 0) throw new RangeError(`${part}: sampleWeights has ${weights[at]} in row ${at}; it must be at least 0.`);
  return weights;
}

/** Integers that stand for something: classes, of which there is one for each output, and tokens. */
function checkWhole(
  part: string,
  what: "class" | "token",
  name: string,
  values: Float32Array,
  width: number,
  count: number,
): void {
  const at = values.findIndex((value) => !Number.isInteger(value) || value < 0 || value >= count);
  if (at < 0) return;
  const row = `row ${Math.floor(at / width)}${width > 1 ? `, column ${at % width},` : ""}`;
  const those =
    what === "class"
      ? `classes are integers from 0 to ${count - 1}, one for each output`
      : `tokens are integers from 0 to ${count - 1}`;
  throw new RangeError(`${part}: the ${what} in ${row} of ${name} is ${values[at]}; ${those}.`);
}

function checkProbabilities(part: string, y: Float32Array, width: number, loss: Criterion): void {
  const at = y.findIndex((value) => value < 0 || value > 1);
  if (at >= 0) {
    throw new RangeError(
      `${part}: y has ${y[at]} in row ${Math.floor(at / width)}, column ${at % width}; targets of ${loss.name} are from 0 to 1.`,
    );
  }
  if (loss.targets !== "classes") return;
  for (let row = 0; row * width < y.length; row++) {
    const sum = y.subarray(row * width, (row + 1) * width).reduce((total, value) => total + value, 0);
    if (Math.abs(sum - 1) > 1e-3) {
      throw new RangeError(`${part}: the probabilities in row ${row} of y sum to ${sum}; they must sum to 1.`);
    }
  }
}

/** That the data are an object of x and y; what these are is not looked at. Throws TypeError. */
export function checkData(part: string, data: Dataset<DataValues>): void {
  if (isRecord(data)) return;
  throw new TypeError(`${part}: the data are ${shown(data)}; they must be an object {x, y}.`);
}

/** The numbers of an array of rows one after the other, and how many rows; any other array as it is, and 0. */
function flattened(part: string, name: string, given: DataValues): { values: ArrayLike<unknown>; rows: number } {
  if (!isNumbers(given)) {
    throw new TypeError(
      `${part}: ${name} is ${shown(given)}; it must be a Float32Array, Float64Array, Int32Array or another array of numbers, row after row, or an array of rows.`,
    );
  }
  const rows: ArrayLike<unknown> = given;
  const first = rows[0];
  if (!isNumbers(first)) return { values: given, rows: 0 };
  const values: unknown[] = [];
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i];
    if (!isNumbers(row) || row.length !== first.length) {
      throw new ShapeError(
        `${part}: row ${i} of ${name} is ${shown(row)}, and row 0 an array of ${first.length}; all rows must have as many numbers.`,
      );
    }
    for (let column = 0; column < row.length; column++) values.push(row[column]);
  }
  return { values, rows: rows.length };
}

function toFloat32(part: string, name: string, values: ArrayLike<unknown>, width: number): Float32Array {
  const numbers = values instanceof Float32Array ? values : new Float32Array(values.length);
  for (let i = 0; i < numbers.length; i++) {
    const value = values[i];
    const where = () => `${part}: ${name} has ${shown(value)} in row ${Math.floor(i / width)}, column ${i % width}`;
    if (typeof value !== "number") {
      throw new TypeError(`${where()}; it must be a number: Number() makes one of text, of a boolean and of a bigint.`);
    }
    if (numbers !== values) numbers[i] = value;
    if (!Number.isFinite(numbers[i])) {
      throw new RangeError(`${where()}; it must be a number that is finite in float32. Clean or scale the data.`);
    }
  }
  return numbers;
}
