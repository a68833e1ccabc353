import { describe, expect, test } from "vitest";
import { GRADIENTS } from "../../src/graph/gradients";
import { OPS } from "../../src/graph/ops";
import { topological } from "../../src/graph/tensor";
import {
  checkpoint,
  constant,
  einsum,
  grad,
  parameter,
  random,
  reference,
  type Shape,
  scan,
  type Tensor,
  where,
} from "../../src/index";
import { sizeOf } from "../../src/util/shape";
import { normal } from "./numbers";

interface Case {
  /** The rows of the table that it tries. */
  ops: readonly string[];
  shapes: readonly Shape[];
  build(...x: Tensor[]): Tensor;
  /** Where the function is well conditioned; normal numbers where left out. */
  at?(x: number): number;
}

const positive = (x: number) => Math.abs(x) + 0.5;
/** Away from 0 by a tenth at least. */
const apart = (x: number) => x + Math.sign(x) * 0.1;
const rows = (...indices: number[]) => constant(indices, [indices.length]).toInt32();

const CASES: Record<string, Case> = {
  "scan, in its carry, xs and what it closes over": {
    ops: ["scan", "item"],
    shapes: [[2], [3, 2], [2, 2]],
    build: (h, xs, w) => {
      const { carry, ys } = scan(
        ({ h }, x) => {
          const next = h.reshape([1, 2]).matmul(w).reshape([2]).add(x).tanh();
          return { carry: { h: next }, y: next.mul(h) };
        },
        { h },
        xs,
        { reverse: true },
      );
      return ys.add(carry.h as Tensor);
    },
  },
  add: {
    ops: ["add"],
    shapes: [
      [3, 4],
      [3, 4],
    ],
    build: (a, b) => a.add(b),
  },
  "add, a row repeated": { ops: ["add", "sum"], shapes: [[3, 4], [4]], build: (a, b) => a.add(b) },
  "sub, both repeated": {
    ops: ["sub", "neg"],
    shapes: [
      [3, 1],
      [1, 4],
    ],
    build: (a, b) => a.sub(b),
  },
  mul: {
    ops: ["mul"],
    shapes: [
      [3, 4],
      [3, 4],
    ],
    build: (a, b) => a.mul(b),
  },
  "mul, repeated in the middle": {
    ops: ["mul"],
    shapes: [
      [2, 1, 3],
      [2, 5, 1],
    ],
    build: (a, b) => a.mul(b),
  },
  "mul by a scalar": { ops: ["mul"], shapes: [[3, 4], []], build: (a, b) => a.mul(b) },
  "mul by itself": { ops: ["mul"], shapes: [[5]], build: (a) => a.mul(a).mul(a) },
  "div, a column repeated": {
    ops: ["div"],
    shapes: [
      [3, 4],
      [3, 1],
    ],
    build: (a, b) => a.div(b),
    at: apart,
  },
  "div of a number": { ops: ["div"], shapes: [[5]], build: (a) => constant([2], [1]).div(a), at: apart },
  maximum: { ops: ["maximum"], shapes: [[3, 4], [4]], build: (a, b) => a.maximum(b) },
  "minimum with a number": { ops: ["minimum"], shapes: [[3, 4]], build: (a) => a.minimum(0.3) },
  mask: { ops: ["mask"], shapes: [[3, 4], [4]], build: (a, b) => a.mask(b.gt(0)) },
  "mask by itself": { ops: ["mask"], shapes: [[3, 4]], build: (a) => a.square().mask(a.ge(0)) },
  neg: { ops: ["neg"], shapes: [[4]], build: (a) => a.neg() },
  abs: { ops: ["abs"], shapes: [[7]], build: (a) => a.abs(), at: apart },
  square: { ops: ["square"], shapes: [[7]], build: (a) => a.square() },
  sqrt: { ops: ["sqrt"], shapes: [[7]], build: (a) => a.sqrt(), at: positive },
  exp: { ops: ["exp"], shapes: [[7]], build: (a) => a.exp() },
  log: { ops: ["log"], shapes: [[7]], build: (a) => a.log(), at: positive },
  log1p: { ops: ["log1p"], shapes: [[7]], build: (a) => a.log1p(), at: positive },
  expm1: { ops: ["expm1"], shapes: [[7]], build: (a) => a.expm1() },
  erf: { ops: ["erf"], shapes: [[7]], build: (a) => a.erf() },
  sin: { ops: ["sin", "cos"], shapes: [[7]], build: (a) => a.sin().mul(a) },
  cos: { ops: ["cos"], shapes: [[7]], build: (a) => a.mul(3).cos() },
  pow: { ops: ["pow"], shapes: [[3, 4], [4]], build: (a, b) => a.pow(b), at: positive },
  "pow of negative numbers": { ops: ["pow"], shapes: [[7]], build: (a) => a.pow(3).add(a.pow(-2)), at: apart },
  "pow of a number": { ops: ["pow"], shapes: [[7]], build: (a) => constant([2.5], [1]).pow(a) },
  "stopGradient beside what is not stopped": {
    ops: ["add"],
    shapes: [[7]],
    build: (a) => a.square().add(a.sub(a).stopGradient()),
  },
  relu: { ops: ["relu"], shapes: [[7]], build: (a) => a.relu(), at: apart },
  tanh: { ops: ["tanh"], shapes: [[7]], build: (a) => a.tanh() },
  sigmoid: { ops: ["sigmoid"], shapes: [[7]], build: (a) => a.sigmoid() },
  permute: { ops: ["permute"], shapes: [[2, 3, 4]], build: (a) => a.permute([2, 0, 1]).mul(a.reshape([4, 2, 3])) },
  transpose: { ops: ["permute"], shapes: [[3, 4]], build: (a) => a.T.square() },
  "transpose of the last two of three": { ops: ["permute"], shapes: [[2, 3, 4]], build: (a) => a.T.square() },
  reshape: { ops: ["reshape"], shapes: [[3, 4]], build: (a) => a.reshape([2, 6]).square() },
  "views of views": { ops: ["permute", "reshape"], shapes: [[3, 4]], build: (a) => a.T.reshape([6, 2]).T.square() },
  broadcast: { ops: ["broadcast"], shapes: [[3, 1]], build: (a) => a.broadcastTo([2, 3, 4]).square() },
  slice: {
    ops: ["slice"],
    shapes: [[3, 8]],
    build: (a) => a.slice(1, 1, undefined, 3).slice(0, 1).square(),
  },
  "slice backwards by two": { ops: ["slice"], shapes: [[9]], build: (a) => a.slice(0, -2, undefined, -2).square() },
  pad: {
    ops: ["pad"],
    shapes: [[3, 4]],
    build: (a) =>
      a
        .pad(
          [
            [1, 2],
            [0, 1],
          ],
          3,
        )
        .square(),
  },
  windows: { ops: ["windows"], shapes: [[2, 7]], build: (a) => a.windows(1, 3).square() },
  "windows, stride 2, dilation 2": {
    ops: ["windows"],
    shapes: [[10, 2]],
    build: (a) => a.windows(0, 3, 2, 2).square(),
  },
  "windows with elements between": { ops: ["windows"], shapes: [[11]], build: (a) => a.windows(0, 2, 4).square() },
  conv: {
    ops: ["conv"],
    shapes: [
      [2, 2, 5, 4],
      [2, 1, 2, 3],
    ],
    build: (a, w) => a.conv(w, { groups: 2, stride: [2, 1], padding: [1, 0], dilation: [2, 1] }).square(),
  },
  "the derivative of a convolution": {
    ops: ["conv"],
    shapes: [
      [1, 2, 6],
      [2, 2, 3],
    ],
    build: (a, w) => grad(a.conv(w, { stride: 2, padding: 1 }).square().sum(), [a])[0].square(),
  },
  "the derivative of a convolution in its weight": {
    ops: ["conv"],
    shapes: [
      [2, 2, 6],
      [2, 2, 3],
    ],
    build: (a, w) => grad(a.conv(w, { stride: 2, padding: 1 }).square().sum(), [w])[0].square(),
  },
  diagonal: { ops: ["diagonal"], shapes: [[2, 3, 3]], build: (a) => a.diagonal().square() },
  matmul: {
    ops: ["matmul"],
    shapes: [
      [3, 4],
      [4, 5],
    ],
    build: (a, b) => a.matmul(b),
  },
  "matmul of transposed": {
    ops: ["matmul", "permute"],
    shapes: [
      [4, 3],
      [5, 4],
    ],
    build: (a, b) => a.T.matmul(b.T),
  },
  "matmul of three axes": {
    ops: ["matmul"],
    shapes: [
      [2, 3, 4],
      [4, 2],
    ],
    build: (a, b) => a.matmul(b),
  },
  "matmul of batches, broadcast": {
    ops: ["matmul", "broadcast"],
    shapes: [
      [2, 1, 3, 4],
      [3, 4, 2],
    ],
    build: (a, b) => a.matmul(b).square(),
  },
  "the derivative of a matmul of batches": {
    ops: ["matmul"],
    shapes: [
      [2, 3, 4],
      [2, 4, 2],
    ],
    build: (a, b) => grad(a.matmul(b).square().sum(), [a])[0].square(),
  },
  einsum: {
    ops: ["matmul", "permute"],
    shapes: [
      [2, 3, 4],
      [4, 2, 3, 2],
    ],
    build: (a, b) => einsum("bqd,dbkh->kbqh", a, b).square(),
  },
  "matmul of windows": {
    ops: ["matmul", "windows", "pad"],
    shapes: [[7], [3, 2]],
    build: (a, b) =>
      a
        .pad([[1, 1]])
        .windows(0, 3)
        .matmul(b)
        .square(),
  },
  checkpoint: {
    ops: ["checkpoint"],
    shapes: [
      [3, 2],
      [2, 4],
    ],
    build: (a, b) => checkpoint((x, y) => x.matmul(y).tanh().add(b.sum()), a, b).square(),
  },
  "the derivative through a checkpoint": {
    ops: ["checkpoint"],
    shapes: [
      [3, 2],
      [2, 4],
    ],
    build: (a, b) =>
      grad(
        checkpoint((x, y) => x.matmul(y).sigmoid(), a, b)
          .square()
          .sum(),
        [a],
      )[0].square(),
  },
  "matmul by itself": { ops: ["matmul"], shapes: [[3, 4]], build: (a) => a.matmul(a.T) },
  "sum of all": { ops: ["sum"], shapes: [[2, 3, 4]], build: (a) => a.square().sum() },
  "prod of all": { ops: ["prod"], shapes: [[2, 3]], build: (a) => a.prod() },
  "prod over an axis, of a zero and of two": {
    ops: ["prod"],
    shapes: [[4, 5]],
    build: (a) => a.mul(constant([1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 0, 1, 0, 1, 1, 1, 1, 1, 1, 1], [4, 5])).prod(1),
  },
  "max of all": { ops: ["max"], shapes: [[2, 3, 4]], build: (a) => a.max() },
  "take with repeated rows": { ops: ["take"], shapes: [[4, 3]], build: (a) => a.take(rows(2, 0, 2, 2, 3)).square() },
  "take of rows outside": { ops: ["take"], shapes: [[4, 3]], build: (a) => a.take(rows(-2, 9, 1)) },
  "take along the last axis": { ops: ["take"], shapes: [[2, 4]], build: (a) => a.take(rows(1, 1, 0), -1).square() },
  takeAlong: {
    ops: ["take"],
    shapes: [[3, 4]],
    build: (a) => a.takeAlong(rows(1, 1, 0, 3, 9, 1).reshape([3, 2]), 1).square(),
  },
  "takeAlong, both repeated": {
    ops: ["take"],
    shapes: [[1, 3, 2]],
    build: (a) => a.takeAlong(rows(1, 1, 0, 2).reshape([2, 2, 1]), 1).exp(),
  },
  scatterAdd: {
    ops: ["scatterAdd", "take"],
    shapes: [
      [4, 3],
      [5, 3],
    ],
    build: (a, b) => a.scatterAdd(rows(2, 0, 2, -1, 9), b).square(),
  },
  "scatterAdd twice derived": {
    ops: ["scatterAdd", "take"],
    shapes: [[4, 3]],
    build: (a) =>
      grad(
        a
          .take(rows(2, 0, 2))
          .square()
          .mul(a.take(rows(1, 2, 2)))
          .sum(),
        [a],
      )[0].square(),
  },
  "take of two axes": { ops: ["take"], shapes: [[4, 2, 2]], build: (a) => a.take(rows(1, 1, 0, 3).reshape([2, 2])) },
  "a network": {
    ops: ["matmul", "add", "tanh", "logSoftmax", "sum"],
    shapes: [[5, 3], [3, 4], [4], [4, 2], [2]],
    build: (x, w1, b1, w2, b2) =>
      x
        .matmul(w1)
        .add(b1)
        .tanh()
        .matmul(w2)
        .add(b2)
        .logSoftmax()
        .mul(rows(0, 1, 1, 0, 1).oneHot(2))
        .sum(1),
  },
  "batch statistics": {
    ops: ["sum", "sub", "div", "sqrt"],
    shapes: [[6, 3]],
    build: (x) => {
      const centred = x.sub(x.mean(0));
      return centred.div(centred.square().mean(0).add(0.1).sqrt());
    },
  },
};
for (const axis of [0, 1, 2]) {
  const shapes = [[2, 3, 4]];
  const ops = (op: string) => ({ ops: [op], shapes });
  CASES[`sum over axis ${axis}`] = { ...ops("sum"), build: (a) => a.square().sum(axis) };
  CASES[`mean over axis ${axis}, kept`] = { ...ops("sum"), build: (a) => a.mul(a.mean(axis, { keepDims: true })) };
  CASES[`max over axis ${axis}`] = { ...ops("max"), build: (a) => a.max(axis) };
  CASES[`max over axis ${axis}, kept`] = { ...ops("max"), build: (a) => a.sub(a.max(axis, { keepDims: true })).exp() };
  CASES[`softmax over axis ${axis}`] = { ...ops("softmax"), build: (a) => a.softmax(axis) };
  CASES[`logSoftmax over axis ${axis}`] = { ...ops("logSoftmax"), build: (a) => a.logSoftmax(axis) };
}

