import { polynomial } from "./functions";
import { narrowed, widened } from "./halves";
import * as O from "./opcodes";
import type { FunctionBody, Value } from "./scope";

/** 2/π, 24 bits a number, so that a float32 times one of them is exact in float64. */
const TWO_OVER_PI = [0xa2f983, 0x6e4e44, 0x1529fc, 0x2757d1, 0xf534dd, 0xc0db62, 0x95993c, 0x439041].map(
  (digits, i) => digits * 2 ** (-24 * (i + 1)),
);

/** log2(1 + t) / t between √½ and √2, the highest power first, as in shaders/functions.wgsl. */
const LOG2 = [
  0.07751563487607237, -0.142943753148791, 0.14472831759117535, -0.14313069601421263, 0.1587696202084181,
  -0.18030295960783574, 0.2061754880927658, -0.2404530686354519, 0.2885372878330409, -0.3606736765074989,
  0.48089836146413517, -0.7213475208603297, 1.4426950408685877,
];

/** The same float64 in both lanes. */
function double(f: FunctionBody, value: number): Value {
  const words = new Int32Array(Float64Array.of(value).buffer);
  return f.lanes([...words, ...words], "int32");
}

/** All of `parts` at once: each of both halves of the operands. */
function inFloat64(
  f: FunctionBody,
  operands: readonly Value[],
  parts: (...halves: Value[]) => readonly Value[],
): Value[] {
  const halves = operands.map((operand) => widened(f, operand));
  const [low, high] = [0, 1].map((half) => parts(...halves.map((pair) => pair[half as 0 | 1])));
  return (low as readonly Value[]).map((part, i) => narrowed(f, part, (high as readonly Value[])[i] as Value));
}

/**
 * sin(x + quarters·π/2), with the polynomials and the errors of shaders/functions.wgsl. Of x·2/π, part by part, multiples of 4 and then
 * of 1 are taken away, all of it exact but for what is rounded relative to the result. Infinity becomes NaN.
 */
export function sin(f: FunctionBody, x: Value, quarters: number): Value {
  const [r, turns] = inFloat64(f, [x], (x) => {
    let [left, turns] = [double(f, 0), double(f, 0)];
    for (const digits of TWO_OVER_PI) {
      const product = f.op(O.D_MUL, x, double(f, digits));
      const circles = f.op(O.D_NEAREST, f.op(O.D_MUL, product, double(f, 0.25)));
      const within = f.op(O.D_SUB, product, f.op(O.D_MUL, circles, double(f, 4)));
      const sum = f.op(O.D_ADD, left, within);
      const nearest = f.op(O.D_NEAREST, sum);
      left = f.op(O.D_SUB, sum, nearest);
      turns = f.op(O.D_ADD, turns, nearest);
    }
    return [f.op(O.D_MUL, left, double(f, Math.PI / 2)), turns];
  }) as [Value, Value];
  const quarter = f.op(O.I_ADD, f.op(O.TRUNCATE, turns), f.integer(quarters));
  const z = f.op(O.F_MUL, r, r);
  const sine = f.madd(f.op(O.F_MUL, r, z), polynomial(f, z, [-1.95159205e-4, 8.33216553e-3, -1.66666547e-1]), r);
  const rest = polynomial(f, z, [-2.44358155e-5, 1.38873412e-3, -4.16666462e-2, 0.5]);
  const cosine = f.op(O.F_SUB, f.float(1), f.op(O.F_MUL, z, rest));
  const odd = f.shift(O.I_SHR, f.shift(O.I_SHL, quarter, 31), 31);
  const sign = f.shift(O.I_SHL, f.op(O.V_AND, quarter, f.integer(2)), 30);
  return f.op(O.V_XOR, f.op(O.V_BITSELECT, cosine, sine, odd), sign);
}

