import type { DType, ElementwiseOp } from "../graph/ops";
import { erf, exp, expm1, log, log1p, random, sigmoid, sign, tanh } from "./functions";
import * as O from "./opcodes";
import type { FunctionBody, Value } from "./scope";

const COMPARISONS: Partial<Record<ElementwiseOp, readonly [float32: number, int32: number]>> = {
  gt: [O.F_GT, O.I_GT],
  ge: [O.F_GE, O.I_GE],
  lt: [O.F_LT, O.I_LT],
  le: [O.F_LE, O.I_LE],
  eq: [O.F_EQ, O.I_EQ],
};

/** Lanes of ones where a comparison holds, zeros elsewhere; null where `op` is none. */
export function comparison(f: FunctionBody, op: ElementwiseOp, dtype: DType, a: Value, b: Value): Value | null {
  const codes = COMPARISONS[op];
  return codes === undefined ? null : f.op(codes[dtype === "int32" ? 1 : 0], a, b);
}

/** `a` where the lanes of `condition` are ones, 0 elsewhere. */
export function where(f: FunctionBody, condition: Value, a: Value): Value {
  return f.op(O.V_AND, a, condition);
}

/** Functions that few programs need, and that take many instructions: of a chunk of their own. */
export interface LongFunctions {
  pow(f: FunctionBody, a: Value, b: Value): Value;
  /** The sine of what is so many quarters of a turn further. */
  sin(f: FunctionBody, a: Value, quarters: 0 | 1): Value;
}

/** An elementwise operation on four lanes. `dtype` is that of the last operand; `long` is there where an operation of the program wants it. */
export function apply(
  f: FunctionBody,
  op: ElementwiseOp,
  dtype: DType,
  operands: readonly Value[],
  long: LongFunctions | null,
): Value {
  const [a, b = a, c = a] = operands as readonly [Value, Value?, Value?];
  const either = (float32: number, int32: number) => f.op(dtype === "int32" ? int32 : float32, a, b);
  switch (op) {
    case "add":
      return either(O.F_ADD, O.I_ADD);
    case "sub":
      return either(O.F_SUB, O.I_SUB);
    case "mul":
      return either(O.F_MUL, O.I_MUL);
    case "div":
      return f.op(O.F_DIV, a, b);
    case "pow":
      return loaded(long).pow(f, a, b);
    case "maximum":
      return either(O.F_MAX, O.I_MAX);
    case "minimum":
      return either(O.F_MIN, O.I_MIN);
    case "gt":
    case "ge":
    case "lt":
    case "le":
    case "eq":
      return where(f, comparison(f, op, dtype, a, b) as Value, f.float(1));
    case "mask":
      return where(f, dtype === "int32" ? f.op(O.I_NE, b, f.integer(0)) : f.op(O.F_NE, b, f.float(0)), a);
    case "neg":
      return f.op(O.F_NEG, a);
    case "abs":
      return f.op(O.F_ABS, a);
    case "square":
      return f.op(O.F_MUL, a, a);
    case "sqrt":
      return f.op(O.F_SQRT, a);
    case "exp":
      return exp(f, a);
    case "log":
      return log(f, a);
    case "log1p":
      return log1p(f, a);
    case "expm1":
      return expm1(f, a);
    case "erf":
      return erf(f, a);
    case "sin":
      return loaded(long).sin(f, a, 0);
    case "cos":
      return loaded(long).sin(f, a, 1);
    case "sign":
      return sign(f, a);
    case "floor":
      return f.op(O.F_FLOOR, a);
    case "ceil":
      return f.op(O.F_CEIL, a);
    case "round":
      return f.op(O.F_NEAREST, a);
    case "stopGradient":
      return a;
    case "relu":
      return f.op(O.F_PMAX, a, f.float(0));
    case "tanh":
      return tanh(f, a);
    case "sigmoid":
      return sigmoid(f, a);
    case "toInt32":
      // The largest that float32 has too; NaN becomes 0.
      return f.op(O.TRUNCATE, f.op(O.F_PMIN, a, f.float(2147483520)));
    case "toFloat32":
      return f.op(O.CONVERT, a);
    case "random":
      return random(f, a, b, c);
    default:
      return op satisfies never;
  }
}

/** A part that was loaded because the program needs it. */
export function loaded<T>(part: T | null): T {
  if (part === null) throw new Error("internal: a part of the compiler was not loaded");
  return part;
}
