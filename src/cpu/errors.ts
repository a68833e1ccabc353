import { elementwiseRow, type Numbers, type Op, rowOf, spread } from "../graph/ops";
import type { Tensor } from "../graph/tensor";
import {
  ceil,
  compare,
  cos,
  div,
  type ElementError,
  erf,
  exp,
  expm1,
  floor,
  log,
  log1p,
  mask,
  maximum,
  minimum,
  ofProduct,
  ofSquare,
  ofSum,
  pow,
  relu,
  round,
  same,
  sigmoid,
  sign,
  sin,
  sqrt,
  sqrtOfNonnegative,
  tanh,
  toInt32,
} from "./elementwise-errors";
import { equalToMaximum } from "./equal-to-maximum";
import { evaluate, overParts } from "./evaluate";
import { joined, overSteps } from "./over-steps";
import { argmax, matmul, max, prod, scatterAdd, sum, take } from "./reduction-errors";
import { LARGEST, LEAST, rounded, ULP, UNIT, within } from "./rounding";
import { logSoftmax, softmax } from "./softmax-errors";
import { EITHER_SIGN, type ErrorRule, type Uncertain } from "./uncertain";

interface Row {
  readonly errors: ErrorRule;
  /** Whether it gives numbers that cannot be negative: always, or where no operand can be; else never said. */
  readonly nonnegative?: "always" | "inherited";
  /** Whether it gives one of a few integers, so that an error is another decision, not a distance. */
  readonly decides?: true;
  /** The operand of whose zeros it makes an infinity with that zero's sign. */
  readonly pole?: 0 | 1;
}

/** One row an operation: what it rounds itself, and what it makes of its operands' errors. Source: Higham 2002, §3.3, running error analysis. */
export const ERRORS = {
  input: { errors: given },
  parameter: { errors: given },
  constant: { errors: given },
  iota: { errors: exact, nonnegative: "always" },

  permute: { errors: moved, nonnegative: "inherited" },
  reshape: { errors: moved, nonnegative: "inherited" },
  broadcast: { errors: moved, nonnegative: "inherited" },
  slice: { errors: moved, nonnegative: "inherited" },
  pad: { errors: moved },
  windows: { errors: moved, nonnegative: "inherited" },
  diagonal: { errors: moved, nonnegative: "inherited" },

  add: { errors: arithmetic(ofSum), nonnegative: "inherited" },
  sub: { errors: arithmetic(ofSum) },
  mul: { errors: arithmetic(ofProduct), nonnegative: "inherited" },
  div: { errors: each(div), nonnegative: "inherited", pole: 1 },
  maximum: { errors: each(maximum), nonnegative: "inherited" },
  minimum: { errors: each(minimum), nonnegative: "inherited" },
  pow: { errors: each(pow), nonnegative: "inherited", pole: 0 },
  gt: { errors: decision(compare), nonnegative: "always", decides: true },
  ge: { errors: decision(compare), nonnegative: "always", decides: true },
  lt: { errors: decision(compare), nonnegative: "always", decides: true },
  le: { errors: decision(compare), nonnegative: "always", decides: true },
  eq: {
    errors: (node, operands, values) => equalToMaximum(node, operands) ?? decision(compare)(node, operands, values),
    nonnegative: "always",
    decides: true,
  },
  mask: { errors: decision(mask), nonnegative: "inherited" },

  neg: { errors: each(same) },
  abs: { errors: each(same), nonnegative: "always" },
  square: { errors: arithmetic(ofSquare), nonnegative: "always" },
  sqrt: {
    errors: (node, operands, values) =>
      each(operands[0]?.nonnegative ? sqrtOfNonnegative : sqrt)(node, operands, values),
    nonnegative: "always",
  },
  exp: { errors: each(exp), nonnegative: "always" },
  log: { errors: each(log) },
  log1p: { errors: each(log1p), nonnegative: "inherited" },
  expm1: { errors: each(expm1), nonnegative: "inherited" },
  erf: { errors: each(erf), nonnegative: "inherited" },
  sin: { errors: each(sin) },
  cos: { errors: each(cos) },
  sign: { errors: each(sign), nonnegative: "inherited", decides: true },
  floor: { errors: each(floor), nonnegative: "inherited", decides: true },
  ceil: { errors: each(ceil), nonnegative: "inherited", decides: true },
  round: { errors: each(round), nonnegative: "inherited", decides: true },
  stopGradient: { errors: each(same), nonnegative: "inherited" },
  relu: { errors: each(relu), nonnegative: "always" },
  tanh: { errors: each(tanh), nonnegative: "inherited" },
  sigmoid: { errors: each(sigmoid), nonnegative: "always" },

  toInt32: { errors: each(toInt32), nonnegative: "inherited", decides: true },
  toFloat32: { errors: arithmetic(same), nonnegative: "inherited" },
  // Bits of integers: exact, or anything in [0, 1).
  random: { errors: random, nonnegative: "always" },

  take: { errors: take, nonnegative: "inherited" },
  scatterAdd: { errors: scatterAdd, nonnegative: "inherited" },
  matmul: { errors: matmul, nonnegative: "inherited" },
  sum: { errors: sum, nonnegative: "inherited" },
  max: { errors: max, nonnegative: "inherited" },
  prod: { errors: prod, nonnegative: "inherited" },
  argmax: { errors: argmax, nonnegative: "always", decides: true },
  softmax: { errors: softmax, nonnegative: "always" },
  logSoftmax: { errors: logSoftmax },
  conv: { errors: ofParts, nonnegative: "inherited" },
  checkpoint: { errors: ofParts },

  scan: { errors: scanned },
  item: { errors: moved },
} satisfies Record<Op, Row>;