/** What gives no derivative: leaves, integers, and steps that are flat. */
const FLAT: Record<string, (x: Tensor) => Tensor> = {
  input: (x) => x.mul(0),
  parameter: (x) => x.mul(0),
  constant: (x) => x.mul(0),
  iota: (x) => rows(0, 1).oneHot(2).sum().add(x.mul(0)),
  gt: (x) => x.gt(0),
  ge: (x) => x.ge(0),
  lt: (x) => x.lt(0),
  le: (x) => x.le(0),
  eq: (x) => x.eq(0),
  argmax: (x) => x.argmax(0).toFloat32(),
  sign: (x) => x.sign(),
  floor: (x) => x.floor(),
  ceil: (x) => x.ceil(),
  round: (x) => x.round(),
  stopGradient: (x) => x.square().stopGradient(),
  toInt32: (x) => x.mul(10).toInt32().toFloat32(),
  toFloat32: (x) => x.toInt32().toFloat32(),
  random: (x) => random(x.shape, x.argmax(0), 3),
};

const STEP = 1e-6;
const RTOL = 1e-6;

/** d/dx of a scalar by central differences against grad(), in float64. */
function check(loss: Tensor, x: readonly Tensor[], values: readonly Float64Array[]): void {
  const parameters = Object.fromEntries(x.map((tensor, i) => [`x${i}`, tensor]));
  const derivatives = grad(loss, x);
  derivatives.forEach((derivative, i) => {
    expect(derivative.shape).toEqual(x[i]?.shape);
  });
  const exact = reference({
    inputs: {},
    parameters,
    outputs: Object.fromEntries(derivatives.map((derivative, i) => [`d${i}`, derivative])),
  });
  const moved = reference({ inputs: {}, parameters, outputs: { loss } });
  values.forEach((value, i) => {
    exact.write({ [`x${i}`]: value });
    moved.write({ [`x${i}`]: value });
  });
  const lossAt = () => moved.run({}).loss?.[0] as number;
  // Half the last place of the loss, divided by the step: below this, differences say nothing.
  const floor = 1e-9 * (1 + Math.abs(lossAt()));
  const found = exact.run({});
  values.forEach((value, i) => {
    value.forEach((at, j) => {
      const shifted = (by: number) => {
        const copy = value.slice();
        copy[j] = at + by;
        moved.write({ [`x${i}`]: copy });
        return lossAt();
      };
      const difference = (shifted(STEP) - shifted(-STEP)) / (2 * STEP);
      moved.write({ [`x${i}`]: value });
      const derivative = found[`d${i}`]?.[j] as number;
      const error = Math.abs(derivative - difference);
      expect(error, `x${i}[${j}]: grad ${derivative}, differences ${difference}`).toBeLessThanOrEqual(
        RTOL * Math.abs(derivative) + floor,
      );
    });
  });
}

