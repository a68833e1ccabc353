import { OPS } from "../graph/ops";
import { DIVISION, exponential, LEAST, logarithm, SQUARE_ROOT, UNIT, within } from "./rounding";

/**
 * The error of one element: `value` is the exact result, a and b are the exact operands, and a device's operands lie within
 * `ea` of a and `eb` of b. Errors of operands are finite here. NaN and Infinity as a result mean that there is no bound.
 */
export type ElementError = (value: number, a: number, ea: number, b: number, eb: number) => number;

/** What the operands' errors make of a sum or a difference, a product, a square; nothing rounded. */
export const ofSum: ElementError = (_value, _a, ea, _b, eb) => ea + eb;
export const ofProduct: ElementError = (_value, a, ea, b, eb) => Math.abs(a) * eb + ea * Math.abs(b) + ea * eb;
export const ofSquare: ElementError = (_value, a, ea) => 2 * Math.abs(a) * ea + ea * ea;

/** 2.5 ULP where |b| is within [2⁻¹²⁶, 2¹²⁶]; a larger one may have a reciprocal that is flushed to zero. */
export const div: ElementError = (value, _a, ea, b, eb) => {
  const least = Math.abs(b) - eb;
  if (least < LEAST) return Number.POSITIVE_INFINITY;
  const error = within(value, (ea + Math.abs(value) * eb) / least, DIVISION);
  return Math.abs(b) + eb > 2 ** 126 ? error + Math.abs(value) : error;
};

/** Of two candidates, both uncertain; `pick` is max or min. */
const either =
  (pick: (a: number, b: number) => number): ElementError =>
  (value, a, ea, b, eb) =>
    Math.max(pick(a + ea, b + eb) - value, value - pick(a - ea, b - eb));
export const maximum = either(Math.max);
export const minimum = either(Math.min);
export const relu: ElementError = (value, a, ea) => maximum(value, a, ea, 0, 0);
/** Sign and copy change nothing. */
export const same: ElementError = (_value, _a, ea) => ea;

/** No bound where the operand may be negative. */
export const sqrt: ElementError = (value, a, ea) => within(value, spread(Math.sqrt, value, a, ea), SQUARE_ROOT);
/** Of an operand that cannot be negative, whatever its error. */
export const sqrtOfNonnegative: ElementError = (value, a, ea) =>
  within(
    value,
    spread((x) => Math.sqrt(Math.max(x, 0)), value, a, ea),
    SQUARE_ROOT,
  );
export const exp: ElementError = (value, a, ea) =>
  within(value, spread(Math.exp, value, a, ea), exponential(Math.abs(a) + ea));
export const log: ElementError = (value, a, ea) => {
  if (a - ea <= 0) return Number.POSITIVE_INFINITY;
  const carried = spread(Math.log, value, a, ea);
  return carried + logarithm(a - ea, a + ea, Math.abs(value) + carried);
};

/**
 * As the kernels write it (graph/ops.ts). Below 0.625 the polynomial x + x·z·P(z): its own error is 0.08u, the five roundings inside
 * x·z·P weigh |z·P| <= 0.13 and the last sum u, together under 2u. Above, 1 - 2/(E + 1) with E = exp(2a): an error of E
 * counts (1 - t²)/2, the sum and the division count 1 - t, the last difference t.
 */
export const tanh: ElementError = (value, a, ea) => {
  const t = Math.abs(value);
  const carried = spread(Math.tanh, value, a, ea);
  const x = Math.abs(a) + ea;
  let own = Math.abs(a) - ea < 0.625 ? 2 * UNIT * t : 0;
  if (x >= 0.625) {
    const E = exponential(2 * Math.min(x, 20));
    own = Math.max(own, ((1 - t * t) / 2) * E * (1 + E) + (1 - t) * (UNIT + DIVISION) + UNIT * t);
  }
  return within(value, carried + own, 0);
};

/** As the kernels write it: e / (1 + e) or 1 / (1 + e) with e = exp(-|x|), whose error counts s·(1 - s). */
export const sigmoid: ElementError = (value, a, ea) => {
  const E = exponential(Math.abs(a) + ea);
  const own = value * (1 - value) * E * (1 + E) + LEAST;
  return within(value, spread(logistic, value, a, ea) + own, UNIT + DIVISION);
};

/** Of what grows by steps (an integer part, a sign): exact, unless a step lies between what the operand may be. */
const steps =
  ({ evaluate }: { evaluate(a: number, b: number, c: number): number }): ElementError =>
  (value, a, ea) =>
    Math.max(evaluate(a + ea, 0, 0) - value, value - evaluate(a - ea, 0, 0));
export const toInt32 = steps(OPS.toInt32);
export const sign = steps(OPS.sign);
export const floor = steps(OPS.floor);
export const ceil = steps(OPS.ceil);
export const round = steps(OPS.round);

