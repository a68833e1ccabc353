import { constant, grad, type Tensor } from "../../../index";
import { caseList, EXTREMES, extremes, shapeName } from "./case";

/** Of one operand and of two. */
const { cases, add, draw, drawIntegers } = caseList(0);
export const ELEMENTWISE = cases;

// One operand ------------------------------------------------------------------------------------------------------

export const UNARY: Record<string, (x: Tensor) => Tensor> = {
  neg: (x) => x.neg(),
  abs: (x) => x.abs(),
  square: (x) => x.square(),
  sqrt: (x) => x.abs().sqrt(),
  exp: (x) => x.exp(),
  log: (x) => x.abs().log(),
  relu: (x) => x.relu(),
  tanh: (x) => x.tanh(),
  sigmoid: (x) => x.sigmoid(),
  log1p: (x) => x.abs().log1p(),
  expm1: (x) => x.expm1(),
  erf: (x) => x.erf(),
  sin: (x) => x.sin(),
  cos: (x) => x.cos(),
  sign: (x) => x.sign(),
  floor: (x) => x.floor(),
  ceil: (x) => x.ceil(),
  round: (x) => x.round(),
  stopGradient: (x) => x.stopGradient(),
  toInt32: (x) => x.minimum(1e9).maximum(-1e9).toInt32(),
};
for (const [op, build] of Object.entries(UNARY)) {
  add(op, "extreme values", build, extremes());
  for (const shape of [[], [1], [7], [64], [257], [3, 5, 7]]) add(op, shapeName(shape), build, draw(...shape));
  add(op, "10,007 values between -20 and 20", build, [
    [10_007],
    Float32Array.from({ length: 10_007 }, (_, i) => i / 250 - 20),
  ]);
}
add("log1p", "small, on both sides of 0", (x) => x.log1p(), [
  [2001],
  Float32Array.from({ length: 2001 }, (_, i) => (i - 1000) / 1010),
]);
for (const op of ["sin", "cos"]) {
  // All exponents of float32, and what is nearest to a multiple of π/2: 2^-29.2 from it.
  const sizes = Float32Array.from({ length: 2000 }, (_, i) => (i % 2 === 0 ? 1 : -1) * 2 ** (-126 + i / 7.9));
  sizes.set([16367173 * 2 ** 72, Math.PI / 4, Math.PI / 2, Math.PI, 22, 710, 103993, 5e5 * Math.PI, 8388607, 2 ** 24]);
  add(op, "of every size", UNARY[op] as (x: Tensor) => Tensor, [[2000], sizes]);
}
add("expm1", "small, on both sides of 0", (x) => x.expm1(), [
  [2001],
  Float32Array.from({ length: 2001 }, (_, i) => ((i - 1000) / 1000) ** 3),
]);
add("erf", "where it is not yet 1", (x) => x.erf(), [
  [2001],
  Float32Array.from({ length: 2001 }, (_, i) => (i - 1000) / 240),
]);
const HALVES = [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5, 8388607.5, -8388607.5, 0.49999997, -0];
for (const op of ["floor", "ceil", "round", "sign"])
  add(op, "halves", UNARY[op] as (x: Tensor) => Tensor, [[HALVES.length], Float32Array.from(HALVES)]);
add("log", "around 1", (x) => x.log(), [[1001], Float32Array.from({ length: 1001 }, (_, i) => 0.4 + i / 500)]);
add("toFloat32", "integers", (i) => i.toFloat32(), drawIntegers(1e6, 97));
add("toFloat32", "integers that float32 rounds", (i) => i.toFloat32(), [
  [3],
  Int32Array.of(2 ** 24 + 1, -(2 ** 31), 2 ** 31 - 1),
]);

// Two operands -----------------------------------------------------------------------------------------------------

export const BINARY: Record<string, (a: Tensor, b: Tensor) => Tensor> = {
  add: (a, b) => a.add(b),
  sub: (a, b) => a.sub(b),
  mul: (a, b) => a.mul(b),
  div: (a, b) => a.div(b),
  pow: (a, b) => a.pow(b),
  maximum: (a, b) => a.maximum(b),
  minimum: (a, b) => a.minimum(b),
  gt: (a, b) => a.gt(b),
  ge: (a, b) => a.ge(b),
  lt: (a, b) => a.lt(b),
  le: (a, b) => a.le(b),
  eq: (a, b) => a.eq(b),
  mask: (a, b) => a.mask(b),
};
for (const [op, build] of Object.entries(BINARY)) {
  const n = EXTREMES.length;
  add(op, "every extreme value with every other", build, [[n, 1], EXTREMES], [[1, n], EXTREMES]);
  for (const [a, b] of [
    [[], []],
    [[127], [127]],
    [[5, 7], [7]],
    [[7], [5, 7]],
    [
      [5, 1],
      [1, 7],
    ],
    [
      [2, 1, 4, 1],
      [3, 1, 5],
    ],
    [[33, 65], []],
    [[1], [257]],
  ] as const) {
    add(op, `${shapeName(a)} with ${shapeName(b)}`, build, draw(...a), draw(...b));
  }
  add(op, "with a number", (a) => build(a, constant([0.3], [])), draw(100));
  add(op, "of two views", (a, b) => build(a.T, b.reshape([5, 7])), draw(7, 5), draw(35));
}
{
  const bases = Float32Array.from({ length: 61 }, (_, i) => 2 ** ((i - 30) / 5) * 1.1);
  const near1 = Float32Array.from({ length: 61 }, (_, i) => 1 + Math.sign(i - 30) * 2 ** (-24 + (i % 30)) * 0.7);
  const exponents = Float32Array.from({ length: 57 }, (_, i) => (i - 28) * 0.77);
  const large = Float32Array.from({ length: 57 }, (_, i) => (i - 28) * 2 ** (i % 28));
  add("pow", "ordinary numbers", (a, b) => a.pow(b), [[61, 1], bases], [[57], exponents]);
  add("pow", "numbers near 1 to large ones", (a, b) => a.pow(b), [[61, 1], near1], [[57], large]);
  add(
    "pow",
    "integers, odd and even, and numbers that are none",
    (a, b) => a.pow(b),
    [[6, 1], Float32Array.of(-2, -1.5, -1, -0.5, -0, 0)],
    [[10], Float32Array.of(-3, -2, -1, 0, 1, 2, 3, 0.5, 8388609, 2 ** 25 + 4)],
  );
  for (const b of [0, 1, 2, 3, -1, 0.5]) add("pow", `to the power ${b}`, (a) => a.pow(b), draw(100));
  const derivatives = (a: Tensor, b: Tensor) => {
    const [da, db] = grad(a.abs().pow(b).sum(), [a, b]) as [Tensor, Tensor];
    return da.mul(0.5).add(db.sum(0));
  };
  add("pow", "gradients", derivatives, draw(13, 7), draw(7));
}
for (const op of ["add", "sub", "mul", "maximum", "minimum", "gt", "ge", "lt", "le", "eq"]) {
  add(op, "int32", BINARY[op] as (a: Tensor, b: Tensor) => Tensor, drawIntegers(100, 9, 1), drawIntegers(100, 1, 11));
}
add("mask", "by integers", (a, i) => a.mask(i), draw(50), drawIntegers(3, 50));
