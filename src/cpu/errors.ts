import { type Numbers, type Op, spread } from "../graph/ops";
import type { Tensor } from "../graph/tensor";
import {
  compare,
  div,
  type ElementError,
  exp,
  log,
  mask,
  maximum,
  minimum,
  ofProduct,
  ofSquare,
  ofSum,
  relu,
  same,
  sigmoid,
  sqrt,
  sqrtOfNonnegative,
  tanh,
  toInt32,
} from "./elementwise-errors";
import { equalToMaximum } from "./equal-to-maximum";
import { evaluate } from "./evaluate";
import { argmax, matmul, max, sum, take } from "./reduction-errors";
import { LEAST, rounded, UNIT } from "./rounding";
import { logSoftmax, softmax } from "./softmax-errors";
import type { ErrorRule, Uncertain } from "./uncertain";

interface Row {
  readonly errors: ErrorRule;
  /** Whether it gives numbers that cannot be negative: always, or where no operand can be; else never said. */
  readonly nonnegative?: "always" | "inherited";
}

/** One row an operation: what it rounds itself, and what it makes of its operands' errors. Source: Higham 2002, §3.3, running error analysis. */
export const ERRORS = {
  input: { errors: given },
  parameter: { errors: given },
  constant: { errors: given },
  iota: { errors: exact, nonnegative: "always" },

  transpose: { errors: moved, nonnegative: "inherited" },
  reshape: { errors: moved, nonnegative: "inherited" },
  broadcast: { errors: moved, nonnegative: "inherited" },

  add: { errors: arithmetic(ofSum), nonnegative: "inherited" },
  sub: { errors: arithmetic(ofSum) },
  mul: { errors: arithmetic(ofProduct), nonnegative: "inherited" },
  div: { errors: each(div), nonnegative: "inherited" },
  maximum: { errors: each(maximum), nonnegative: "inherited" },
  minimum: { errors: each(minimum), nonnegative: "inherited" },
  gt: { errors: decision(compare), nonnegative: "always" },
  ge: { errors: decision(compare), nonnegative: "always" },
  lt: { errors: decision(compare), nonnegative: "always" },
  le: { errors: decision(compare), nonnegative: "always" },
  eq: {
    errors: (node, operands, values) => equalToMaximum(node, operands) ?? decision(compare)(node, operands, values),
    nonnegative: "always",
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
  relu: { errors: each(relu), nonnegative: "always" },
  tanh: { errors: each(tanh), nonnegative: "inherited" },
  sigmoid: { errors: each(sigmoid), nonnegative: "always" },

  toInt32: { errors: each(toInt32), nonnegative: "inherited" },
  toFloat32: { errors: arithmetic(same), nonnegative: "inherited" },
  // Bits of integers: exact, or anything in [0, 1).
  random: { errors: random, nonnegative: "always" },

  take: { errors: take, nonnegative: "inherited" },
  matmul: { errors: matmul, nonnegative: "inherited" },
  sum: { errors: sum, nonnegative: "inherited" },
  max: { errors: max, nonnegative: "inherited" },
  argmax: { errors: argmax, nonnegative: "always" },
  softmax: { errors: softmax, nonnegative: "always" },
  logSoftmax: { errors: logSoftmax },
} satisfies Record<Op, Row>;

export function errorRow(op: Op): Row {
  return ERRORS[op];
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

/** A view moves errors as it moves values. */
function moved(node: Tensor, operands: readonly Uncertain[]): Numbers {
  return evaluate(
    node,
    operands.map(({ errors }) => errors),
  );
}

function each(rule: ElementError): ErrorRule {
  // What has no bound may be NaN, of which no interval says anything.
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

/** Element by element, broadcasting; `rule` also hears of operands without a bound. */
function decision(rule: ElementError): ErrorRule {
  return (node, operands, values) => {
    const shaped = (part: "values" | "errors") =>
      operands.map((operand, i) => spread(operand[part], (node.operands[i] as Tensor).shape, node.shape));
    const [a, b = a] = shaped("values") as [Numbers, Numbers?];
    const [ea, eb] = shaped("errors") as [Numbers, Numbers?];
    return values.map((value, i) =>
      rule(value, a[i] as number, ea[i] as number, b[i] as number, eb === undefined ? 0 : (eb[i] as number)),
    );
  };
}

function random(_node: Tensor, operands: readonly Uncertain[], values: Numbers): Numbers {
  const unsure = operands.some(({ errors }) => errors.some((error) => error > 0));
  return new Float64Array(values.length).fill(unsure ? 1 : 0);
}
