import {
  CONVERT,
  F_ABS,
  F_ADD,
  F_DIV,
  F_EQ,
  F_GE,
  F_GT,
  F_LT,
  F_MUL,
  F_NEAREST,
  F_PMAX,
  F_PMIN,
  F_SUB,
  I_ADD,
  I_MUL,
  I_SHL,
  I_SHR,
  I_SHR_U,
  I_SUB,
  TRUNCATE,
  V_AND,
  V_BITSELECT,
  V_OR,
  V_XOR,
} from "./opcodes";
import type { FunctionBody, Value } from "./scope";

/** Horner's rule, the highest coefficient first. */
export function polynomial(f: FunctionBody, x: Value, coefficients: readonly number[]): Value {
  return coefficients
    .slice(1)
    .reduce((sum, coefficient) => f.madd(sum, x, f.float(coefficient)), f.float(coefficients[0] as number));
}

const LN2_HIGH = 0.693359375;
const LN2_LOW = -2.1219444e-4;

/**
 * exp(x), below 1 ULP besides what 2ⁿ loses in the subnormals. `bounded`: x is known to stay below 88, and what would be subnormal is 0.
 * Source: Cephes, expf.
 */
export function exp(f: FunctionBody, given: Value, bounded = false): Value {
  // Written so that NaN stays NaN.
  const x = f.op(F_PMAX, f.op(F_PMIN, given, f.float(bounded ? 88 : 89)), f.float(bounded ? -88 : -104));
  const n = f.op(F_NEAREST, f.op(F_MUL, x, f.float(Math.LOG2E)));
  const r = f.madd(n, f.float(-LN2_LOW), f.madd(n, f.float(-LN2_HIGH), x));
  const p = polynomial(
    f,
    r,
    [1.98756915e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 0.50000001201],
  );
  const y = f.op(F_ADD, f.madd(p, f.op(F_MUL, r, r), r), f.float(1));
  const power = (exponent: Value) => f.shift(I_SHL, f.op(I_ADD, exponent, f.integer(127)), 23);
  const whole = f.op(TRUNCATE, n);
  if (bounded) return f.op(F_MUL, y, power(whole));
  const half = f.shift(I_SHR, whole, 1);
  return f.op(F_MUL, f.op(F_MUL, y, power(half)), power(f.op(I_SUB, whole, half)));
}

/** log(x), below 2 ULP; -Infinity at 0, NaN below. Source: Cephes, logf. */
export function log(f: FunctionBody, x: Value): Value {
  const select = (condition: Value, a: Value, b: Value) => f.op(V_BITSELECT, a, b, condition);
  const small = f.op(F_LT, x, f.float(2 ** -126));
  const normal = select(small, f.op(F_MUL, x, f.float(2 ** 23)), x);
  // The bits above those of √½ are the exponent, those below a mantissa in [√½, √2).
  const root = f.integer(0x3f3504f3);
  const bits = f.op(I_SUB, normal, root);
  const e = f.op(F_SUB, f.op(CONVERT, f.shift(I_SHR, bits, 23)), f.op(V_AND, small, f.float(23)));
  const m = f.op(F_SUB, f.op(I_ADD, f.op(V_AND, bits, f.integer(0x7fffff)), root), f.float(1));
  const z = f.op(F_MUL, m, m);
  const p = polynomial(
    f,
    m,
    [
      7.0376836292e-2, -1.151461031e-1, 1.167699874e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1,
      2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
    ],
  );
  const tail = f.madd(z, f.float(-0.5), f.madd(e, f.float(LN2_LOW), f.op(F_MUL, f.op(F_MUL, p, m), z)));
  const finite = f.madd(e, f.float(LN2_HIGH), f.op(F_ADD, m, tail));
  const pole = select(f.op(F_EQ, x, f.float(0)), f.float(Number.NEGATIVE_INFINITY), f.float(Number.NaN));
  const positive = select(f.op(F_LT, x, f.float(Number.POSITIVE_INFINITY)), finite, x);
  return select(f.op(F_GT, x, f.float(0)), positive, pole);
}

/** As the kernels write it (graph/ops.ts), so that its errors are those of cpu/elementwise-errors.ts. Source: Cephes, tanhf. */
export function tanh(f: FunctionBody, x: Value): Value {
  const a = f.op(F_ABS, x);
  const z = f.op(F_MUL, x, x);
  const p = polynomial(
    f,
    z,
    [-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1],
  );
  const near = f.madd(f.op(F_MUL, x, z), p, x);
  const E = exp(f, f.op(F_MUL, f.op(F_PMIN, a, f.float(20)), f.float(2)), true);
  const far = f.op(F_SUB, f.float(1), f.op(F_DIV, f.float(2), f.op(F_ADD, E, f.float(1))));
  const signed = f.op(V_OR, far, f.op(V_AND, x, f.integer(-(2 ** 31))));
  return f.op(V_BITSELECT, near, signed, f.op(F_LT, a, f.float(0.625)));
}