export function errorRow(op: Op): Row {
  return ERRORS[op];
}

/** What is known of a node's value, from what is known of its operands. */
export function uncertain(node: Tensor, operands: readonly Uncertain[], values: Numbers): Uncertain {
  const row = errorRow(node.op);
  // Of integers the least is one further from 0 than the largest.
  const [largest, middle] = node.dtype === "int32" ? [2 ** 31 - 0.5, -0.5] : [LARGEST, 0];
  const errors = row.errors(node, operands, values);
  // What is only moved has been looked at before.
  if (!["view", "scan", "item"].includes(rowOf(node.op).kind)) {
    errors.forEach((error, i) => {
      const value = values[i] as number;
      if (Number.isFinite(value) ? Math.abs(value - middle) + error <= largest : error === 0) return;
      errors[i] = error === EITHER_SIGN && !Number.isNaN(value) ? Number.NaN : Number.POSITIVE_INFINITY;
    });
  }
  return { values, errors, nonnegative: isNonnegative(node, operands, values) };
}

function isNonnegative({ op, operands: [a, b] }: Tensor, operands: readonly Uncertain[], values: Numbers): boolean {
  const { nonnegative } = errorRow(op);
  if (nonnegative === "always" || (op === "mul" && a === b)) return true;
  if (operands.length === 0) return values.every((value) => value >= 0);
  return nonnegative === "inherited" && operands.every((operand) => operand.nonnegative);
}

/** The errors of what a composite is made of, one after another. */
function ofParts(node: Tensor, operands: readonly Uncertain[]): Numbers {
  return overParts(node, operands, (part, own) => {
    const values = own.map((operand) => operand.values);
    return uncertain(part, own, evaluate(part, values));
  }).errors;
}

/**
 * What is handed over: int32 holds it; float32 holds it, or rounds it, by up to u where a literal is multiplied with another
 * first; and a subnormal may be flushed to zero.
 */
function given({ dtype }: Tensor, _operands: readonly Uncertain[], values: Numbers): Numbers {
  if (dtype === "int32") return new Float64Array(values.length);
  return values.map((value) => {
    if (Math.abs(value) < LEAST) return Math.abs(value);
    return Math.fround(value) === value ? 0 : UNIT * Math.abs(value);
  });
}

function exact(_node: Tensor, _operands: readonly Uncertain[], values: Numbers): Numbers {
  return new Float64Array(values.length);
}

/** A view moves errors as it moves values; what it puts around them is exact. */
function moved(node: Tensor, operands: readonly Uncertain[]): Numbers {
  return evaluate(
    { ...node, attributes: { ...node.attributes, fill: 0 } },
    operands.map(({ errors }) => errors),
  );
}

function each(rule: ElementError): ErrorRule {
  return decision((value, a, ea, b, eb) =>
    ea + eb < Number.POSITIVE_INFINITY ? rule(value, a, ea, b, eb) : Number.POSITIVE_INFINITY,
  );
}

