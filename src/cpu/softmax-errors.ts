import { type Numbers, splitShape } from "../graph/ops";
import type { Tensor } from "../graph/tensor";
import { accumulated, DIVISION, exponential, LEAST, logarithm, UNIT, within } from "./rounding";
import type { ErrorRule, Uncertain } from "./uncertain";

/** One row x, as long as the softmax's axis: p = exp(x - m) / S, m = max x, S = Σ exp(x - m) >= 1. */
interface Row {
  readonly m: number;
  readonly S: number;
  /** The largest error of an x of this row. */
  readonly largest: number;
  /** How far the device's exp(x - m) may be off, relative: the difference is rounded, then exp is taken. */
  ofExponential(shifted: number): number;
  /** The same of the device's S. */
  readonly ofSum: number;
  /** Whether an x is so far below the largest, whatever the errors of both, that its exp is less than any number that counts. */
  isAway(value: number, error: number): boolean;
  /** What the errors of all x may make of p, as factors: e^δᵢ / Σ pⱼ e^δⱼ at its most and its least, not linearised. */
  factors(p: number, error: number): { up: number; down: number };
}

/**
 * The decomposed form: maximum, difference, exp, sum, division (perhaps by a reciprocal). Whatever maximum the device takes away,
 * the exact quotient is the same, so the errors of x count by p's own condition and not by that of x - m.
 */
export const softmax: ErrorRule = (node, [x]) =>
  overRows(node, x as Uncertain, ({ m, S, ofExponential, ofSum, factors, isAway }, value, error) => {
    if (isAway(value, error)) return 2 * LEAST;
    const p = Math.exp(value - m) / S;
    // Below 2⁻¹²⁶ exp may be flushed, however large its relative error.
    if (p === 0 && error === 0) return 2 * LEAST;
    const { up, down } = factors(p, error);
    const carried = Math.min(p * Math.max(up - 1, 1 - down, 0), Math.max(p, 1 - p));
    const own = ofExponential(value - m) + ofSum + DIVISION + 2 * UNIT;
    return within(p, carried + LEAST, own * (1 + own));
  });

/** (x - m) - log S, in this order. */
export const logSoftmax: ErrorRule = (node, [x]) =>
  overRows(node, x as Uncertain, ({ m, S, largest, ofSum, factors, isAway }, value, error) => {
    const shifted = value - m;
    if (shifted === Number.NEGATIVE_INFINITY && error === 0) return 0;
    // What counts for nothing in the sum has its own error, and that of the sum.
    const alone = isAway(value, error) ? error : 0;
    const { up, down } = factors(Math.exp(shifted) / S, error - alone);
    const carried = alone + Math.max(Math.log(up), -Math.log(down), 0);
    // The device's S is that of its own x.
    const wander = 2 * largest + ofSum * (1 + ofSum);
    const ofLog = ofSum * (1 + ofSum) + logarithm(S * Math.exp(-wander), S * Math.exp(wander), Math.log(S) + wander);
    return within(shifted - Math.log(S), carried + UNIT * (Math.abs(shifted) + 2 * largest) + ofLog, UNIT);
  });

/** exp(-AWAY) is less than half the least number that counts, by far more than the terms of any row. */
const AWAY = 150;

function overRows(
  node: Tensor,
  { values, errors }: Uncertain,
  rule: (row: Row, value: number, error: number) => number,
): Numbers {
  const { from = 0, to = 0 } = node.attributes;
  const { outer, length, inner } = splitShape(node.shape, from, to);
  const out = new Float64Array(values.length);
  const x = new Float64Array(length);
  const e = new Float64Array(length);
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      for (let l = 0; l < length; l++) {
        x[l] = values[(o * length + l) * inner + i] as number;
        e[l] = errors[(o * length + l) * inner + i] as number;
      }
      if (isNaNAll(x, e)) continue;
      const row = describe(x, e);
      for (let l = 0; l < length; l++) out[(o * length + l) * inner + i] = rule(row, x[l] as number, e[l] as number);
    }
  }
  return out;
}

/** Whether the whole row is NaN: with a NaN in it, with infinity, or with nothing above -infinity. */
function isNaNAll(x: Numbers, e: Numbers): boolean {
  const sure = (value: number, l: number) => e[l] === 0 && !(value < Number.POSITIVE_INFINITY);
  return x.some(sure) || x.every((value, l) => e[l] === 0 && value === Number.NEGATIVE_INFINITY);
}

function describe(x: Numbers, e: Numbers): Row {
  const m = x.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  // At least so large is the largest x, whichever it is.
  const lowest = x.reduce((a, b, l) => Math.max(a, b - (e[l] as number)), Number.NEGATIVE_INFINITY);
  const isAway = (value: number, error: number) => value + error < lowest - AWAY;
  const largest = e.reduce((a, b, l) => (isAway(x[l] as number, b) ? a : Math.max(a, b)), 0);
  const S = x.reduce((sum, value) => sum + Math.exp(value - m), 0);
  const ofExponential = (shifted: number) => {
    const reach = Math.abs(shifted) + 2 * largest;
    return exponential(reach) + UNIT * reach;
  };
  let most = 0;
  let least = 0;
  let weighted = 0;
  x.forEach((value, l) => {
    const p = Math.exp(value - m) / S;
    if (p === 0 || isAway(value, e[l] as number)) return;
    most += p * Math.exp(e[l] as number);
    least += p * Math.exp(-(e[l] as number));
    weighted += p * ofExponential(value - m);
  });
  return {
    m,
    S,
    largest,
    ofExponential,
    isAway,
    ofSum: weighted + accumulated(x.length - 1) + x.length * LEAST,
    factors(p, error) {
      const grown = Math.exp(error);
      return { up: grown / (p * grown + least - p / grown), down: 1 / grown / (p / grown + most - p * grown) };
    },
  };
}