/**
 * As the kernels write it (shaders/functions.wgsl). Where |x| < 0.41: of f - (f²/2 - s(f²/2 + R)) the outer difference rounds once, what
 * is taken away is at most 0.21 of f and has four roundings and a division, together under 3u. Else the logarithm of a sum that rounds once.
 */
export const log1p: ElementError = (value, a, ea) => {
  if (a - ea <= -1) return Number.POSITIVE_INFINITY;
  const carried = spread(Math.log1p, value, a, ea);
  const size = Math.abs(value) + carried;
  const [low, high] = [1 + a - ea, 1 + a + ea];
  const far = low < 0.71 || high > 1.41 ? UNIT + logarithm(low, high, size) : 0;
  return within(value, carried + far, 3 * UNIT);
};

/** As the kernels write it: the series' first term is exact, the others are at most 0.25 of it; else exp(x), and a difference. */
export const expm1: ElementError = (value, a, ea) => {
  const carried = spread(Math.expm1, value, a, ea);
  const x = Math.abs(a) + ea;
  const far = x >= 0.5 ? (Math.abs(value) + carried + 1) * exponential(x) : 0;
  return within(value, carried + far, 3 * UNIT);
};

/** As the kernels write it: x + x·P(x²), or 1 - exp(-r), of which errors of r and of exp count what is left to 1. */
export const erf: ElementError = (value, a, ea) => {
  const carried = spread(OPS.erf.evaluate as (x: number) => number, value, a, ea);
  const left = Math.max(0, 1 - Math.abs(value));
  const r = left > 0 ? -Math.log(left) : 0;
  const far = Math.abs(a) + ea >= 0.92 ? left * (exponential(r + carried) + 4 * UNIT * (r + 1)) + LEAST : 0;
  // x·P of the least numbers is below them, and may be flushed to zero.
  const lost = Math.abs(a) - ea < 8 * LEAST ? LEAST : 0;
  return within(value, carried + far + lost, 2 * UNIT);
};

/**
 * As the kernels write it (shaders/functions.wgsl). What is left of a multiple of π/2 is rounded once, whatever x is: u of the sine, 0.79u
 * of the cosine. r + r·z·P has the last sum's rounding, and five of what is at most a tenth; 1 - z·(1/2 - z·Q) has the last one's, and
 * three of what is at most 0.29 of 1 and 0.41 of the result. Measured at 2^25 numbers: 2.05u.
 */
const turned =
  (slope: (x: number) => number): ElementError =>
  (value, a, ea) =>
    within(value, ea === 0 ? 0 : Math.min(2, Math.abs(slope(a)) * ea + (ea * ea) / 2), 4 * UNIT);
export const sin = turned(Math.cos);
export const cos = turned(Math.sin);

/**
 * As the kernels write it: the exponent p = b·log2|a| has 31 bits, which is |p|/100·u of the result, in float64 on the CPU; its fraction's
 * rounding counts u/3, those of 1 + f·P together under 2.5u. What is squared or cubed instead rounds twice at most. Measured: 2.4u.
 */
export const pow: ElementError = (value, a, ea, b, eb) => {
  const { evaluate } = OPS.pow;
  // Across 0 it is smooth for whole numbers alone; where it grows or falls is otherwise told by the corners.
  if (a - ea < 0 && (eb > 0 || !Number.isInteger(b))) return Number.POSITIVE_INFINITY;
  const bases = a - ea < 0 && a + ea > 0 ? [a - ea, 0, a + ea] : [a - ea, a + ea];
  const corners = bases.flatMap((base) => [b - eb, b + eb].map((exponent) => evaluate(base, exponent, 0)));
  const carried = ea + eb === 0 ? 0 : Math.max(...corners.map((corner) => Math.abs(corner - value)));
  const exponents = [value, ...corners].map((each) => (each === 0 ? 0 : Math.abs(Math.log2(Math.abs(each)))));
  return within(value, carried, (3 + Math.min(Math.max(...exponents), 160) / 64) * UNIT);
};

/** 0 or 1: exact, unless the operands may stand the other way round. */
export const compare: ElementError = (_value, a, ea, b, eb) => (ea + eb === 0 || Math.abs(a - b) > ea + eb ? 0 : 1);

/** `a` or 0: where the condition is sure, exact besides a's error; else it covers both. */
export const mask: ElementError = (value, a, ea, condition, eb) => {
  if (eb === 0) return condition === 0 ? 0 : ea;
  if (Math.abs(condition) > eb) return ea;
  return condition === 0 ? Math.abs(a) + ea : Math.max(Math.abs(value), ea);
};

/** How far a growing function may come from `value` where its operand may come `ea` from a. */
function spread(grows: (x: number) => number, value: number, a: number, ea: number): number {
  return ea === 0 ? 0 : Math.max(grows(a + ea) - value, value - grows(a - ea));
}

function logistic(x: number): number {
  return 1 / (1 + Math.exp(-x));
}
