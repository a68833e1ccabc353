import type { Values } from "../graph/program";
import { isRecord, shown } from "../util/checks";
import { ShapeError } from "../util/errors";
import { formatShape, type Shape, sameShape, sizeOf } from "../util/shape";
import type { Criterion } from "./losses";
import { type DataValues, type Nested, nested } from "./nested";

export type { DataValues } from "./nested";

/** Rows to learn from or to judge by: what is known of each, and what is to be told of it. */
export interface Dataset<V extends DataValues = Values> {
  /** Row-major, `rows * inputs` numbers; or `rows` arrays of `inputs` numbers, or nested as the example's shape is. */
  x: V;
  /** Integer classes (one a row, or one a position) or `rows * outputs` numbers, or `rows` arrays of them, or nested. */
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
  /** Numbers in an example, and its shape. */
  readonly inputs: number;
  readonly inputShape: Shape;
  readonly outputShape: Shape;
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
  { inputs, inputShape, vocabulary }: Fitted,
): { count: number; x: Float32Array } {
  const x = nested(part, "x", given);
  const [rows = 0, ...each] = x.shape;
  if (each.length > 0 && rows > 0 && sizeOf(each) !== inputs) {
    const row = each.length === 1 ? `of ${each[0]} numbers` : `of shape ${formatShape(each)}`;
    throw new ShapeError(
      `${part}: x has ${rows} rows ${row}; the network takes rows of ${each.length === 1 ? inputs : formatShape(inputShape)}.`,
    );
  }
  checkNesting(part, "x", each, inputShape);
  const length = sizeOf(x.shape);
  if (length === 0 || length % inputs !== 0) {
    throw new ShapeError(
      `${part}: x has ${length} numbers; the network takes rows of ${inputs}, so that it must have ${inputs}, ${2 * inputs}, ….`,
    );
  }
  const tokens = vocabulary === null ? null : ({ what: "token", count: vocabulary } as const);
  return { count: length / inputs, x: toFloat32(part, "x", x, inputs, tokens) };
}

/** Checks a data set for a network with this loss. Throws TypeError, ShapeError or RangeError, with row and column. */
export function checkDataset(part: string, data: Dataset<DataValues>, network: Fitted, loss: Criterion): Rows {
  checkData(part, data);
  const { positions, units } = network;
  const { count, x } = checkInputs(part, data.x, network);
  const y = nested(part, "y", data.y);
  const [rows, ...each] = y.shape;
  if (each.length > 0 && rows !== count) {
    throw new ShapeError(`${part}: y has ${rows} rows for ${count} rows of x; it must have as many.`);
  }
  const length = sizeOf(y.shape);
  const kind = loss.targets === "classes" && length === count * positions ? "classes" : "values";
  const width = kind === "classes" ? positions : positions * units;
  if (length !== count * width) {
    const fits = `${count * positions * units} (${positions * units} a row)${loss.targets === "classes" ? `, or ${count * positions} classes` : ""}`;
    throw new ShapeError(`${part}: y has ${length} numbers for ${count} rows of x; it must have ${fits}.`);
  }
  checkNesting(part, "y", each, kind === "classes" ? [positions] : network.outputShape);
  const targets = toFloat32(part, "y", y, width, kind === "classes" ? { what: "class", count: units } : null);
  if (kind === "values" && loss.targets !== undefined) checkProbabilities(part, targets, units, loss);
  return { count, x, y: targets, kind };
}

/** A factor for the loss of each of `count` rows. Throws TypeError, ShapeError or RangeError. */
export function checkWeights(part: string, given: DataValues, count: number, loss: Criterion): Float32Array {
  if (loss.whole)
    throw new TypeError(`${part}: ${loss.name} is one number for a batch, which sampleWeights cannot be applied to.`);
  const values = nested(part, "sampleWeights", given);
  if (sizeOf(values.shape) !== count) {
    throw new ShapeError(
      `${part}: sampleWeights has ${sizeOf(values.shape)} numbers for ${count} rows of x; it must have one a row.`,
    );
  }
  const weights = toFloat32(part, "sampleWeights", values, 1, null);
  const at = weights.findIndex((weight) => weight < 0);
  if (at >= 0) throw new RangeError(`${part}: sampleWeights has ${weights[at]} in row ${at}; it must be at least 0.`);
  return weights;
}

/** That rows which are nested are so as the network has them: what is [H, W, C] there would be read as [C, H, W]. Axes of length 1 count nothing. */
function checkNesting(part: string, name: string, row: Shape, wanted: Shape): void {
  const long = (shape: Shape) => shape.filter((length) => length > 1);
  if (row.length < 2 || sameShape(long(row), long(wanted))) return;
  throw new ShapeError(
    `${part}: ${name} has rows of shape ${formatShape(row)}; the network has ${formatShape(wanted)}. Give them so, or each row's numbers in one array.`,
  );
}

/** Integers that stand for something: classes, of which there is one for each output, and tokens. */
interface Whole {
  readonly what: "class" | "token";
  readonly count: number;
}

function wrongWhole(part: string, { what, count }: Whole, name: string, value: number, i: number, width: number) {
  const row = `row ${Math.floor(i / width)}${width > 1 ? `, column ${i % width},` : ""}`;
  const those =
    what === "class"
      ? `classes are integers from 0 to ${count - 1}, one for each output`
      : `tokens are integers from 0 to ${count - 1}`;
  return new RangeError(`${part}: the ${what} in ${row} of ${name} is ${value}; ${those}.`);
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

/** In float32; integers as they are given, not as float32 has them: up to the 2^24 that an embedding may have, it has all. */
function toFloat32(
  part: string,
  name: string,
  { shape, arrays: [first = [], ...more] }: Nested,
  width: number,
  whole: Whole | null,
): Float32Array {
  const own = more.length === 0 && first instanceof Float32Array;
  const numbers = own ? first : new Float32Array(sizeOf(shape));
  let i = 0;
  for (const values of [first, ...more]) {
    for (let column = 0; column < values.length; column++, i++) {
      const value = values[column];
      const where = () => `${part}: ${name} has ${shown(value)} in row ${Math.floor(i / width)}, column ${i % width}`;
      if (typeof value !== "number") {
        throw new TypeError(
          `${where()}; it must be a number: Number() makes one of text, of a boolean and of a bigint.`,
        );
      }
      if (!own) numbers[i] = value;
      if (!Number.isFinite(numbers[i])) {
        throw new RangeError(`${where()}; it must be a number that is finite in float32. Clean or scale the data.`);
      }
      if (whole !== null && (!Number.isInteger(value) || value < 0 || value >= whole.count)) {
        throw wrongWhole(part, whole, name, value, i, width);
      }
    }
  }
  return numbers;
}
