import { expect } from "vitest";
import type { Golden } from "./golden";

/** The unit roundoff of float64, 2⁻⁵³, in units of that of float32, 2⁻²⁴. */
const FLOAT64_PER_FLOAT32 = 2 ** -29;

/**
 * What a trajectory in float32 is held to at each record, given the relative errors of NumPy's own float32: 8 times the
 * largest up to there, never required below 2e-5. (parity.md, "trajectory")
 */
export function trajectoryBounds(float32Errors: ArrayLike<number>): Float64Array {
  let largest = 0;
  return Float64Array.from(float32Errors, (error) => {
    largest = Math.max(largest, error);
    return Math.max(8 * largest, 2e-5);
  });
}

export function lossBounds(golden: Golden): Float64Array {
  const float32 = golden.values("f32_losses");
  const errors = Float64Array.from(golden.values("losses"), (loss, i) => Math.abs((float32[i] as number) / loss - 1));
  return trajectoryBounds(errors);
}

/**
 * What the weights at the end of a run are held to, in units of each tensor's largest value: as the trajectory, from the
 * errors that NumPy's own float32 ended with.
 */
export function finalBounds(golden: Golden): Record<string, number> {
  const float32Errors: Record<string, number> = JSON.parse(golden.metadata.f32_max_abs_param_error ?? "{}");
  const bound = ([name, values]: [string, ArrayLike<number>]): [string, number] => {
    const error = float32Errors[name];
    if (error === undefined) throw new RangeError(`${golden.name} does not say how far float32 ended from ${name}`);
    return [name, trajectoryBounds([error / largestOf(values)])[0] as number];
  };
  return Object.fromEntries(Object.entries(golden.group("final")).map(bound));
}

/**
 * A trajectory bound of float32 in the proportion of the roundings: for a run in float64 against NumPy's, which sums in
 * another order and amplifies that by the same path.
 */
export function inFloat64(bound: number): number {
  return bound * FLOAT64_PER_FLOAT32;
}

/**
 * The same for a loss that is a sum of squares. Where float32 has lost it (errors above 1), its residue is off by a
 * factor √(1 + bound); a run that has not lost it is off by the proportion of that, twice in the square.
 */
export function squareInFloat64(bound: number): number {
  return inFloat64(2 * (Math.sqrt(1 + bound) - 1));
}

/** What a golden tensor has lost in its file, in units of its largest value: large arrays are stored in float32. */
export function storedRounding(values: ArrayLike<number>): number {
  return values instanceof Float32Array ? 2 ** -24 : 0;
}

/** Of `count` records of a tensor one after the other: the largest error, in units of the largest value, of each. */
export function recordErrors(got: ArrayLike<number>, want: ArrayLike<number>, count: number): Float64Array {
  const size = want.length / count;
  const part = (values: ArrayLike<number>, record: number) =>
    Float64Array.from({ length: size }, (_, i) => values[record * size + i] as number);
  return Float64Array.from({ length: count }, (_, record) => tensorError(part(got, record), part(want, record)));
}

/** Every value of `got` to the one at its place in `want`, relative, within `bounds` (one for all, or one each). */
export function expectClose(
  what: string,
  got: ArrayLike<number>,
  want: ArrayLike<number>,
  bounds: number | ArrayLike<number>,
): void {
  expect(got.length, `${what}: values`).toBe(want.length);
  const errors = Float64Array.from(want, (value, i) => Math.abs((got[i] as number) / value - 1));
  expectWithin(`${what}: relative error`, errors, bounds);
}

/** Every error within its bound; says which is the furthest beyond. */
export function expectWithin(what: string, errors: ArrayLike<number>, bounds: number | ArrayLike<number>): void {
  const boundAt = (i: number) => (typeof bounds === "number" ? bounds : (bounds[i] as number));
  let worst = 0;
  for (let i = 0; i < errors.length; i++) {
    const error = errors[i] as number;
    if (error / boundAt(i) > (errors[worst] as number) / boundAt(worst)) worst = i;
    if (Number.isNaN(error)) {
      worst = i;
      break;
    }
  }
  expect(errors[worst], `${what} of record ${worst} of ${errors.length}`).toBeLessThanOrEqual(boundAt(worst));
}

/** A tensor's largest error, in units of its largest value, to at most `bound`. */
export function expectTensor(what: string, got: ArrayLike<number>, want: ArrayLike<number>, bound: number): void {
  expect(got.length, `${what}: values`).toBe(want.length);
  expect(tensorError(got, want), `${what}: largest error per largest value`).toBeLessThanOrEqual(bound);
}

/** The 2-norm of the error, to at most `bound` of the norm of `want`. (parity.md, "step") */
export function expectNorm(what: string, got: ArrayLike<number>, want: ArrayLike<number>, bound: number): void {
  expect(got.length, `${what}: values`).toBe(want.length);
  let [error, norm] = [0, 0];
  for (let i = 0; i < want.length; i++) {
    error += ((got[i] as number) - (want[i] as number)) ** 2;
    norm += (want[i] as number) ** 2;
  }
  const ratio = error === 0 ? 0 : Math.sqrt(error / norm); // all zeros are right where ReLU lets nothing through
  expect(ratio, `${what}: norm of the error per norm`).toBeLessThanOrEqual(bound);
}

/** NaN where a value is. */
function tensorError(got: ArrayLike<number>, want: ArrayLike<number>): number {
  let error = 0;
  for (let i = 0; i < want.length; i++) error = Math.max(error, Math.abs((got[i] as number) - (want[i] as number)));
  return error / largestOf(want);
}

function largestOf(values: ArrayLike<number>): number {
  let largest = 0;
  for (let i = 0; i < values.length; i++) largest = Math.max(largest, Math.abs(values[i] as number));
  return largest;
}

/** The largest error in units of the largest value, or of `least` where all are smaller. */
export function relativeError(got: ArrayLike<number>, expected: ArrayLike<number>, least = 0): number {
  expect(got.length).toBe(expected.length);
  let error = 0;
  let scale = least;
  for (let i = 0; i < expected.length; i++) {
    const off = Math.abs((got[i] as number) - (expected[i] as number));
    error = Math.max(error, Number.isNaN(off) ? Infinity : off);
    scale = Math.max(scale, Math.abs(expected[i] as number));
  }
  return error === 0 ? 0 : error / scale;
}