/** A scalar that weighs every element of `y` differently. */
function weighed(y: Tensor, seed: number): Tensor {
  return y.mul(constant(normal(sizeOf(y.shape), seed), y.shape)).sum();
}

describe("derivatives agree with central differences in float64", () => {
  for (const [name, { shapes, build, at = (x: number) => x }] of Object.entries(CASES)) {
    const setUp = () => {
      const x = shapes.map(parameter);
      const values = shapes.map((shape, i) => Float64Array.from(normal(sizeOf(shape), 31 * i + 1), at));
      return { x, values, loss: weighed(build(...x), 5) };
    };
    test(name, () => {
      const { x, values, loss } = setUp();
      check(loss, x, values);
    });
    test(`${name}: second order`, () => {
      const { x, values, loss } = setUp();
      const first = grad(loss, x).map((derivative, i) => weighed(derivative, 7 + i));
      check(
        first.reduce((a, b) => a.add(b)),
        x,
        values,
      );
    });
  }
});

describe("the table of gradients", () => {
  test("has a row for every operation", () => {
    expect(Object.keys(GRADIENTS).sort()).toEqual(Object.keys(OPS).sort());
  });

  for (const op of Object.keys(OPS)) {
    test(`is tried at ${op}`, () => {
      const flat = FLAT[op];
      const tried = Object.values(CASES).filter(({ ops }) => ops.includes(op));
      if (flat === undefined) expect(tried.length, `no case of a derivative names ${op}`).toBeGreaterThan(0);
      for (const { shapes, build } of tried) {
        const y = build(...shapes.map(parameter));
        const nodes = topological(
          grad(
            y.sum(),
            topological([y]).filter((node) => node.op === "parameter"),
          ),
        );
        const forward = topological([y]);
        expect([...forward, ...nodes].some((node) => node.op === op)).toBe(true);
      }
      if (flat === undefined) return;
      const x = parameter([4]);
      const [derivative] = grad(flat(x).sum(), [x]) as [Tensor];
      const session = reference({ inputs: {}, parameters: { x }, outputs: { derivative } });
      session.write({ x: [0.25, -1, 3, 0.5] });
      expect(Array.from(session.run({}).derivative as Float64Array, Math.abs)).toEqual([0, 0, 0, 0]);
    });
  }
});

