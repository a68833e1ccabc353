import fc from "fast-check";
import {
  checkpoint,
  concat,
  constant,
  grad,
  input,
  iota,
  type Program,
  parameter,
  random,
  scan,
  type Tensor,
  type Values,
  where,
} from "../../src/index";
import { broadcastShapes, sizeOf } from "../../src/util/shape";
import { integers, normal } from "../graph/numbers";

/** A program, and what it is given. */
export interface Fuzzed {
  readonly program: Program;
  readonly parameters: Record<string, Values>;
  readonly inputs: Record<string, Values>;
  /** The calls that made its tensors, in their order. */
  readonly calls: readonly string[];
}

/** Numbers that choose a call and its operands; fast-check makes them smaller where a program fails. */
interface Choice {
  readonly call: number;
  readonly a: number;
  readonly b: number;
  readonly more: number;
}

const MOST_ELEMENTS = 3000;
const lastOf = ({ shape }: Tensor) => shape[shape.length - 1] as number;
const vector = (x: Tensor) => (x.shape.length === 0 ? x.reshape([1]) : x);
const matrix = (x: Tensor) => {
  const v = vector(x);
  return v.reshape([sizeOf(v.shape) / lastOf(v), lastOf(v)]);
};
const axisOf = ({ shape }: Tensor, { b }: Choice) => [undefined, ...shape.keys()][b % (shape.length + 1)];
const someAxis = (x: Tensor, { b }: Choice) => (b % x.shape.length) - (b % 2 === 0 ? x.shape.length : 0);
const numbers = [0, 1, -1, 0.5, -2.25, 3, 1e-3, 100] as const;

/** Another tensor that broadcasts with `a`, itself included, or a number. */
function beside(a: Tensor, { b, more }: Choice, pool: readonly Tensor[]): Tensor | number {
  if (b % 6 === 0) return numbers[more % numbers.length] as number;
  const fitting = pool.filter(({ shape }) => {
    const joint = broadcastShapes(a.shape, shape);
    return joint !== null && sizeOf(joint) <= MOST_ELEMENTS;
  });
  return fitting[b % fitting.length] ?? a;
}

const indices = ({ more }: Choice, below: number, count = 4): Tensor =>
  constant(Float32Array.from(integers(count, below, more)), [count]).toInt32();
const kept = ({ more }: Choice) => ({ keepDims: more % 2 === 0 });
/** Values that stay moderate, so that sums and products of products do not leave float32. */
const moderate = (x: Tensor) => x.tanh().mul(2);

type Call = (a: Tensor, choice: Choice, pool: readonly Tensor[]) => Tensor;

