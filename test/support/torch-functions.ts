import {
  concat,
  constant,
  einsum,
  grad,
  input,
  type Program,
  scan,
  stack,
  type Tensor,
  type Values,
  where,
} from "../../src/index";
import { sizeOf } from "../../src/util/shape";
import { type Golden, readGolden } from "./golden";

/** Indices with some more often than others. */
const places = (count: number, below: number) =>
  constant(
    Array.from({ length: count }, (_, j) => (7 * j * j + 3) % below),
    [count],
  ).toInt32();

type Unary = (x: Tensor) => Tensor;

const image = (x: Tensor) => x.reshape([2, 2, 5, 6]);
const weight = (x: Tensor, shape: number[]) =>
  x
    .reshape([-1])
    .slice(0, 10, 10 + sizeOf(shape))
    .mul(0.3)
    .reshape(shape);

const row = (x: Tensor, i: number) => x.slice(0, i, i + 1).reshape([3, 10]);

/** The functions of test/golden/make_torch_functions.py, by their names there. */
export const FUNCTIONS: Record<string, Unary> = {
  log1p: (x) => x.abs().log1p(),
  expm1: (x) => x.minimum(20).expm1(),
  erf: (x) => x.erf(),
  sin: (x) => x.sin(),
  cos: (x) => x.mul(3).cos(),
  pow: (x) => x.abs().add(0.1).pow(x.clip(-3, 3)),
  "pow-2": (x) => x.pow(2),
  "pow-3": (x) => x.pow(3),
  "pow-minus-2": (x) => x.add(0.25).pow(-2),
  "pow-half": (x) => x.relu().pow(1.5),
  "pow-of-number": (x) => constant([2], []).pow(x.minimum(20)),
  "pow-of-zero": (x) => x.stopGradient().mul(0).pow(x.abs()),
  sign: (x) => x.sign(),
  floor: (x) => x.floor(),
  ceil: (x) => x.ceil(),
  round: (x) => x.round(),
  ne: (x) => x.ne(0).mul(x),
  reciprocal: (x) => x.abs().add(0.5).reciprocal(),
  rsqrt: (x) => x.abs().add(0.5).rsqrt(),
  clip: (x) => x.clip(-0.5, 1.5),
  "clip-by-tensors": (x) => x.clip(x.mean(0).sub(0.5), x.mean(0).add(0.5)),
  where: (x) => where(x.gt(0), x.square(), x.tanh()),
  gelu: (x) => x.gelu(),
  "gelu-tanh": (x) => x.gelu("tanh"),
  silu: (x) => x.silu(),
  softplus: (x) => x.softplus(),
  elu: (x) => x.elu(),
  "elu-half": (x) => x.elu(0.5),
  "leaky-relu": (x) => x.leakyRelu(),
  "leaky-relu-fifth": (x) => x.leakyRelu(0.2),
  "stop-gradient": (x) => x.mul(x.stopGradient()),
  "sum-0-2": (x) => x.sum([0, 2]),
  "sum-0-2-kept": (x) => x.sum([2, 0], { keepDims: true }),
  "mean-0-1": (x) => x.mean([0, 1]),
  "max-0-2": (x) => x.max([0, -1]),
  "min-0-2": (x) => x.min([0, 2]),
  min: (x) => x.min(),
  "min-1": (x) => x.min(1),
  prod: (x) => x.mul(0.5).prod(),
  "prod-1": (x) => x.prod(1),
  "prod-2-kept": (x) => x.slice(2, 0, 4).prod(2, { keepDims: true }),
  variance: (x) => x.variance(),
  "variance-0-2": (x) => x.variance([0, 2]),
  "variance-1-corrected": (x) => x.variance(1, { correction: 1 }),
  "log-sum-exp-1": (x) => x.logSumExp(1),
  "log-sum-exp-0-2-kept": (x) => x.logSumExp([0, 2], { keepDims: true }),
  slice: (x) => x.slice(0, 1).slice(2, 1, 9, 3),
  flip: (x) => x.slice(2, undefined, undefined, -1).slice(-1, 0, undefined, 2),
  pad: (x) =>
    x
      .pad(
        [
          [0, 0],
          [0, 3],
          [2, 1],
        ],
        0.5,
      )
      .square(),
  concat: (x) => concat([x, x.slice(0, 0, 2).square(), x.tanh()]),
  "concat-2": (x) => concat([x.slice(2, 0, 3).square(), x], -1),
  stack: (x) => stack([x, x.square()], 1),
  cumsum: (x) => x.cumsum(2),
  "cumsum-long": (x) => x.reshape([-1]).cumsum(0),
  conv1d: (x) => x.conv(x.slice(0, 0, 2).slice(2, 0, 3).mul(0.3), { padding: 1 }),
  "conv1d-apart": (x) =>
    x.conv(x.slice(0, 0, 2).slice(2, 0, 3).mul(0.3), { stride: 2, padding: [[3, 3]], dilation: [2] }),
  "conv1d-groups": (x) => x.conv(weight(x, [6, 1, 2]), { groups: 3 }),
  conv2d: (x) => image(x).conv(weight(x, [3, 2, 3, 2]), { stride: [2, 1], padding: [1, 2], dilation: [1, 2] }),
  "conv2d-same": (x) => image(x).conv(weight(x, [2, 2, 2, 4]), { padding: "same" }),
  "conv2d-beyond": (x) => image(x).conv(weight(x, [2, 2, 2, 1]), { stride: 3 }),
  "conv2d-depthwise": (x) => image(x).conv(weight(x, [4, 1, 3, 3]), { padding: 1, groups: 2 }),
  "conv-transpose1d": (x) => x.convTranspose(weight(x, [3, 2, 4]), { stride: 3, padding: 1, outputPadding: 2 }),
  "conv-transpose2d": (x) =>
    image(x).convTranspose(weight(x, [2, 2, 3, 2]), { stride: 2, padding: [1, 0], dilation: [1, 2], groups: 2 }),
  "max-pool1d": (x) => x.maxPool(3, { stride: 2, padding: 1 }),
  "max-pool2d": (x) => image(x).maxPool([3, 2]),
  "max-pool2d-of-ties": (x) =>
    image(x).round().clip(-1, 1).mul(image(x).stopGradient().square()).maxPool(3, { stride: 1, padding: 1 }),
  "avg-pool2d": (x) => image(x).avgPool(3, { stride: 2, padding: 1 }),
  "avg-pool2d-own": (x) => image(x).avgPool(3, { stride: 2, padding: 1, includePadding: false }),
  "argmin-2": (x) => x.argmin(2).toFloat32(),
  "take-0": (x) => x.take(places(6, 4)).square(),
  "take-2": (x) => x.take(places(15, 10), 2).square(),
  embedding: (x) =>
    x
      .reshape([4, 30])
      .take(places(2 * 7, 4).reshape([2, 7]))
      .square(),
  "gather-1": (x) => x.takeAlong(places(4 * 5 * 10, 3).reshape([4, 5, 10]), 1).square(),
  "take-along-2": (x) => x.takeAlong(places(4 * 12, 10).reshape([4, 1, 12]), -1).square(),
  "index-add-0": (x) => x.scatterAdd(places(7, 4), x.take(places(7, 4).mul(-1).add(3)).square()),
  "scan-rnn": (x) => {
    const [w, u] = [weight(x, [10, 3]), weight(x, [3, 3])];
    const { carry, ys } = scan(
      ({ h }, t) => {
        const next = t.matmul(w).add(h.matmul(u.T)).tanh();
        return { carry: { h: next }, y: next.mul(t.slice(1, 0, 3)) };
      },
      { h: x.slice(0, 0, 1).slice(2, 7).reshape([3, 3]) },
      x.clip(-2, 2),
    );
    return concat([ys, carry.h.reshape([1, 3, 3])]);
  },
  "scan-lstm-reverse": (x) => {
    const [w, u] = [weight(x, [10, 3]), weight(x, [3, 3])];
    const rows = (t: number, from: number) =>
      x
        .slice(0, t, t + 1)
        .slice(2, from, from + 3)
        .reshape([3, 3])
        .tanh();
    const { carry, ys } = scan(
      ({ h, c }, t) => {
        const gate = t.matmul(w).add(h.matmul(u));
        const next = gate.sigmoid().mul(c).add(gate.mul(2).sigmoid().mul(gate.tanh()));
        const out = gate.neg().sigmoid().mul(next.tanh());
        return { carry: { h: out, c: next }, y: out };
      },
      { h: rows(0, 0), c: rows(1, 4) },
      x.clip(-2, 2),
      { reverse: true },
    );
    return concat([ys, carry.c.reshape([1, 3, 3])]);
  },
  "matmul-batches": (x) => x.matmul(x.T),
  "matmul-broadcast": (x) => x.reshape([4, 1, 3, 10]).matmul(x.slice(0, 0, 2).reshape([2, 10, 3]).mul(0.3)),
  "einsum-attention": (x) => einsum("bhqd, bhkd -> bhqk", x.reshape([2, 2, 6, 5]), x.reshape([2, 2, 6, 5]).mul(0.3)),
  "einsum-permuted": (x) => einsum("abc,dbc->bad", x, x.slice(0, 0, 2).mul(0.3)),
  "einsum-two-terms": (x) => einsum("abc,cdb->da", x, weight(x, [10, 2, 3])),
  "einsum-of-three": (x) => einsum("abc,bc,dc->ad", x, row(x, 0), row(x, 1).mul(0.3)),
  "einsum-outer": (x) => einsum("ab,c->bac", row(x, 0), row(x, 1).slice(0, 0, 1).reshape([10])),
  "einsum-elements": (x) => einsum("abc,cab->b", x, x.permute([2, 0, 1])),
  "einsum-sum": (x) => einsum("abc->ca", x),
  "einsum-diagonal": (x) => einsum("abb,cb->ac", x.slice(2, 0, 3), x.slice(2, 4, 5).reshape([4, 3])),
};