/** The derivative of the sum of build(x) at the values. */
function derivativeAt(build: (x: Tensor, y: Tensor) => Tensor, x: number[], y: number[] = x): number[][] {
  const parameters = { x: parameter([x.length]), y: parameter([y.length]) };
  const [dx, dy] = grad(build(parameters.x, parameters.y).sum(), [parameters.x, parameters.y]) as [Tensor, Tensor];
  const session = reference({ inputs: {}, parameters, outputs: { dx, dy } });
  session.write({ x, y });
  const { dx: ofX, dy: ofY } = session.run({}) as { dx: Float64Array; dy: Float64Array };
  return [Array.from(ofX, (d) => d + 0), Array.from(ofY, (d) => d + 0)];
}

describe("at a kink", () => {
  test("relu has derivative 0 at 0", () => {
    expect(derivativeAt((x) => x.relu(), [-1, 0, 1])[0]).toEqual([0, 0, 1]);
    expect(derivativeAt((x) => x.relu(), [-0])[0]).toEqual([0]);
  });
  test("pow has that of PyTorch at 0, in the base and in the exponent", () => {
    const [inBase, inExponent] = derivativeAt((x, y) => x.pow(y), [0, 0, 0, 0, 2], [0, 1, 2, 0.5, 0]);
    expect(inBase).toEqual([0, 1, 0, Number.POSITIVE_INFINITY, 0]);
    expect(inExponent).toEqual([0, 0, 0, 0, Math.LN2]);
    const twice = (x: Tensor, n: number) => grad(x.pow(n).sum(), [x])[0] as Tensor;
    expect(derivativeAt((x) => twice(x, 2), [0, -1])[0]).toEqual([2, 2]);
    expect(derivativeAt((x) => twice(x, 1), [0, -1])[0]).toEqual([0, 0]);
  });
  test("abs has derivative 0 at 0", () => {
    expect(derivativeAt((x) => x.abs(), [-2, 0, 3])[0]).toEqual([-1, 0, 1]);
  });
  test("maximum and minimum of equals give half to each", () => {
    const [x, y] = [
      [1, 2, 3],
      [3, 2, 1],
    ];
    expect(derivativeAt((a, b) => a.maximum(b), x as number[], y)).toEqual([
      [0, 0.5, 1],
      [1, 0.5, 0],
    ]);
    expect(derivativeAt((a, b) => a.minimum(b), x as number[], y)).toEqual([
      [1, 0.5, 0],
      [0, 0.5, 1],
    ]);
  });
  test("the largest that is there more than once shares evenly", () => {
    expect(derivativeAt((x) => x.max(), [4, 1, 4, 4])[0]).toEqual([1 / 3, 0, 1 / 3, 1 / 3]);
  });
  test("a mask passes what the condition passes, and nothing goes into the condition", () => {
    expect(derivativeAt((x, y) => x.mask(y.ge(0)), [1, 2, 3], [-1, 0, 1])).toEqual([
      [0, 1, 1],
      [0, 0, 0],
    ]);
  });
  test("what where does not pick gives no NaN to the derivative", () => {
    const poles = (x: Tensor) => where(x.gt(0), x.log().mul(x.sqrt()), x.neg().exp());
    expect(derivativeAt((x) => where(x.gt(0), x.log(), 0), [-1, 0, 2])[0]).toEqual([0, 0, 0.5]);
    expect(derivativeAt((x) => where(x.le(0), 3, x.sqrt().add(1).reciprocal()), [-1, 0, 1])[0]).toEqual([0, 0, -0.125]);
    const [found] = derivativeAt(poles, [-1, 0, 1, 1000]) as [number[]];
    expect(found.every(Number.isFinite)).toBe(true);
    expect(found[0]).toBeCloseTo(-Math.E, 12);
    expect(found[2]).toBeCloseTo(1, 12);
  });
  test("the square root's pole stays a pole", () => {
    expect(derivativeAt((x) => x.sqrt(), [0])[0]).toEqual([Number.POSITIVE_INFINITY]);
  });
});