/** Every method of a tensor, and what else makes one. */
const CALLS: Record<string, Call> = {
  add: (a, c, pool) => a.add(beside(a, c, pool)),
  sub: (a, c, pool) => a.sub(beside(a, c, pool)),
  mul: (a, c, pool) => moderate(a).mul(beside(a, c, pool)),
  div: (a, c, pool) =>
    a.div(
      matrixless(beside(a, c, pool), a)
        .square()
        .add(0.5),
    ),
  maximum: (a, c, pool) => a.maximum(beside(a, c, pool)),
  minimum: (a, c, pool) => a.minimum(beside(a, c, pool)),
  checkpoint: (a) => checkpoint((x) => moderate(x).tanh().mul(x), a),
  neg: (a) => a.neg(),
  abs: (a) => a.abs(),
  square: (a) => moderate(a).square(),
  sqrt: (a) => a.abs().add(0.25).sqrt(),
  exp: (a) => a.minimum(3).exp(),
  log: (a) => a.abs().add(0.5).log(),
  relu: (a) => a.relu(),
  tanh: (a) => a.tanh(),
  sigmoid: (a) => a.sigmoid(),
  log1p: (a) => a.abs().log1p(),
  expm1: (a) => a.minimum(3).expm1(),
  erf: (a) => a.erf(),
  pow: (a, c, pool) =>
    c.more % 2 === 0
      ? moderate(a).pow(2 + (c.more % 3))
      : a
          .abs()
          .add(0.5)
          .minimum(3)
          .pow(matrixless(beside(a, c, pool), a).tanh()),
  prod: (a, c) =>
    a
      .tanh()
      .mul(0.1)
      .add(1)
      .prod(a.shape.length === 0 ? undefined : c.b % a.shape.length, { keepDims: true }),
  wave: (a, c) => [a.sin(), a.cos()][c.more % 2] as Tensor,
  steps: (a, c) => [a.sign(), a.floor(), a.ceil(), a.round()][c.more % 4] as Tensor,
  stopGradient: (a) => a.add(a.tanh().stopGradient()),
  reciprocal: (a, c) => (c.more % 2 === 0 ? a.square().add(0.5).reciprocal() : a.abs().add(0.25).rsqrt()),
  activation: (a, c) =>
    [a.gelu(), a.gelu("tanh"), a.silu(), a.softplus(), a.elu(0.5), a.leakyRelu()][c.more % 6] as Tensor,
  clip: (a, c, pool) => (c.more % 2 === 0 ? a.clip(-1, 0.5) : a.clip(-2, beside(a, c, pool))),
  where: (a, c, pool) => where(a.gt(0), a.mul(0.5), beside(a, c, pool)),
  ne: (a, c, pool) => a.ne(beside(a, c, pool)),
  gt: (a, c, pool) => a.gt(beside(a, c, pool)),
  ge: (a, c, pool) => a.ge(beside(a, c, pool)),
  lt: (a, c, pool) => a.lt(beside(a, c, pool)),
  le: (a, c, pool) => a.le(beside(a, c, pool)),
  eq: (a, c, pool) => a.eq(beside(a, c, pool)),
  mask: (a, c, pool) => a.mask(a.sub(beside(a, c, pool)).gt(0)),
  int32: (a, c) => {
    const whole = moderate(a).mul(10).toInt32();
    return [whole.add(3), whole.sub(whole), whole.mul(2), whole.maximum(1), whole.minimum(-1)][
      c.more % 5
    ]?.toFloat32() as Tensor;
  },
  matmul: (a, c, pool) => {
    const rows = matrix(a);
    const fitting = pool.filter(({ shape }) => shape.length === 2 && shape[0] === lastOf(rows));
    const b = fitting[c.b % fitting.length] ?? rows.T;
    return (rows.shape[0] as number) * lastOf(b) > MOST_ELEMENTS ? a : moderate(rows).matmul(b);
  },
  batchedMatmul: (a, c, pool) => {
    const v = matrix(a);
    const stacked = v.reshape([...(c.b % 2 === 0 ? [1] : [1, 1]), ...v.shape]);
    const b = pool.find(({ shape }) => shape.length === 2 && shape[0] === lastOf(v) && sizeOf(shape) < 500);
    return b && (v.shape[0] as number) * lastOf(b) <= MOST_ELEMENTS ? moderate(stacked).matmul(b) : a;
  },
  productsOfBatches: (a, c, pool) => {
    const v = a.shape.length < 2 ? matrix(a) : a;
    const other = pool.find(
      ({ shape }) =>
        shape.length > 2 &&
        shape[shape.length - 2] === lastOf(v) &&
        broadcastShapes(shape.slice(0, -2), v.shape.slice(0, -2)),
    );
    const b = c.b % 2 === 0 ? v.T : (other ?? v.T);
    const lead = broadcastShapes(v.shape.slice(0, -2), b.shape.slice(0, -2));
    const rows = v.shape[v.shape.length - 2] as number;
    return lead && sizeOf(lead) * rows * lastOf(b) <= MOST_ELEMENTS ? moderate(v).matmul(b) : a;
  },
  scan: (a, c) => {
    const xs = vector(a);
    const h = xs.mean(0);
    const { carry, ys } = scan(
      ({ h }, x) => {
        const next = h.mul(0.5).add(moderate(x));
        return { carry: { h: next }, y: next.mul(xs.max()) };
      },
      { h },
      moderate(xs),
      { reverse: c.more % 2 === 0 },
    );
    return c.b % 2 === 0 ? moderate(ys) : carry.h;
  },
  transpose: (a) => matrix(a).T,
  transposeOfReshape: (a, c) => {
    const size = sizeOf(a.shape);
    const first = [2, 3, 4, 5, 7].filter((each) => size % each === 0)[c.b % 3] ?? 1;
    return a.reshape([first, size / first]).T;
  },
  permute: (a, c) => {
    const order = [...a.shape.keys()];
    for (let i = order.length - 1; i > 0; i--) {
      const j = (c.b + c.more * i) % (i + 1);
      [order[i], order[j]] = [order[j] as number, order[i] as number];
    }
    return a.permute(order);
  },
  slice: (a, c) => {
    const v = vector(a);
    const axis = c.b % v.shape.length;
    const length = v.shape[axis] as number;
    const step = ([1, 2, 3, -1, -2] as const)[c.more % 5] as number;
    return step > 0 ? v.slice(axis, c.more % length, undefined, step) : v.slice(axis, undefined, undefined, step);
  },
  pad: (a, c) => {
    const padded = a.pad(
      a.shape.map((_, axis) => [(c.b >> axis) % 3, (c.more >> axis) % 2] as const),
      numbers[c.more % numbers.length],
    );
    return sizeOf(padded.shape) > MOST_ELEMENTS ? a : padded;
  },
  windows: (a, c) => {
    const v = vector(a);
    const axis = c.b % v.shape.length;
    const size = 1 + (c.more % Math.min(4, v.shape[axis] as number));
    return sizeOf(v.shape) * size > MOST_ELEMENTS ? v : v.windows(axis, size, 1 + (c.b % 2));
  },
  conv: (a, c) => {
    const v = vector(a);
    const x = v.reshape([1, 1, sizeOf(v.shape)]);
    const size = Math.min(1 + (c.more % 4), sizeOf(v.shape));
    return moderate(x).conv(moderate(x.slice(2, 0, size)), { padding: c.b % 3, stride: 1 + (c.b % 2) });
  },
  pool: (a, c) => {
    const v = vector(a);
    const x = v.reshape([1, 1, sizeOf(v.shape)]);
    const size = Math.min(2 + (c.more % 3), sizeOf(v.shape));
    return c.b % 2 === 0 ? x.maxPool(size) : x.avgPool(size, { stride: 1 });
  },
  cumsum: (a, c) => vector(a).cumsum(someAxis(vector(a), c)),
  concat: (a, c) =>
    sizeOf(a.shape) * 2 > MOST_ELEMENTS ? a : concat([vector(a), vector(a).neg()], someAxis(vector(a), c)),
  reshape: (a, c) => a.reshape([[sizeOf(a.shape)], [...a.shape, 1], [1, ...a.shape]][c.b % 3] as number[]),
  broadcastTo: (a, c) => (sizeOf(a.shape) * 3 > MOST_ELEMENTS ? a : a.broadcastTo([(c.b % 3) + 1, ...a.shape])),
  viewOfView: (a, c) => {
    const m = matrix(a).T.reshape([sizeOf(a.shape), 1]);
    return sizeOf(a.shape) * 2 > MOST_ELEMENTS ? m : m.broadcastTo([sizeOf(a.shape), (c.b % 2) + 1]).T;
  },
  sum: (a, c) => a.sum(axisOf(a, c), kept(c)),
  mean: (a, c) => a.mean(axisOf(a, c), kept(c)),
  max: (a, c) => a.max(axisOf(a, c), kept(c)),
  min: (a, c) => a.min(axisOf(a, c), kept(c)),
  severalAxes: (a, c) => {
    const axes = [...a.shape.keys()].filter((axis) => (c.b >> axis) % 2 === 0);
    if (axes.length === 0) return a;
    return [a.sum(axes, kept(c)), a.max(axes, kept(c)), a.variance(axes, kept(c)), a.logSumExp(axes, kept(c))][
      c.more % 4
    ] as Tensor;
  },
  argmin: (a, c) =>
    vector(a)
      .argmin(someAxis(vector(a), c))
      .toFloat32(),
  argmax: (a, c) =>
    vector(a)
      .argmax(someAxis(vector(a), c))
      .toFloat32(),
  softmax: (a, c) => vector(a).softmax(someAxis(vector(a), c)),
  logSoftmax: (a, c) => vector(a).logSoftmax(someAxis(vector(a), c)),
  take: (a, c) => {
    const x = vector(a);
    const axis = c.b % x.shape.length;
    return sizeOf(x.shape) * 4 > MOST_ELEMENTS ? x : x.take(indices(c, x.shape[axis] as number), axis);
  },
  takeAlong: (a, c) => {
    const x = matrix(a);
    const axis = c.b % 2;
    return x.takeAlong(indices(c, x.shape[axis] as number).reshape(axis === 0 ? [4, 1] : [1, 4]), axis);
  },
  scatterAdd: (a, c, pool) => {
    const x = matrix(a);
    const [rows, width] = x.shape as readonly [number, number];
    const added = pool.find(({ shape }) => shape.length === 2 && shape[1] === width) ?? x.neg();
    const count = added.shape[0] as number;
    return x.scatterAdd(indices(c, rows, count), added);
  },
  oneHot: (a, c) => indices(c, 5).oneHot(4).add(a.mean()),
  iota: (a) =>
    vector(a).add(
      iota(lastOf(vector(a)))
        .toFloat32()
        .mul(0.125),
    ),
  random: (a, c) => a.mul(random(a.shape, constant([c.b], [1]).toInt32(), c.more)),
  gradient: (a) => {
    const inner = a.tanh().square().sum();
    const leaves = [...leavesOf(a)];
    const [d] = leaves.length > 0 ? grad(inner, leaves.slice(0, 1)) : [];
    return d ?? a;
  },
};