/** x^y as C's pow: 2^(y·log2|x|), the exponent in float64. Special cases and errors as in shaders/functions.wgsl. */
export function pow(f: FunctionBody, x: Value, y: Value): Value {
  const select = (condition: Value, a: Value, b: Value) => f.op(O.V_BITSELECT, a, b, condition);
  const [sizeX, sizeY] = [f.op(O.F_ABS, x), f.op(O.F_ABS, y)];
  const infinity = f.float(Number.POSITIVE_INFINITY);
  const one = f.float(1);
  const small = f.op(O.F_LT, sizeX, f.float(2 ** -126));
  const root = f.integer(0x3f3504f3);
  const bits = f.op(O.I_SUB, select(small, f.op(O.F_MUL, sizeX, f.float(2 ** 23)), sizeX), root);
  const e = f.op(O.F_SUB, f.op(O.CONVERT, f.shift(O.I_SHR, bits, 23)), f.op(O.V_AND, small, f.float(23)));
  const t = f.op(O.F_SUB, f.op(O.I_ADD, f.op(O.V_AND, bits, f.integer(0x7fffff)), root), one);
  const [n, r] = inFloat64(f, [e, t, y], (e, t, y) => {
    const [first = 0, ...others] = LOG2;
    const g = others.reduce(
      (sum, term) => f.op(O.D_ADD, f.op(O.D_MUL, sum, t as Value), double(f, term)),
      double(f, first),
    );
    const p = f.op(O.D_MUL, y as Value, f.op(O.D_ADD, e as Value, f.op(O.D_MUL, t as Value, g)));
    const held = f.op(O.D_PMAX, f.op(O.D_PMIN, p, double(f, 250)), double(f, -250));
    const n = f.op(O.D_NEAREST, held);
    return [n, f.op(O.D_SUB, held, n)];
  }) as [Value, Value];
  const fraction = polynomial(
    f,
    r,
    [1.5467365e-4, 1.34004322e-3, 9.61803596e-3, 5.55032721e-2, 2.40226511e-1, 6.93147207e-1],
  );
  const whole = f.op(O.TRUNCATE, n);
  const half = f.shift(O.I_SHR, whole, 1);
  const scale = (exponent: Value) => f.shift(O.I_SHL, f.op(O.I_ADD, exponent, f.integer(127)), 23);
  const finite = f.op(
    O.F_MUL,
    f.op(O.F_MUL, f.op(O.F_ADD, f.op(O.F_MUL, r, fraction), one), scale(half)),
    scale(f.op(O.I_SUB, whole, half)),
  );
  const either = (...conditions: Value[]) => conditions.reduce((a, b) => f.op(O.V_OR, a, b));
  const both = (...conditions: Value[]) => conditions.reduce((a, b) => f.op(O.V_AND, a, b));
  const grows = f.op(O.V_XOR, f.op(O.F_GT, sizeX, one), f.op(O.F_LT, y, f.float(0)));
  const extreme = either(f.op(O.F_EQ, x, f.float(0)), f.op(O.F_EQ, sizeX, infinity), f.op(O.F_EQ, sizeY, infinity));
  const size = select(f.op(O.F_EQ, sizeX, one), one, select(extreme, both(grows, infinity), finite));
  const isWhole = (value: Value) => f.op(O.F_EQ, f.op(O.F_NEAREST, value), value);
  const odd = f.op(O.V_ANDNOT, isWhole(y), isWhole(f.op(O.F_MUL, y, f.float(0.5))));
  const signed = f.op(O.V_XOR, size, both(odd, x, f.integer(-(2 ** 31))));
  const negative = both(f.op(O.F_LT, x, f.float(0)), f.op(O.F_LT, sizeX, infinity));
  const none = either(f.op(O.V_ANDNOT, negative, isWhole(y)), f.op(O.F_NE, x, x), f.op(O.F_NE, y, y));
  const sure = either(f.op(O.F_EQ, y, f.float(0)), f.op(O.F_EQ, x, one));
  return select(sure, one, select(none, f.float(Number.NaN), signed));
}
