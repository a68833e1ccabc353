import {
  attention,
  checkpoint,
  constant,
  einsum,
  grad,
  input,
  iota,
  type Program,
  parameter,
  random,
  type Shape,
  type Tensor,
  type Values,
} from "../../index";
import { fed, type Given } from "./fed";
import { integers, normal, sizeOf } from "./numbers";
import { SCAN_CASES } from "./scan-cases";

/** One step, the operation it is there for, and what it is given. */
export interface Case {
  op: string;
  name: string;
  program: Program;
  parameters: Record<string, Values>;
  inputs: Record<string, Values>;
}

/** Every kernel is tried on these: zeros of both signs, subnormals, the ends of exp and of float32, what is ordinary between. */
const MAGNITUDES = [0, 1e-45, 1e-40, 1.2e-38, 1e-30, 1e-4, 0.1, 0.5, 0.62, 0.63, 1, 2, 3.7, 10, 88.7, 89, 1e4, 3e38];
export const EXTREMES = Float32Array.from([...MAGNITUDES, ...MAGNITUDES.map((x) => -x)]);
/** Tile edges, and a step to each side of them. */
const EDGES = [1, 3, 4, 5, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129];

let seed = 0;
const draw = (...shape: number[]): Given => [shape, normal(sizeOf(shape), ++seed)];
const drawIntegers = (below: number, ...shape: number[]): Given => [shape, integers(sizeOf(shape), below, ++seed)];
const extremes = (): Given => [[EXTREMES.length], EXTREMES];

export const CASES: Case[] = [];

function add(op: string, name: string, build: (...inputs: Tensor[]) => Tensor, ...given: Given[]): void {
  CASES.push({ op, name: `${op}: ${name}`, parameters: {}, ...fed(build, ...given) });
}
const shapeName = (shape: Shape) => `[${shape.join(", ")}]`;

// One operand ------------------------------------------------------------------------------------------------------