/** As the kernels write them (shaders/functions.wgsl), so that their errors are those of cpu/elementwise-errors.ts. */
export function log1p(f: FunctionBody, x: Value): Value {
  const s = f.op(F_DIV, x, f.op(F_ADD, f.float(2), x));
  const z = f.op(F_MUL, s, s);
  const half = f.op(F_MUL, f.op(F_MUL, f.float(0.5), x), x);
  const r = f.op(F_MUL, z, polynomial(f, z, [2.2222222e-1, 2.8571429e-1, 4.0e-1, 6.6666667e-1]));
  const near = f.op(F_SUB, x, f.op(F_SUB, half, f.op(F_MUL, s, f.op(F_ADD, half, r))));
  const small = f.op(V_AND, f.op(F_GT, x, f.float(-0.29)), f.op(F_LT, x, f.float(0.41)));
  return f.op(V_BITSELECT, near, log(f, f.op(F_ADD, f.float(1), x)), small);
}

export function expm1(f: FunctionBody, x: Value): Value {
  const p = polynomial(f, x, [2.4801588e-5, 1.984127e-4, 1.3888889e-3, 8.3333338e-3, 4.1666668e-2, 1.6666667e-1, 0.5]);
  const near = f.madd(f.op(F_MUL, x, x), p, x);
  const far = f.op(F_SUB, exp(f, x), f.float(1));
  return f.op(V_BITSELECT, near, far, f.op(F_LT, f.op(F_ABS, x), f.float(0.5)));
}

export function erf(f: FunctionBody, x: Value): Value {
  const a = f.op(F_ABS, x);
  const z = f.op(F_MUL, x, x);
  const p = polynomial(
    f,
    z,
    [8.35463143e-5, -8.13954684e-4, 5.20080747e-3, -2.68593337e-2, 1.1283695e-1, -3.76126349e-1, 1.28379166e-1],
  );
  const near = f.madd(x, p, x);
  const t = f.op(F_PMIN, a, f.float(4));
  const q = polynomial(
    f,
    t,
    [1.25909046e-5, -3.36071884e-4, 3.69500881e-3, -2.38702446e-2, 1.06359057e-1, 6.35079503e-1, 1.12866569],
  );
  const far = f.op(F_SUB, f.float(1), exp(f, f.op(F_MUL, f.op(F_SUB, f.float(0), t), q), true));
  const signed = f.op(V_OR, far, f.op(V_AND, x, f.integer(-(2 ** 31))));
  return f.op(V_BITSELECT, signed, near, f.op(F_GE, a, f.float(0.9277)));
}

/** -1, 0 or 1, and NaN of NaN. */
export function sign(f: FunctionBody, x: Value): Value {
  const one = f.op(V_OR, f.float(1), f.op(V_AND, x, f.integer(-(2 ** 31))));
  // Of what is 0 or NaN, itself.
  const ordered = f.op(F_GT, f.op(F_ABS, x), f.float(0));
  return f.op(V_BITSELECT, one, x, ordered);
}

/** exp is only ever taken of what is not positive, so that it cannot overflow. */
export function sigmoid(f: FunctionBody, x: Value): Value {
  const e = exp(f, f.op(V_OR, x, f.integer(-(2 ** 31))), true);
  const numerator = f.op(V_BITSELECT, e, f.float(1), f.op(F_LT, x, f.float(0)));
  return f.op(F_DIV, numerator, f.op(F_ADD, f.float(1), e));
}

/** Jarzynski and Olano 2020, pcg3d: the same bits as graph/ops.ts. */
export function random(f: FunctionBody, a: Value, b: Value, c: Value): Value {
  const scramble = (v: Value) => f.op(I_ADD, f.op(I_MUL, v, f.integer(1664525)), f.integer(1013904223));
  const fold = (v: Value) => f.op(V_XOR, v, f.shift(I_SHR_U, v, 16));
  let [x, y, z] = [scramble(a), scramble(b), scramble(c)];
  x = f.op(I_ADD, x, f.op(I_MUL, y, z));
  y = f.op(I_ADD, y, f.op(I_MUL, z, x));
  z = f.op(I_ADD, z, f.op(I_MUL, x, y));
  [x, y, z] = [fold(x), fold(y), fold(z)];
  x = f.op(I_ADD, x, f.op(I_MUL, y, z));
  return f.op(F_MUL, f.op(CONVERT, f.shift(I_SHR_U, x, 8)), f.float(2 ** -24));
}