describe("grad", () => {
  test("gives zeros for what the loss does not depend on", () => {
    const [x, unused] = [parameter([2]), parameter([3, 2])];
    const [derivative] = grad(x.sum(), [unused]) as [Tensor];
    expect(derivative.shape).toEqual([3, 2]);
    const outputs = reference({ inputs: {}, parameters: { x, unused }, outputs: { derivative } }).run({});
    expect(Array.from(outputs.derivative as Float64Array)).toEqual([0, 0, 0, 0, 0, 0]);
  });
  test("is 1 in the loss itself, and may be taken in an intermediate", () => {
    const x = parameter([2]);
    const h = x.mul(3);
    const loss = h.square().sum();
    const [inLoss, inH] = grad(loss, [loss, h]) as [Tensor, Tensor];
    const session = reference({ inputs: {}, parameters: { x }, outputs: { inLoss, inH } });
    session.write({ x: [1, 2] });
    const outputs = session.run({});
    expect(Array.from(outputs.inLoss as Float64Array)).toEqual([1]);
    expect(Array.from(outputs.inH as Float64Array)).toEqual([6, 12]);
  });
  test("adds up where a tensor is used twice, and gives each of wrt, repeated or not", () => {
    const x = parameter([]);
    const [a, b] = grad(x.mul(x).add(x), [x, x]) as [Tensor, Tensor];
    const session = reference({ inputs: {}, parameters: { x }, outputs: { a, b } });
    session.write({ x: [5] });
    expect([session.run({}).a?.[0], session.read("b")[0]]).toEqual([11, 11]);
  });
  test("takes a loss of any shape with one element", () => {
    const x = parameter([1, 1]);
    expect(grad(x.square(), [x])[0]?.shape).toEqual([1, 1]);
  });
});