/** Correctly rounded in float32; exact in int32. */
function arithmetic(carried: ElementError): ErrorRule {
  const float32 = each((value, a, ea, b, eb) => rounded(value, carried(value, a, ea, b, eb)));
  const int32 = each(carried);
  return (node, operands, values) => (node.dtype === "int32" ? int32 : float32)(node, operands, values);
}

/**
 * Element by element, broadcasting; `rule` also hears of operands without a bound. Where a value is NaN or infinite, or an operand is, or has
 * no bound, it is sure if all that the operands may be gives the same.
 */
function decision(rule: ElementError): ErrorRule {
  return (node, operands, values) => {
    const shaped = (part: "values" | "errors") =>
      operands.map((operand, i) => spread(operand[part], (node.operands[i] as Tensor).shape, node.shape));
    const [a, b = a] = shaped("values") as [Numbers, Numbers?];
    const [ea, eb] = shaped("errors") as [Numbers, Numbers?];
    const { evaluate, expensive = false } = elementwiseRow(node.op) as NonNullable<ReturnType<typeof elementwiseRow>>;
    return values.map((value, i) => {
      const [x, ex, y, ey] = [
        a[i] as number,
        ea[i] as number,
        b[i] as number,
        eb === undefined ? 0 : (eb[i] as number),
      ];
      if (ex + ey < Number.POSITIVE_INFINITY && Number.isFinite(x) && Number.isFinite(y) && Number.isFinite(value)) {
        return rule(value, x, ex, y, ey);
      }
      const sure = reach(x, ex).every((p) => reach(y, ey).every((q) => alike(evaluate(p, q, 0), value)));
      if (!sure) return Number.isFinite(value) ? rule(value, x, ex, y, ey) : Number.POSITIVE_INFINITY;
      if (Number.isNaN(value)) return 0;
      if (!Number.isFinite(value)) return isVagueZero(node, errorRow(node.op).pole, [x, y]) ? EITHER_SIGN : 0;
      return within(value, 0, expensive ? 4 * ULP : 0);
    });
  };
}

/** Whether the operand is a zero of which a device need not know the sign. */
function isVagueZero(node: Tensor, operand: 0 | 1 | undefined, values: readonly [number, number]): boolean {
  if (operand === undefined || values[operand] !== 0) return false;
  return !(Object.is(values[operand], 0) && isGiven(node.operands[operand]));
}

/** Whether a number is the one that was handed over. The sign of a zero that was computed says nothing, nor does a minus. (WGSL §15.7) */
function isGiven(node: Tensor | undefined): boolean {
  let source = node;
  while (source && rowOf(source.op).kind === "view") source = source.operands[0];
  return source !== undefined && rowOf(source.op).kind === "leaf";
}

/** What an operand may be: its ends, between which operations grow or fall; either infinity; or anything. */
function reach(x: number, error: number): readonly number[] {
  if (error === 0) return [x];
  if (Number.isNaN(error)) return [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  return error < Number.POSITIVE_INFINITY ? [x - error, x, x + error] : ANYTHING;
}
const ANYTHING = [Number.NEGATIVE_INFINITY, -1, 0, 1, Number.POSITIVE_INFINITY, Number.NaN];

function alike(a: number, b: number): boolean {
  return a === b || (Number.isNaN(a) && Number.isNaN(b));
}

/** Those of the step's own operations, step after step. */
function scanned(node: Tensor, operands: readonly Uncertain[]): Numbers {
  const parts = overSteps(node, operands, {
    slice: ({ values, errors, nonnegative }, from, to): Uncertain => ({
      values: values.subarray(from, to),
      errors: errors.subarray(from, to),
      nonnegative,
    }),
    compute: (inner, known) =>
      uncertain(
        inner,
        known,
        evaluate(
          inner,
          known.map(({ values }) => values),
        ),
      ),
  });
  return joined(parts.map(({ errors }) => errors));
}

function random(_node: Tensor, operands: readonly Uncertain[], values: Numbers): Numbers {
  const unsure = operands.some(({ errors }) => errors.some((error) => error > 0));
  return new Float64Array(values.length).fill(unsure ? 1 : 0);
}