export interface Expected {
  readonly program: Program;
  readonly inputs: { x: Float32Array; weight?: Float64Array };
  readonly value: Float64Array;
  readonly derivative: Float64Array | null;
  readonly shape: readonly number[];
}

export const readFunctions = (): Promise<Golden> => readGolden("torch-functions");

/** A program of one function, and what PyTorch makes of it. */
export function expected(golden: Golden, name: string): Expected {
  const x = input(golden.shape("x"));
  const value = (FUNCTIONS[name] as Unary)(x);
  const derived = Object.hasOwn(golden.group("derivative"), name);
  const weight = input(value.shape);
  const outputs = derived ? { value, derivative: grad(value.mul(weight).sum(), [x])[0] } : { value };
  return {
    program: { inputs: derived ? { x, weight } : { x }, parameters: {}, outputs },
    inputs: {
      x: golden.values("x") as Float32Array,
      ...(derived && { weight: golden.values(`weight.${name}`) as Float64Array }),
    },
    value: golden.values(`value.${name}`) as Float64Array,
    derivative: derived ? (golden.values(`derivative.${name}`) as Float64Array) : null,
    shape: golden.shape(`value.${name}`),
  };
}

/** Several functions in one program, which compiles in less time than one each; results are named by the function. */
export function sideBySide(
  golden: Golden,
  names: readonly string[],
): { program: Program; inputs: Record<string, Values> } {
  const inputs: Record<string, Tensor> = {};
  const outputs: Record<string, Tensor> = {};
  const given: Record<string, Values> = {};
  for (const name of names) {
    const each = expected(golden, name);
    for (const [key, tensor] of Object.entries(each.program.inputs)) {
      inputs[`${name} ${key}`] = tensor;
      given[`${name} ${key}`] = each.inputs[key as "x" | "weight"] as Values;
    }
    for (const [key, tensor] of Object.entries(each.program.outputs)) outputs[`${name} ${key}`] = tensor;
  }
  return { program: { inputs, parameters: {}, outputs }, inputs: given };
}