function matrixless(b: Tensor | number, a: Tensor): Tensor {
  return typeof b === "number" ? a.mul(0).add(b) : b;
}

function leavesOf(x: Tensor, seen = new Set<Tensor>()): Set<Tensor> {
  const leaves = new Set<Tensor>();
  const stack = [x];
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    if (node.op === "parameter") leaves.add(node);
    stack.push(...node.operands);
  }
  return leaves;
}

const choice = fc.record({ call: fc.nat(9973), a: fc.nat(997), b: fc.nat(997), more: fc.nat(997) });
/** Around the edges of tiles, of subgroups and of workgroups. */
const axis = fc.constantFrom(1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 31, 33, 64, 65);

/** Values of a kind: moderate ones, whole numbers with ties, large ones, zeros of both signs. */
const KINDS: Record<string, (size: number, seed: number) => ArrayLike<number>> = {
  normal: (size, seed) => normal(size, seed),
  whole: (size, seed) => Float32Array.from(integers(size, 5, seed), (value) => value - 2),
  large: (size, seed) => Float32Array.from(normal(size, seed), (value) => value * 1e4),
  zeros: (size, seed) => Float32Array.from(integers(size, 2, seed), (value) => (value === 0 ? 0 : -0)),
};

/** Programs over every call: views of views, shared nodes, gradients within the graph, swapped parameters. */
export const fuzzed: fc.Arbitrary<Fuzzed> = fc
  .record({
    rows: axis,
    inner: axis,
    columns: axis,
    choices: fc.array(choice, { minLength: 1, maxLength: 14 }),
    kind: fc.constantFrom(...Object.keys(KINDS), "normal", "normal"),
    updated: fc.constantFrom("descent", "swapped", "cycle", "expression"),
    seed: fc.nat(1000),
  })
  .map(({ rows, inner, columns, choices, kind, updated, seed }) => {
    const inputs = { x: input([rows, inner]), row: input([columns]), picks: input([3], "int32") };
    const parameters = {
      w: parameter([inner, columns]),
      v: parameter([inner, columns]),
      u: parameter([inner, columns]),
      b: parameter([1, columns]),
    };
    const { w, v, u, b } = parameters;
    const pool: Tensor[] = [inputs.x, inputs.row, w, v, u, b, w.take(inputs.picks)];
    const names = Object.keys(CALLS);
    const calls = choices.map((chosen) => {
      const name = names[chosen.call % names.length] as string;
      // What was made last is taken most often, so that graphs grow deep.
      const a = pool[Math.max(0, pool.length - 1 - (chosen.a % 6))] as Tensor;
      const made = (CALLS[name] as Call)(a, chosen, pool);
      if (sizeOf(made.shape) <= MOST_ELEMENTS) pool.push(made);
      return name;
    });
    const result = pool[pool.length - 1] as Tensor;
    const loss = moderate(result)
      .square()
      .mean()
      .add(
        moderate(inputs.x)
          .matmul(moderate(w.sub(v)))
          .add(b)
          .mul(inputs.row.tanh())
          .tanh()
          .mean(),
      );
    const [dw, dv, db] = grad(loss, [w, v, b]) as [Tensor, Tensor, Tensor];
    const updates = {
      descent: { w: w.sub(dw.mul(0.1)), v: v.mul(0.9).add(dv), b: b.sub(db) },
      swapped: { w: v, v: w, b: b.mul(0.5).sub(b.tanh().sum()) },
      cycle: { w: v, v: u, u: w.mul(0.5).add(dw) },
      expression: {
        w: w.tanh().mul(b.tanh()).add(v.relu()),
        v: dw.add(w.max(0, { keepDims: true })),
        b: w.mean(0, { keepDims: true }),
      },
    }[updated] as Record<string, Tensor>;
    const values = KINDS[kind] as (typeof KINDS)[string];
    return {
      program: { inputs, parameters, outputs: { result, loss, largest: result.max() }, updates },
      parameters: Object.fromEntries(
        Object.entries(parameters).map(([name, { shape }], i) => [
          name,
          Float32Array.from(values(sizeOf(shape), seed + i)),
        ]),
      ),
      inputs: {
        x: Float32Array.from(values(rows * inner, seed + 10)),
        row: Float32Array.from(values(columns, seed + 11)),
        picks: Int32Array.from(integers(3, inner + 1, seed)),
      },
      calls,
      // Else a failure prints every tensor of the graph.
      [fc.toStringMethod]: () =>
        `[${rows}, ${inner}] x [${inner}, ${columns}], ${kind} values of seed ${seed}: ${calls.join(" ")}; updates ${updated}`,
    };
  });
