import fc from "fast-check";
import { constant, grad, input, type Program, parameter, random, type Tensor, type Values } from "../../src/index";
import { broadcastShapes, sizeOf } from "../../src/util/shape";
import { integers, normal } from "./numbers";

export interface RandomGraph {
  program: Program;
  parameters: Record<string, Values>;
  inputs: Record<string, Values>;
  /** The operations in the order they were applied, for messages. */
  steps: readonly string[];
}

/** Numbers that choose an operation and its operands; fast-check makes them smaller when a graph fails. */
interface Choice {
  op: number;
  a: number;
  b: number;
  more: number;
}

type Step = (a: Tensor, choice: Choice, others: readonly Tensor[]) => Tensor;

/** An operand for `a`: another tensor that broadcasts with it, or a number. */
function beside(a: Tensor, { b, more }: Choice, others: readonly Tensor[]): Tensor | number {
  const fitting = others.filter(({ shape }) => {
    const joint = broadcastShapes(a.shape, shape);
    return joint !== null && sizeOf(joint) <= 1000;
  });
  return b % 7 === 0 ? (more % 9) / 4 - 1 : (fitting[b % fitting.length] ?? a);
}

function axisOf({ shape }: Tensor, { b }: Choice): number | undefined {
  return shape.length === 0 ? undefined : [undefined, ...shape.keys()][b % (shape.length + 1)];
}

const rowsOf = (x: Tensor) => (x.shape.length < 2 ? x.reshape([1, sizeOf(x.shape)]) : x);
const vectorOf = (x: Tensor) => (x.shape.length === 0 ? x.reshape([1]) : x);
const last = (x: Tensor) => x.shape[x.shape.length - 1] as number;

/** Where an operation has poles, they are kept away: a bound of Infinity tests nothing. Values stay moderate by tanh. */
const STEPS: Record<string, Step> = {
  add: (a, c, others) => a.add(beside(a, c, others)),
  sub: (a, c, others) => a.sub(beside(a, c, others)),
  mul: (a, c, others) => a.tanh().mul(beside(a, c, others)),
  div: (a, c, others) =>
    a.div(
      a
        .mul(0)
        .add(beside(a, c, others))
        .square()
        .add(0.5),
    ),
  maximum: (a, c, others) => a.maximum(beside(a, c, others)),
  minimum: (a, c, others) => a.minimum(beside(a, c, others)),
  compare: (a, c, others) => a[(["gt", "ge", "lt", "le", "eq"] as const)[c.more % 5] ?? "gt"](beside(a, c, others)),
  mask: (a, c, others) => a.mask(a.sub(beside(a, c, others)).gt(0)),
  neg: (a) => a.neg(),
  abs: (a) => a.abs(),
  square: (a) => a.tanh().square(),
  sqrt: (a) => a.abs().add(0.25).sqrt(),
  exp: (a) => a.minimum(2).exp(),
  log: (a) => a.abs().add(0.5).log(),
  relu: (a) => a.relu(),
  tanh: (a) => a.tanh(),
  sigmoid: (a) => a.sigmoid(),
  transpose: (a) => rowsOf(a).T,
  reshape: (a, c) => (c.b % 2 === 0 ? a.reshape([sizeOf(a.shape)]) : a.reshape([...a.shape, 1])),
  broadcast: (a, c) => (sizeOf(a.shape) > 200 ? a : a.broadcastTo([(c.b % 3) + 1, ...a.shape])),
  sum: (a, c) => a.sum(axisOf(a, c), { keepDims: c.more % 2 === 0 }),
  mean: (a, c) => a.mean(axisOf(a, c), { keepDims: c.more % 2 === 0 }),
  max: (a, c) => a.max(axisOf(a, c), { keepDims: c.more % 2 === 0 }),
  argmax: (a, c) =>
    vectorOf(a)
      .argmax(c.b % vectorOf(a).shape.length)
      .toFloat32(),
  softmax: (a, c) => vectorOf(a).softmax(c.b % vectorOf(a).shape.length),
  logSoftmax: (a, c) => vectorOf(a).logSoftmax(c.b % vectorOf(a).shape.length),
  matmul: (a, c, others) => {
    const rows = rowsOf(a);
    const fitting = others.filter(({ shape }) => shape.length === 2 && shape[0] === last(rows));
    const flat = rows.reshape([sizeOf(rows.shape) / last(rows), last(rows)]);
    return sizeOf(rows.shape) > 400 ? a : rows.matmul(fitting[c.b % fitting.length] ?? flat.T);
  },
  batches: (a, c) => {
    const rows = rowsOf(a);
    const turned = c.b % 2 === 0 ? rows.T : rows.reshape([...rows.shape.slice(0, -2), last(rows), -1]);
    // Two that differ: of equal ones a maximum has no bound.
    const two = turned.mul(constant([0.5, -0.25], [2, ...turned.shape.map(() => 1)]));
    return sizeOf(a.shape) > 200 ? a : rows.reshape([1, ...rows.shape]).matmul(two);
  },
  take: (a, c) => vectorOf(a).take(indicesOf(c, vectorOf(a).shape[0] as number)),
  oneHot: (a, c) => indicesOf(c, 4).oneHot(3).add(a.sum()),
  whole: (a) => a.mul(3).toInt32().toFloat32(),
  random: (a, c) => a.mul(random(a.shape, constant([c.b], [1]).toInt32(), c.more)),
};