const UNARY: Record<string, (x: Tensor) => Tensor> = {
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

const BINARY: Record<string, (a: Tensor, b: Tensor) => Tensor> = {
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

// Views and leaves --------------------------------------------------------------------------------------------------

for (const shape of [
  [1, 1],
  [1, 7],
  [3, 5],
  [64, 65],
  [2, 3, 4],
]) {
  add("permute", shapeName(shape), (x) => x.T, draw(...shape));
  add("reshape", `${shapeName(shape)} of a transpose`, (x) => x.T.reshape([sizeOf(shape)]), draw(...shape));
  add("reshape", shapeName(shape), (x) => x.reshape([sizeOf(shape), 1]), draw(...shape));
}
for (const axes of [
  [1, 0, 2],
  [2, 0, 1],
  [0, 2, 1],
  [2, 1, 0],
]) {
  add("permute", `[3, 4, 5] by ${axes}`, (x) => x.permute(axes).add(1), draw(3, 4, 5));
  add(
    "permute",
    `${axes} of a product, and summed`,
    (x, w) => x.matmul(w).permute(axes).sum(1),
    draw(3, 4, 5),
    draw(5, 6),
  );
  add(
    "permute",
    `${axes} twice, reshaped between`,
    (x) => x.permute(axes).reshape([4, 3, 5]).permute(axes),
    draw(3, 4, 5),
  );
}
add(
  "permute",
  "of a cube, two ways beside one another",
  (x) => x.permute([1, 2, 0]).sub(x.permute([2, 0, 1])),
  draw(4, 4, 4),
);
add("permute", "int32", (i) => i.T, drawIntegers(50, 3, 4));
add("permute", "of a transpose that was reshaped", (x) => x.T.reshape([6, 10]).T, draw(12, 5));
add("permute", "extreme values", (x) => x.T, [[2, EXTREMES.length / 2], EXTREMES]);
const VIEWS: Record<string, [op: string, view: (x: Tensor) => Tensor, ...shape: number[]]> = {
  "the middle": ["slice", (x) => x.slice(1, 2, -1), 3, 7, 5],
  "every third row": ["slice", (x) => x.slice(0, 1, undefined, 3), 11, 4],
  "backwards by two": ["slice", (x) => x.slice(-1, undefined, undefined, -2), 3, 8],
  "of a transpose, on two axes": ["slice", (x) => x.T.slice(0, 1).slice(1, -1, -4, -1), 6, 7],
  "of a flip, reshaped": ["slice", (x) => x.slice(0, undefined, undefined, -1).reshape([4, 6]).T, 24],
  "on both sides": [
    "pad",
    (x) =>
      x.pad(
        [
          [1, 2],
          [0, 3],
        ],
        0.5,
      ),
    3,
    5,
  ],
  "of a pad, with other numbers": ["pad", (x) => x.pad([[1, 1]], 2).pad([[1, 0]], -3), 9],
  "of a transpose, then sliced": [
    "pad",
    (x) =>
      x.T.pad([
        [2, 2],
        [1, 1],
      ]).slice(0, 1, -1, 2),
    3,
    5,
  ],
  reshaped: [
    "pad",
    (x) =>
      x
        .pad(
          [
            [0, 0],
            [1, 1],
          ],
          7,
        )
        .reshape([5, 3]).T,
    3,
    3,
  ],
  "of what is computed": [
    "pad",
    (x) =>
      x
        .exp()
        .add(1)
        .pad(
          [
            [1, 0],
            [0, 2],
          ],
          -1,
        )
        .mul(x.sum()),
    4,
    4,
  ],
  repeated: ["pad", (x) => x.pad([[1, 1]], 1).broadcastTo([3, 7]), 5],
  "of three, one after another": ["windows", (x) => x.windows(0, 3), 9],
  "stride 2, dilation 3, of columns": ["windows", (x) => x.windows(1, 2, 2, 3), 3, 11, 2],
  "beyond the kernel": ["windows", (x) => x.windows(0, 2, 3), 9, 2],
  "of a padded image": [
    "windows",
    (x) =>
      x
        .pad([
          [1, 1],
          [1, 1],
        ])
        .windows(0, 3, 2)
        .windows(1, 3, 2),
    5,
    6,
  ],
  reduced: [
    "windows",
    (x) =>
      x
        .pad([
          [0, 0],
          [2, 0],
        ])
        .windows(1, 3)
        .sum(-1),
    6,
    33,
  ],
  maxima: [
    "windows",
    (x) =>
      x
        .padded(
          [
            [1, 1],
            [1, 1],
          ],
          -Infinity,
        )
        .windows(0, 3)
        .windows(1, 3)
        .max([2, 3]),
    7,
    9,
  ],
  "of a flipped square": ["diagonal", (x) => x.slice(1, undefined, undefined, -1).diagonal(), 5, 5],
  "of windows": ["diagonal", (x) => x.windows(0, 4).diagonal(), 9, 4],
};
for (const [name, [op, view, ...shape]] of Object.entries(VIEWS)) {
  add(op, `${name}, of ${shapeName(shape)}`, view, draw(...shape));
  add(op, `${name}, of ${shapeName(shape)}, computed with`, (x) => view(x.mul(2)).add(0.25).tanh(), draw(...shape));
}
add("slice", "int32", (i) => i.slice(0, 1).pad([[2, 0]], -7), drawIntegers(50, 9));
add("pad", "extreme values", (x) => x.slice(0, 3, -3).pad([[3, 3]], 1), extremes());
add(
  "slice",
  "rows beside their neighbours",
  (x) =>
    x
      .slice(0, 1)
      .sub(x.slice(0, 0, -1))
      .square()
      .sum(1),
  draw(17, 6),
);
add("windows", "of 257 by 129", (x) => x.windows(1, 129).sum(-1), draw(3, 257));
type Conv = readonly [x: readonly number[], weight: readonly number[], options?: Parameters<Tensor["conv"]>[1]];
const CONVOLUTIONS: readonly Conv[] = [
  [
    [1, 1, 1],
    [1, 1, 1],
  ],
  [
    [2, 3, 9],
    [4, 3, 3],
  ],
  [[2, 3, 16], [5, 3, 4], { stride: 3, padding: 2 }],
  [[3, 4, 7], [6, 2, 2], { groups: 2, dilation: 3 }],
  [[2, 1, 8, 8], [3, 1, 3, 3], { padding: "same" }],
  [
    [1, 3, 5, 7],
    [2, 3, 5, 7],
  ],
  [
    [2, 4, 5, 6],
    [4, 1, 3, 2],
    {
      groups: 4,
      padding: [
        [1, 0],
        [0, 2],
      ],
    },
  ],
  [[2, 2, 9, 5], [3, 2, 2, 1], { stride: [4, 2], dilation: [3, 1] }],
  [[1, 17, 4, 3], [9, 17, 1, 1], { stride: 2 }],
];
for (const [x, weight, options] of CONVOLUTIONS) {
  const name = `${shapeName(x)} by ${shapeName(weight)}${options ? ` with ${JSON.stringify(options)}` : ""}`;
  add("conv", name, (a, w) => a.conv(w, options).add(0.5).tanh(), draw(...x), draw(...weight));
  add("conv", `derivatives, ${name}`, convDerivatives(options), draw(...x), draw(...weight));
}
function convDerivatives(options: Conv[2]) {
  return (a: Tensor, w: Tensor) => {
    const [da, dw] = grad(a.conv(w, options).square().sum(), [a, w]);
    return da.mul(dw.square().sum());
  };
}
add(
  "conv",
  "with NaN and infinity in the image",
  (x, w) => x.conv(w, { padding: 1 }),
  [[1, 1, 12], Float32Array.of(1, 2, 3, 0, 0, 0, 0, 0, 0, 3e38, 3e38, 3e38)],
  draw(2, 1, 3),
);
add("max", "of a pool with NaN in a window", (x) => x.log().maxPool(2), [
  [1, 1, 6],
  Float32Array.of(-1, 2, 3, 4, 0, 0),
]);
for (const [from, to] of [
  [[], [3, 4]],
  [[5], [3, 5]],
  [
    [5, 1],
    [5, 7],
  ],
  [
    [2, 1, 3],
    [4, 2, 5, 3],
  ],
] as const) {
  add("broadcast", `${shapeName(from)} to ${shapeName(to)}`, (x) => x.broadcastTo(to), draw(...from));
}
add("broadcast", "of a transpose", (x) => x.T.broadcastTo([3, 5, 4]), draw(4, 5));
add("input", "as an output", (x) => x, draw(3, 5));
add("input", "int32 as an output", (i) => i, drawIntegers(50, 7));
add("constant", "as an output", (x) => constant(normal(35, 5), [5, 7]).add(x.mul(0)), draw(7));
add("constant", "alone", () => constant(normal(35, 5), [5, 7]));
add("iota", "as an output", () => iota(100));
add("iota", "beside rows", (x) => x.mul(iota(7).toFloat32()), draw(5, 7));
add("eq", "oneHot", (i) => i.oneHot(10), drawIntegers(12, 33));
add("eq", "oneHot of two axes", (i) => i.oneHot(3), drawIntegers(4, 5, 7));
for (const shape of [[1], [1000], [33, 65]]) {
  add("random", shapeName(shape), (counter) => random(shape, counter, 12345), [[], Int32Array.of(-7)]);
}
add("random", "large counters", (counter) => random([50], counter, -1), [[1], Int32Array.of(2 ** 31 - 1)]);
{
  const [w, v] = [parameter([7, 5]), parameter([7, 5])];
  const parameters = { w: normal(35, 1), v: normal(35, 2) };
  const step = (name: string, more: Pick<Program, "outputs" | "updates">) =>
    CASES.push({
      op: "parameter",
      name: `parameter: ${name}`,
      parameters,
      inputs: {},
      program: { inputs: {}, parameters: { w, v }, ...more },
    });
  step("as an output", { outputs: { y: w, z: v.T } });
  step("unchanged by its update", { outputs: {}, updates: { w } });
  step("two swapped", { outputs: {}, updates: { w: v, v: w } });
  step("two swapped and changed", { outputs: { y: w }, updates: { w: v.add(w), v: w.sub(v) } });
  step("replaced by a transpose of itself", { outputs: {}, updates: { w: w.T.reshape([7, 5]) } });
  step("replaced by its rows' sums", { outputs: {}, updates: { w: w.sum(1, { keepDims: true }).broadcastTo([7, 5]) } });
  step("one value for two", { outputs: {}, updates: { w: w.mul(0.5), v: w.mul(0.5) } });
  step("by a product with itself", {
    outputs: {},
    updates: { w: w.matmul(w.T).matmul(w), v: w.sub(v.square().sum()) },
  });
}

// Reductions --------------------------------------------------------------------------------------------------------

type Reduce = (x: Tensor, axis?: number, keepDims?: boolean) => Tensor;
const sum: Reduce = (x, axis, keepDims = false) => x.sum(axis, { keepDims });
const max: Reduce = (x, axis, keepDims = false) => x.max(axis, { keepDims });
const argmax: Reduce = (x, axis = 0) => x.argmax(axis);
for (const [op, build] of Object.entries({ sum, max, argmax })) {
  for (const shape of [[1], [7], [64], [257], [5, 3], [1, 65], [65, 1], [33, 129], [2, 3, 4], [1000, 3], [3, 1009]]) {
    shape.forEach((_, axis) => {
      add(op, `${shapeName(shape)} over ${axis}`, (x) => build(x, axis), draw(...shape));
    });
  }
  add(op, "of a transpose", (x) => build(x.T, 1), draw(17, 9));
  add(op, "of a broadcast row", (x) => build(x.broadcastTo([9, 17]), 0), draw(17));
  add(op, "[100003]", (x) => build(x, 0), draw(100_003));
  add(op, "[2, 131071] over 1", (x) => build(x, 1), draw(2, 131_071));
  add(op, "[131071, 2] over 0", (x) => build(x, 0), draw(131_071, 2));
  add(op, "[100003, 3] over 1", (x) => build(x, 1), draw(100_003, 3));
  add(op, "extreme values", (x) => build(x, 1), [[6, 6], EXTREMES]);
  add(op, "all very negative", (x) => build(x, 0), [[3], [-3e38, -3.1e38, -3.2e38]]);
  add(op, "all equal", (x) => build(x, 1), [[5, 129], new Float32Array(5 * 129).fill(-0.1)]);
}
for (const [op, build] of Object.entries({ sum, max })) {
  for (const shape of [[], [1], [1, 1], [31], [33, 65], [2, 3, 4], [700, 30], [317, 331]]) {
    add(op, `all of ${shapeName(shape)}`, (x) => build(x), draw(...shape));
  }
  add(op, "axes kept", (x) => x.div(build(x.square(), 1, true).add(1)), draw(9, 33));
}
add("sum", "mean over the rows of [100003, 3]", (x) => x.mean(0), draw(100_003, 3));
add("sum", "of integers as float32", (i) => i.toFloat32().sum(1), drawIntegers(1000, 5, 1000));
{
  const prod = (x: Tensor, axis?: number) => x.mul(1e-3).add(1).prod(axis);
  for (const shape of [[1], [64], [5, 3], [33, 129], [2, 3, 4], [3, 1009]])
    shape.forEach((_, axis) => {
      add("prod", `${shapeName(shape)} over ${axis}`, (x) => prod(x, axis), draw(...shape));
    });
  add("prod", "[2, 131071] over 1", (x) => prod(x, 1), draw(2, 131_071));
  for (const shape of [[], [33, 65], [700, 30]])
    add("prod", `all of ${shapeName(shape)}`, (x) => prod(x), draw(...shape));
  add("prod", "numbers of either sign, zeros among them", (x) => x.prod(1), [
    [4, 5],
    [1, -2, 3, -0.5, 4, 0, 1, 2, 3, 4, -0.1, 0, 0, 5, 1, 1e-20, 1e-20, 1e30, 7, 1],
  ]);
  add("prod", "gradient, with zeros", (x) => grad(x.prod(1).square().sum(), [x])[0] as Tensor, [
    [4, 3],
    [2, 3, -4, 0, 3, 4, 0, 0, 5, 0.1, -0.2, 0.3],
  ]);
}
add("argmax", "first of equals", (x) => x.argmax(1), [[3, 300], Float32Array.from({ length: 900 }, (_, i) => i % 7)]);
add("argmax", "first of equals, many lanes", (x) => x.argmax(0), [
  [100_003],
  Float32Array.from({ length: 100_003 }, (_, i) => i % 1009),
]);
add("max", "gradient, with ties", (x) => grad(x.max(1).sum(), [x])[0] as Tensor, [
  [3, 70],
  Float32Array.from({ length: 210 }, (_, i) => i % 35),
]);
add(
  "max",
  "gradient of what was computed",
  (x) => grad(x.tanh().mul(3).max(1).square().sum(), [x])[0] as Tensor,
  draw(9, 33),
);

// Softmax -----------------------------------------------------------------------------------------------------------

for (const [op, build] of [
  ["softmax", (x: Tensor, axis?: number) => x.softmax(axis)],
  ["logSoftmax", (x: Tensor, axis?: number) => x.logSoftmax(axis)],
] as const) {
  for (const shape of [[1], [1, 1], [1, 7], [5, 1], [33, 10], [64, 65], [3, 1025], [2, 100_003]]) {
    add(op, shapeName(shape), (x) => build(x), draw(...shape));
  }
  add(op, "[10, 33] over 0", (x) => build(x, 0), draw(10, 33));
  add(op, "[2, 3, 4] over 1", (x) => build(x, 1), draw(2, 3, 4));
  add(op, "extreme values", (x) => build(x), [[12, 3], EXTREMES]);
  add(op, "one far above the others", (x) => build(x), [
    [3, 3],
    [1e4, -1e4, 0, 3e38, 0, 1, 88.7, -88.7, 0],
  ]);
  add(op, "all equal", (x) => build(x), [[2, 65], new Float32Array(130).fill(1e4)]);
  add(op, "gradient", (x, y) => grad(build(x).mul(y).sum(), [x])[0] as Tensor, draw(17, 33), draw(17, 33));
}
add(
  "logSoftmax",
  "cross entropy and its gradient",
  (x, i) => grad(x.logSoftmax().mul(i.oneHot(10)).sum().neg(), [x])[0] as Tensor,
  draw(33, 10),
  drawIntegers(10, 33),
);

// Products ----------------------------------------------------------------------------------------------------------

const TRANSPOSITIONS = [
  ["A B", (a: Tensor, b: Tensor) => a.matmul(b), false, false],
  ["Aᵀ B", (a: Tensor, b: Tensor) => a.T.matmul(b), true, false],
  ["A Bᵀ", (a: Tensor, b: Tensor) => a.matmul(b.T), false, true],
  ["Aᵀ Bᵀ", (a: Tensor, b: Tensor) => a.T.matmul(b.T), true, true],
] as const;
function product(M: number, N: number, K: number, transposition: (typeof TRANSPOSITIONS)[number]): void {
  const [name, build, ofA, ofB] = transposition;
  const [a, b] = [ofA ? draw(K, M) : draw(M, K), ofB ? draw(N, K) : draw(K, N)];
  add("matmul", `${name}, M ${M}, N ${N}, K ${K}`, build, a, b);
}
EDGES.forEach((M, i) => {
  const at = (j: number) => EDGES[j % EDGES.length] as number;
  for (let round = 0; round < 3; round++) {
    product(
      M,
      at(5 * i + 7 * round + 3),
      at(7 * i + 5 * round + 1),
      TRANSPOSITIONS[(i + round) % 4] as (typeof TRANSPOSITIONS)[number],
    );
  }
});
for (const transposition of TRANSPOSITIONS) {
  for (const [M, N, K] of [
    [1, 1, 1],
    [5, 7, 3],
    [17, 33, 65],
    [64, 64, 64],
    [129, 127, 128],
    [1, 129, 64],
    [129, 1, 64],
    [3, 5, 1000],
    [16, 16, 1009],
    [64, 100, 1000],
    [1, 1, 4099],
    [2, 2, 20_011],
    [1000, 3, 2],
  ] as const) {
    product(M, N, K, transposition);
  }
}
add("matmul", "three axes", (a, b) => a.matmul(b), draw(3, 5, 7), draw(7, 9));
add("matmul", "with a repeated row", (a, b) => a.broadcastTo([17, 33]).matmul(b), draw(33), draw(33, 5));
add("matmul", "of a reshaped transpose", (a, b) => a.T.reshape([6, 10]).matmul(b), draw(12, 5), draw(10, 7));
add("matmul", "of a computed operand", (a, b) => a.tanh().matmul(b.mul(2).add(1)), draw(17, 33), draw(33, 5));
add("matmul", "with itself", (a) => a.matmul(a.T), draw(33, 17));
add("matmul", "a chain", (a, b, c) => a.matmul(b).matmul(c), draw(5, 33), draw(33, 65), draw(65, 3));
add("matmul", "bias and activation", (a, b, c) => a.matmul(b).add(c).relu(), draw(33, 65), draw(65, 17), draw(17));
add("matmul", "its row's softmax", (a, b) => a.matmul(b).softmax(), draw(33, 65), draw(65, 10));
add(
  "matmul",
  "gradients summed",
  (a, b) => {
    const [da, db] = grad(a.matmul(b).tanh().sum(), [a, b]) as [Tensor, Tensor];
    return da.sum().add(db.sum());
  },
  draw(33, 17),
  draw(17, 9),
);
add(
  "matmul",
  "every extreme value with every other",
  (a, b) => a.matmul(b),
  [[EXTREMES.length, 1], EXTREMES],
  [[1, EXTREMES.length], EXTREMES],
);
add(
  "matmul",
  "large with small",
  (a, b) => a.matmul(b),
  [
    [2, 3],
    [3e38, 1e-30, 1e4, -3e38, 1e30, 88.7],
  ],
  [
    [3, 2],
    [1e-30, 1e-38, 1e30, 1e-45, 1e4, -0],
  ],
);
add("matmul", "one-hot rows", (i, b) => i.oneHot(33).matmul(b), drawIntegers(33, 65), draw(33, 7));
add("matmul", "mostly zeros", (a, b) => a.relu().mask(a.gt(1.5)).matmul(b), draw(33, 129), draw(129, 5));
for (const [i, [a, b]] of (
  [
    [
      [3, 17, 33],
      [3, 33, 9],
    ],
    [
      [2, 1, 5, 7],
      [3, 7, 4],
    ],
    [
      [1, 4, 16],
      [3, 16, 5],
    ],
    [
      [3, 4, 16],
      [1, 16, 5],
    ],
    [
      [3, 4, 5],
      [3, 5, 4],
    ],
    [
      [2, 3, 1, 9],
      [2, 3, 9, 1],
    ],
    [
      [5, 31, 1],
      [5, 1, 33],
    ],
    [
      [2, 1, 1],
      [2, 1, 1],
    ],
    [
      [1, 8, 64],
      [1, 64, 17],
    ],
    [
      [7, 64],
      [3, 64, 8],
    ],
    [
      [3, 65, 32],
      [3, 32, 63],
    ],
    [
      [2, 3, 301],
      [2, 301, 2],
    ],
  ] as const
).entries()) {
  const [name, build] = TRANSPOSITIONS[i % 4] as (typeof TRANSPOSITIONS)[number];
  const turned = (shape: readonly number[], is: boolean) =>
    is ? [...shape.slice(0, -2), ...shape.slice(-2).reverse()] : shape;
  const [ofA, ofB] = [turned(a, name.startsWith("Aᵀ")), turned(b, name.endsWith("Bᵀ"))];
  add("matmul", `batches, ${name}, ${shapeName(a)} x ${shapeName(b)}`, build, draw(...ofA), draw(...ofB));
}
add(
  "matmul",
  "batches of permuted operands, with what follows",
  (q, k, c) =>
    q
      .permute([0, 2, 1, 3])
      .matmul(k.permute([0, 2, 3, 1]))
      .mul(0.5)
      .add(c)
      .softmax(),
  draw(2, 9, 3, 12),
  draw(2, 7, 3, 12),
  draw(9, 7),
);
add(
  "matmul",
  "gradients of broadcast batches",
  (a, b) => {
    const [da, db] = grad(a.matmul(b).tanh().sum(), [a, b]) as [Tensor, Tensor];
    return da.matmul(db);
  },
  draw(3, 1, 5, 6),
  draw(2, 6, 10),
);
add(
  "matmul",
  "second derivative of batches",
  (a, b) => {
    const da = grad(a.matmul(b).square().sum(), [a])[0] as Tensor;
    return grad(da.tanh().sum(), [b])[0] as Tensor;
  },
  draw(3, 4, 12),
  draw(3, 12, 5),
);
add(
  "matmul",
  "of slices, windows and padding",
  (x, w) => {
    const rows = x
      .slice(0, 1)
      .windows(0, 12, 3)
      .pad([
        [1, 2],
        [0, 0],
      ]);
    return rows.matmul(w.slice(1, undefined, undefined, -2));
  },
  draw(40),
  draw(12, 9),
);
add(
  "matmul",
  "by windows and padding",
  (x, w) => {
    const windows = x
      .windows(1, 4)
      .windows(2, 3, 2)
      .permute([0, 3, 4, 1, 2])
      .pad(
        [
          [0, 0],
          [0, 0],
          [1, 0],
          [0, 0],
          [0, 0],
        ],
        2,
      );
    return w.matmul(windows.reshape([2, 4 * 4, -1]));
  },
  draw(2, 9, 10),
  draw(3, 16),
);
add(
  "matmul",
  "by a padded matrix",
  (x, w) =>
    x.matmul(
      w.pad([
        [0, 3],
        [0, 0],
      ]),
    ),
  draw(5, 20),
  draw(17, 9),
);

add(
  "matmul",
  "einsum of attention, and its derivative",
  (q, k) => {
    const scores = einsum("bqhd,bkhd->bhqk", q, k);
    const [dq, dk] = grad(scores.softmax().square().sum(), [q, k]) as [Tensor, Tensor];
    return einsum("bqhd,bkhd->bqk", dq, dk);
  },
  draw(2, 5, 3, 9),
  draw(2, 7, 3, 9),
);
add(
  "checkpoint",
  "of a product, and its derivative",
  (a, b) => {
    const y = checkpoint((x, w) => x.matmul(w).tanh(), a, b);
    return grad(y.square().sum(), [a])[0].add(y.sum());
  },
  draw(17, 9),
  draw(9, 33),
);
add(
  "checkpoint",
  "attention in strips, and its derivative",
  (q, k) => {
    const y = attention(q, k, k, { causal: true });
    return grad(y.square().sum(), [k])[0];
  },
  draw(257, 3),
  draw(256, 3),
);
add(
  "matmul",
  "einsum of several rows, columns and terms",
  (a, b) => einsum("abcd,cebd->eab", a, b),
  draw(3, 2, 5, 4),
  draw(5, 7, 2, 4),
);
add("matmul", "einsum over 301 terms", (a, b) => einsum("kbm,kbn->bmn", a, b), draw(301, 2, 3), draw(301, 2, 5));
add("matmul", "einsum of 130 rows", (a, b) => einsum("mik,kin->mn", a, b), draw(130, 5, 3), draw(3, 5, 9));
add(
  "conv",
  "many places, two images, in groups",
  (x, w) => x.conv(w, { padding: 1, groups: 2 }),
  draw(2, 4, 10, 11),
  draw(6, 2, 3, 3),
);

// Rows by index -----------------------------------------------------------------------------------------------------

add("take", "rows, some twice", (x, i) => x.take(i), draw(7, 5), drawIntegers(7, 33));
add("take", "elements of a vector", (x, i) => x.take(i), draw(65), drawIntegers(65, 129));
add("take", "by two axes from three", (x, i) => x.take(i), draw(7, 3, 5), drawIntegers(7, 2, 9));
add("take", "integers", (x, i) => x.take(i), drawIntegers(100, 33), drawIntegers(33, 17));
add("take", "indices outside", (x, i) => x.take(i), draw(5, 3), [
  [5],
  Int32Array.of(-1, 5, 2 ** 31 - 1, -(2 ** 31), 4),
]);
add(
  "take",
  "from what was computed, by what was computed",
  (x, i) => x.exp().take(i.add(1).minimum(6)),
  draw(7, 5),
  drawIntegers(7, 9),
);
add(
  "take",
  "gradient, rows taken twice",
  (x, i) => grad(x.take(i).square().sum(), [x])[0] as Tensor,
  draw(7, 5),
  drawIntegers(7, 33),
);
add("take", "along the last axis", (x, i) => x.take(i, -1), draw(3, 5, 7), drawIntegers(7, 2, 3));
add(
  "take",
  "along the middle, then transposed",
  (x, i) => x.take(i, 1).permute([2, 0, 1]).exp(),
  draw(3, 5, 4),
  drawIntegers(5, 6),
);
add(
  "take",
  "of what has another shape, padded",
  (x, i) =>
    x
      .reshape([8, 4])
      .take(i, 1)
      .pad([
        [1, 0],
        [0, 2],
      ]),
  draw(4, 8),
  drawIntegers(4, 5),
);
add("take", "of a transposed table", (x, i) => x.T.take(i), draw(5, 7), drawIntegers(7, 9));
add("take", "one element for each row", (x, i) => x.takeAlong(i, 1), draw(33, 7), drawIntegers(7, 33, 1));
add("take", "elements along the middle", (x, i) => x.takeAlong(i, 1), draw(2, 5, 3), drawIntegers(5, 2, 9, 3));
add(
  "take",
  "elements along an axis, both repeated",
  (x, i) => x.takeAlong(i, -2),
  draw(4, 1, 5, 3),
  drawIntegers(5, 1, 2, 6, 1),
);
add(
  "take",
  "elements along an axis, indices outside",
  (x, i) => x.takeAlong(i.sub(2), 0),
  draw(4, 5),
  drawIntegers(9, 3, 5),
);
add(
  "take",
  "gradient of elements along an axis, some twice",
  (x, i) => grad(x.takeAlong(i, 1).square().sum(), [x])[0] as Tensor,
  draw(3, 5, 4),
  drawIntegers(5, 3, 9, 4),
);
add(
  "take",
  "gradient along the last axis, indices outside",
  (x, i) => grad(x.take(i.sub(2), 1).exp().sum(), [x])[0] as Tensor,
  draw(9, 5),
  drawIntegers(9, 7),
);
add("take", "by argmax", (x, y) => y.take(x.argmax(1)), draw(33, 10), draw(10, 3));

// Values added to rows by index ---------------------------------------------------------------------------------------

const scatter = (x: Tensor, i: Tensor, v: Tensor) => x.scatterAdd(i, v);
for (const [rows, columns, count] of [
  [1, 1, 1],
  [1, 1, 33],
  [1, 65, 9],
  [33, 1, 129],
  [7, 5, 33],
  [9, 65, 17],
  [130, 3, 5],
] as const)
  add(
    "scatterAdd",
    `${count} to ${rows} of ${columns}`,
    scatter,
    draw(rows, columns),
    drawIntegers(rows, count),
    draw(count, columns),
  );
add("scatterAdd", "all to the same row", scatter, draw(5, 9), [[700], new Int32Array(700).fill(3)], draw(700, 9));
add(
  "scatterAdd",
  "equal values, 5,000 in a row",
  scatter,
  draw(2),
  [[5000], new Int32Array(5000).fill(1)],
  [[5000], new Float32Array(5000).fill(0.1)],
);
add("scatterAdd", "by two axes, to rows of two", scatter, draw(7, 3, 5), drawIntegers(7, 2, 9), draw(2, 9, 3, 5));
add(
  "scatterAdd",
  "indices outside",
  scatter,
  draw(5, 3),
  [[4], Int32Array.of(-1, 5, 2 ** 31 - 1, -(2 ** 31))],
  draw(4, 3),
);
add(
  "scatterAdd",
  "in their order",
  scatter,
  [[2], [0, 0]],
  [[6], Int32Array.of(1, 0, 1, 0, 1, 0)],
  [[6], [1e8, 1, 1, 1e8, -1e8, -1e8]],
);
add(
  "scatterAdd",
  "of what was computed, and on from it",
  (x, i, v) => x.square().scatterAdd(i.add(1).minimum(6), v.T.exp()).mul(x).add(1),
  draw(7, 5),
  drawIntegers(7, 9),
  draw(5, 9),
);
add(
  "scatterAdd",
  "to zeros, and their sum",
  (x, i, v) => x.mul(0).scatterAdd(i, v).square().sum(),
  draw(50, 5),
  drawIntegers(50, 9),
  draw(9, 5),
);
add(
  "scatterAdd",
  "to a transposed table",
  (x, i, v) => x.T.scatterAdd(i, v),
  draw(5, 7),
  drawIntegers(7, 9),
  draw(9, 5),
);
add(
  "scatterAdd",
  "gradients",
  (x, i, v) => {
    const [dx, dv] = grad(x.scatterAdd(i, v).exp().sum(), [x, v]);
    return dx.sum(0).add(dv.sum(0));
  },
  draw(7, 5),
  drawIntegers(7, 9),
  draw(9, 5),
);

// What is not finite ------------------------------------------------------------------------------------------------
// A run takes no such numbers: they come of divisions.

const FRACTIONS: [numerator: number, denominator: number][] = [
  [0, 0],
  [1, 0],
  [-1, 0],
  [0, 1],
  [-0, 1],
  [0.3, 1],
  [1, 1],
  [-1.5, 1],
  [3e38, 1],
  [-3e38, 1],
];
type Fraction = (typeof FRACTIONS)[number];
const [NAN, INFINITE, NEGATIVE] = FRACTIONS as [Fraction, Fraction, Fraction];
const divided = (shape: readonly number[], fractions: readonly Fraction[]): [Given, Given] => [
  [shape, fractions.map(([numerator]) => numerator)],
  [shape, fractions.map(([, denominator]) => denominator)],
];
const strange = (op: string, name: string, build: (...inputs: Tensor[]) => Tensor, ...given: Given[]) =>
  add(op, `not finite: ${name}`, build, ...given);

const n = FRACTIONS.length;
for (const [op, build] of Object.entries({
  ...UNARY,
  sqrt: (x: Tensor) => x.sqrt(),
  log: (x: Tensor) => x.log(),
  log1p: (x: Tensor) => x.log1p(),
  toInt32: (x: Tensor) => x.toInt32(),
})) {
  strange(op, "each", (a, b) => build(a.div(b)), ...divided([n], FRACTIONS));
}
for (const [op, build] of Object.entries(BINARY)) {
  const [rows, columns] = [divided([n, 1], FRACTIONS), divided([1, n], FRACTIONS)];
  strange(op, "each with each", (a, b, c, d) => build(a.div(b), c.div(d)), ...rows, ...columns);
}
const each = divided([n], FRACTIONS);
strange("mul", "by the number 0", (a, b) => a.div(b).mul(0), ...each);
strange("sub", "from itself", (a, b) => a.div(b).sub(a.div(b)), ...each);
strange("eq", "with itself", (a, b) => a.div(b).eq(a.div(b)), ...each);
strange("maximum", "with a number", (a, b) => a.div(b).maximum(1), ...each);
strange("minimum", "with a number", (a, b) => a.div(b).minimum(1), ...each);
strange("exp", "of a logarithm", (a, b) => a.div(b).log().exp(), ...each);
strange("relu", "gradient", (a, b) => grad(a.div(b).relu().square().sum(), [a])[0] as Tensor, ...each);
strange(
  "minimum",
  "a gradient of 0, clipped by its norm",
  (g, c) => {
    const norm = g.square().sum().sqrt();
    return g.mul(c.div(norm).minimum(1));
  },
  [[3], [0, 0, 0]],
  [[], [0]],
);

/** Rows of ordinary numbers with one that is not first, in the middle and last; with two; and with nothing else. */
function strangeRows(length: number): [number, Fraction[]] {
  const last = length - 1;
  const row = (set: Record<number, Fraction>, rest?: Fraction) =>
    Array.from({ length }, (_, l): Fraction => set[l] ?? rest ?? [(l % 5) - 1.5, 1]);
  const rows = [
    ...[0, length >> 1, last].flatMap((at) => [NAN, INFINITE, NEGATIVE].map((fraction) => row({ [at]: fraction }))),
    ...[NAN, INFINITE, NEGATIVE].map((fraction) => row({}, fraction)),
    row({ 0: INFINITE, [last]: NEGATIVE }),
    row({ 0: INFINITE, [last]: NAN }),
    row({ [length >> 1]: NAN, [last]: NAN }, NEGATIVE),
    row({ [last]: [1, 1] }, NEGATIVE),
  ];
  return [rows.length, rows.flat()];
}
for (const length of [1, 2, 5, 17, 40, 1100]) {
  const [rows, fractions] = strangeRows(length);
  const given = divided([rows, length], fractions);
  for (const [op, build] of Object.entries({
    sum,
    max,
    argmax,
    softmax: (x: Tensor, axis?: number) => x.softmax(axis),
    logSoftmax: (x: Tensor, axis?: number) => x.logSoftmax(axis),
  })) {
    strange(op, `rows of ${length}`, (a, b) => build(a.div(b), 1), ...given);
    strange(op, `columns of ${length}`, (a, b) => build(a.T.div(b.T), 0), ...given);
  }
  strange("max", `gradient, rows of ${length}`, (a, b) => grad(a.div(b).max(1).sum(), [a])[0] as Tensor, ...given);
}
for (const size of [7, 300, 5000]) {
  for (const [name, fraction] of [
    ["NaN", NAN],
    ["infinity", INFINITE],
  ] as const) {
    const given = divided(
      [size, 1],
      Array.from({ length: size }, (_, i) => (i === size - 2 ? fraction : [-i, 1])),
    );
    strange("max", `all of ${size}, one ${name}`, (a, b) => a.div(b).max().add(1), ...given);
    strange("sum", `all of ${size}, one ${name}`, (a, b) => a.div(b).sum().mul(2), ...given);
    strange(
      "max",
      `a product of ${size} rows, one ${name}`,
      (a, b, w) => a.div(b).matmul(w).max(),
      ...given,
      draw(1, 3),
    );
  }
  const lowest = divided([size, 1], new Array<Fraction>(size).fill(NEGATIVE));
  strange("max", `all of ${size}, which are -infinity`, (a, b) => a.div(b).max().add(1), ...lowest);
  strange("max", `a product of ${size} rows, all -infinity`, (a, b, w) => a.div(b).matmul(w).max(), ...lowest, [
    [1, 3],
    [1, 2, 3],
  ]);
}
for (const [name, build, ofA, ofB] of TRANSPOSITIONS) {
  for (const [M, N, K] of [
    [1, 1, 1],
    [5, 7, 3],
    [33, 17, 65],
    [64, 64, 64],
  ] as const) {
    const of = (rows: number, columns: number, kinds: readonly Fraction[]) =>
      divided(
        [rows, columns],
        Array.from({ length: rows * columns }, (_, i) => kinds[i] ?? [(i % 7) - 3, 1]),
      );
    const a = ofA ? of(K, M, [NAN, INFINITE, NEGATIVE]) : of(M, K, [NAN, [2, 1], INFINITE]);
    const b = ofB ? of(N, K, [[1, 1]]) : of(K, N, [[1, 1], NEGATIVE]);
    strange("matmul", `${name}, M ${M}, N ${N}, K ${K}`, (a, c, b, d) => build(a.div(c), b.div(d)), ...a, ...b);
  }
}
strange(
  "take",
  "rows",
  (a, b, i) =>
    a
      .div(b)
      .reshape([n / 2, 2])
      .take(i),
  ...each,
  drawIntegers(n / 2, 9),
);
{
  const [x, d, w] = [input([24, 3]), input([24, 3]), parameter([3, 4])];
  const [, fractions] = strangeRows(3);
  const padded = Array.from({ length: 72 }, (_, i): Fraction => fractions[i] ?? [i % 3, 1]);
  const h = x.div(d).matmul(w);
  const step = (name: string, y: Tensor, update: Tensor) =>
    CASES.push({
      op: "parameter",
      name: `parameter: not finite: ${name}`,
      parameters: { w: normal(12, 11) },
      inputs: { x: padded.map(([numerator]) => numerator), d: padded.map(([, denominator]) => denominator) },
      program: { inputs: { x, d }, parameters: { w }, outputs: { y }, updates: { w: update } },
    });
  const trained = (name: string, value: Tensor) => {
    const loss = value.mean();
    step(name, loss, w.sub((grad(loss, [w])[0] as Tensor).mul(0.1)));
  };
  trained("a layer with relu", h.relu());
  trained("a layer with tanh", h.tanh());
  trained(
    "a cross entropy",
    h
      .logSoftmax()
      .mul(x.sum(1, { keepDims: true }))
      .neg(),
  );
  trained("the largest of each row", h.max(1));
  step("the index of the largest", h.argmax(1).toFloat32().sum(), w.sub(h.max(0).reshape([1, 4]).maximum(w)));
  step("the largest of all", h.max(), w.sub(h.max()));
}

CASES.push(...SCAN_CASES);
