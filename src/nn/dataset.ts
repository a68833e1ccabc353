import type { Values } from "../graph/program";
import { ShapeError } from "../util/errors";
import { shown } from "./checks";
import type { Criterion } from "./losses";

export interface Dataset {
  /** Row-major, `rows * inputs` numbers. */
  x: Values;
  /** int32 classes (one a row) or `rows * outputs` numbers. */
  y: Values;
}

/** Classes: one index a row. Values: a number for each output of each row. */
export type TargetKind = "classes" | "values";

/** A data set checked against a network: everything is finite in float32. The arrays may be the caller's own. */
export interface Rows {
  readonly count: number;
  readonly x: Float32Array;
  readonly y: Float32Array;
  readonly kind: TargetKind;
}

/** Checks rows of inputs. Throws TypeError, ShapeError or RangeError, with row and column. */
export function checkInputs(part: string, x: Values, inputs: number): { count: number; x: Float32Array } {
  checkNumbers(part, "x", x);
  if (x.length === 0 || x.length % inputs !== 0) {
    throw new ShapeError(
      `${part}: x has ${x.length} numbers; the network takes rows of ${inputs}, so that it must have ${inputs}, ${2 * inputs}, ….`,
    );
  }
  return { count: x.length / inputs, x: toFloat32(part, "x", x, inputs) };
}

/** Checks a data set for a network with this loss. Throws TypeError, ShapeError or RangeError, with row and column. */
export function checkDataset(part: string, data: Dataset, inputs: number, outputs: number, loss: Criterion): Rows {
  if (typeof data !== "object" || data === null) {
    throw new TypeError(`${part}: the data are ${shown(data)}; they must be an object {x, y}.`);
  }
  const { count, x } = checkInputs(part, data.x, inputs);
  const { y } = data;
  checkNumbers(part, "y", y);
  const kind = loss.name === "softmaxCrossEntropy" && y.length === count ? "classes" : "values";
  const width = kind === "classes" ? 1 : outputs;
  if (y.length !== count * width) {
    const fits = `${count * outputs} (${outputs} a row)${loss.name === "softmaxCrossEntropy" ? `, or ${count} classes` : ""}`;
    throw new ShapeError(`${part}: y has ${y.length} numbers for ${count} rows of x; it must have ${fits}.`);
  }
  const targets = toFloat32(part, "y", y, width);
  if (kind === "classes") checkClasses(part, targets, outputs);
  else if (loss.name !== "squaredError") checkProbabilities(part, targets, width, loss.name);
  return { count, x, y: targets, kind };
}

function checkClasses(part: string, y: Float32Array, outputs: number): void {
  const at = y.findIndex((value) => !Number.isInteger(value) || value < 0 || value >= outputs);
  if (at < 0) return;
  throw new RangeError(
    `${part}: the class in row ${at} of y is ${y[at]}; classes are integers from 0 to ${outputs - 1}, one for each output.`,
  );
}

function checkProbabilities(part: string, y: Float32Array, width: number, loss: string): void {
  const at = y.findIndex((value) => value < 0 || value > 1);
  if (at >= 0) {
    throw new RangeError(
      `${part}: y has ${y[at]} in row ${Math.floor(at / width)}, column ${at % width}; targets of ${loss} are from 0 to 1.`,
    );
  }
  if (loss === "binaryCrossEntropy") return;
  for (let row = 0; row * width < y.length; row++) {
    const sum = y.subarray(row * width, (row + 1) * width).reduce((total, value) => total + value, 0);
    if (Math.abs(sum - 1) > 1e-3) {
      throw new RangeError(`${part}: the probabilities in row ${row} of y sum to ${sum}; they must sum to 1.`);
    }
  }
}

function checkNumbers(part: string, name: string, values: Values): void {
  const listed =
    Array.isArray(values) ||
    values instanceof Float32Array ||
    values instanceof Float64Array ||
    values instanceof Int32Array;
  if (listed) return;
  throw new TypeError(
    `${part}: ${name} is ${shown(values)}; it must be a Float32Array, Float64Array, Int32Array or an array of numbers, row after row.`,
  );
}

function toFloat32(part: string, name: string, values: Values, width: number): Float32Array {
  const numbers = values instanceof Float32Array ? values : Float32Array.from(values);
  for (let i = 0; i < numbers.length; i++) {
    if (Number.isFinite(numbers[i]) && typeof values[i] === "number") continue;
    throw new RangeError(
      `${part}: ${name} has ${shown(values[i])} in row ${Math.floor(i / width)}, column ${i % width}; it must be a number that is finite in float32. Clean or scale the data.`,
    );
  }
  return numbers;
}