function indicesOf({ more }: Choice, below: number): Tensor {
  return constant(Float32Array.from(integers(3, below, more)), [3]).toInt32();
}

const choice = fc.record({ op: fc.nat(997), a: fc.nat(97), b: fc.nat(97), more: fc.nat(97) });
const axis = fc.constantFrom(1, 2, 3, 5, 8);

/** Small programs over all operations: outputs, a loss, its gradients as updates; two parameters of one shape may be swapped. */
export const randomGraphs: fc.Arbitrary<RandomGraph> = fc
  .record({
    rows: axis,
    columns: axis,
    inner: axis,
    choices: fc.array(choice, { minLength: 1, maxLength: 10 }),
    seed: fc.nat(1000),
    updated: fc.constantFrom("descent", "swapped", "expression" as const),
  })
  .map(({ rows, columns, inner, choices, seed, updated }) => {
    const inputs = { x: input([rows, inner]), row: input([columns]) };
    const parameters = { w: parameter([inner, columns]), v: parameter([inner, columns]), b: parameter([1, columns]) };
    const pool: Tensor[] = [...Object.values(inputs), ...Object.values(parameters)];
    const names = Object.keys(STEPS);
    const steps = choices.map((chosen) => {
      const name = names[chosen.op % names.length] as string;
      // What was made last is taken most often, so that graphs grow deep.
      const a = pool[Math.max(0, pool.length - 1 - (chosen.a % 5))] as Tensor;
      const made = (STEPS[name] as Step)(a, chosen, pool);
      if (sizeOf(made.shape) <= 1000) pool.push(made);
      return name;
    });
    const result = pool[pool.length - 1] as Tensor;
    const { w, v, b } = parameters;
    const loss = result
      .tanh()
      .square()
      .mean()
      .add(inputs.x.matmul(w.sub(v)).add(b).mul(inputs.row).tanh().mean());
    const [dw, dv, db] = grad(loss, [w, v, b]) as [Tensor, Tensor, Tensor];
    const updates = {
      descent: { w: w.sub(dw.mul(0.1)), v: v.mul(0.9).add(dv), b: b.sub(db) },
      swapped: { w: v, v: w, b: b.sub(b.mul(b).sum()) },
      expression: {
        w: w.mul(b).add(v.relu()),
        v: dw.add(w.max(0, { keepDims: true })),
        b: w.sum(0, { keepDims: true }),
      },
    }[updated];
    return {
      program: { inputs, parameters, outputs: { result, loss }, updates },
      parameters: Object.fromEntries(
        Object.entries(parameters).map(([name, { shape }], i) => [name, normal(sizeOf(shape), seed + i)]),
      ),
      inputs: Object.fromEntries(
        Object.entries(inputs).map(([name, { shape }], i) => [name, normal(sizeOf(shape), seed + 10 + i)]),
      ),
      steps,
      // Else a failure prints every tensor of the graph.
      [fc.toStringMethod]: () => `${steps.join(" ")}, updates ${updated}, seed ${seed}`,
    };
  });
