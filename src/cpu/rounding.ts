/**
 * How far a float32 result may lie from the exact one. Constants of WGSL's §15.7.4.1, "Accuracy of Concrete Floating
 * Point Expressions". There "correctly rounded" allows either neighbour; every device rounds to the nearest, and is held to it.
 */

/**
 * Half a unit in the last place, relative: 2⁻²⁴ for float32, rounded to the nearest. The last factor stands for what the float64
 * judge rounds itself: K·2⁻⁵³ beside the λ√K·2⁻²⁴ below, up to sums of 2²⁴ terms.
 */
export const UNIT = 2 ** -24 * (1 + 2 ** -20);
/** One ULP of x is at most this times |x|. */
export const ULP = 2 * UNIT;
/** The least normal float32. A result below it, or an operand, may be flushed to zero (WGSL §15.7.3). */
export const LEAST = 2 ** -126;
export const LARGEST = (2 - 2 ** -23) * 2 ** 127;

/** x / y, for |y| in [2⁻¹²⁶, 2¹²⁶]. */
export const DIVISION = 2.5 * ULP;
/** sqrt(x) is inherited from 1 / inverseSqrt(x): 2 ULP and a division. */
export const SQUARE_ROOT = 2 * ULP + DIVISION;
/** Relative error of exp(x). */
export const exponential = (x: number) => (3 + 2 * Math.abs(x)) * ULP;
/** Absolute error of log(x) for x somewhere in [low, high]. */
export const logarithm = (low: number, high: number, value: number) =>
  Math.max(low <= 2 && high >= 0.5 ? 2 ** -21 : 0, 3 * ULP * Math.abs(value));

/**
 * λ of Higham and Mary 2019, "A New Approach to Probabilistic Rounding Error Analysis", SIAM J. Sci. Comput. 41(5), Theorem 2.4:
 * where rounding errors are independent with mean zero, n of them in a row grow as λ√n·u and not as n·u, save with a probability
 * of 2·exp(-λ²/2), here 2.5e-14 for each sum; up to n = λ² = 64 the sure bound n·u is the smaller. They are not independent
 * where thousands of equal numbers are added one by one: the error can then reach n/3·u, n the length of one chain. Kernels take long
 * sums in blocks (kernels/partials.ts, webgpu/codegen/reduction.ts), so that a chain is far shorter than the sum; a product's is up to K/4, and within the
 * bound for sure up to K = 2,304 of equal terms. How sharp it is: test/graph/bounds.test.ts.
 */
const LAMBDA = 8;

/** The relative error of what was rounded at most `count` times, in any order: min(n, λ√n)·u. */
export function accumulated(count: number): number {
  const relative = Math.min(count, LAMBDA * Math.sqrt(count)) * UNIT;
  return relative / (1 - relative);
}

/** The same in one chain, of which nothing is known but its length: n·u, which also holds where all terms are equal. */
export function inOrder(count: number): number {
  const relative = count * UNIT;
  return relative / (1 - relative);
}

/** What flushing a subnormal to zero may add to a result that lies within `error` of `value`. */
export function flushed(value: number, error: number): number {
  return Math.abs(value) - error < LEAST ? Math.min(Math.abs(value) + error, LEAST) : 0;
}

/** The error of a correctly rounded result, `carried` being what its operands' errors make of it. What is representable is exact. */
export function rounded(value: number, carried: number): number {
  if (carried === 0 && Math.fround(value) === value && (value === 0 || Math.abs(value) >= LEAST)) return 0;
  return within(value, carried, UNIT);
}

/** The error of a result that is off by `relative` of itself, besides what is carried. */
export function within(value: number, carried: number, relative: number): number {
  const error = carried + relative * (Math.abs(value) + carried);
  return error + flushed(value, error);
}
