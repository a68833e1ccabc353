import type { Shape } from "../util/shape";
import { convolutionGradients } from "./conv-gradients";
import { type Op, splitShape } from "./ops";
import { contraction, iota, literal, scattered, sumAxes, type Tensor, taken, where } from "./tensor";

/** Given a node and the gradient of the loss in its value, the gradients in its operands; null where there is none. */
export type Gradient = (node: Tensor, gradient: Tensor) => readonly (Tensor | null)[];

const operands = (node: Tensor) => node.operands as readonly [Tensor, Tensor];
const none: Gradient = (node) => node.operands.map(() => null);

/** One row an operation; what is not differentiable says so. */
export const GRADIENTS: Record<Op, Gradient> = {
  input: none,
  parameter: none,
  constant: none,
  iota: none,

  permute: (node, g) => {
    const { axes = [] } = node.attributes;
    return [g.permute(axes.map((_, axis) => axes.indexOf(axis)))];
  },
  reshape: (node, g) => [g.reshape(operands(node)[0].shape)],
  broadcast: (node, g) => [unbroadcast(g, operands(node)[0].shape)],
  slice: (node, g) => {
    const { starts = [], steps = [] } = node.attributes;
    const { shape } = operands(node)[0];
    let x = g;
    const widths = shape.map((length, axis) => {
      const [start, step, count] = [starts[axis] as number, steps[axis] as number, g.shape[axis] as number];
      if (step < 0) x = x.slice(axis, undefined, undefined, -1);
      x = x.spaced(axis, Math.abs(step));
      const first = step < 0 ? start + step * (count - 1) : start;
      return [first, length - first - (x.shape[axis] as number)] as const;
    });
    return [x.pad(widths)];
  },
  pad: (node, g) => {
    const { starts = [] } = node.attributes;
    const { shape } = operands(node)[0];
    return [
      shape.reduce((x, length, axis) => {
        const start = starts[axis] as number;
        return length === x.shape[axis] ? x : x.slice(axis, start, start + length);
      }, g),
    ];
  },
  // What lies in several windows: at place p of the axis, of each window's element j that of window (p - j · dilation) / stride.
  windows: (node, g) => {
    const { axis = 0, stride = 1, dilation = 1 } = node.attributes;
    const length = operands(node)[0].shape[axis] as number;
    const size = g.shape[g.shape.length - 1] as number;
    const reach = (size - 1) * dilation;
    if (dilation === 1 && stride >= size) return [apart(g, axis, stride, length)];
    const x = g.slice(-1, undefined, undefined, -1).spaced(axis, stride);
    const behind = length - (x.shape[axis] as number);
    const around = x.shape.map((_, each) => (each === axis ? ([reach, behind] as const) : ([0, 0] as const)));
    const met = x.pad(around).windows(axis, size, 1, dilation).diagonal();
    return [sumAxes(met, met.shape.length - 1, met.shape.length)];
  },
  diagonal: (node, g) => {
    const { shape } = operands(node)[0];
    const size = shape[shape.length - 1] as number;
    const same = iota(size).reshape([size, 1]).eq(iota(size));
    return [
      g
        .reshape([...g.shape, 1])
        .broadcastTo(shape)
        .mask(same),
    ];
  },

  add: spread((_node, g) => [g, g]),
  sub: spread((_node, g) => [g, g.neg()]),
  mul: spread((node, g) => {
    const [a, b] = operands(node);
    return [g.mul(b), g.mul(a)];
  }),
  div: spread((node, g) => {
    const b = operands(node)[1];
    return [g.div(b), g.mul(node).div(b).neg()];
  }),
  // Where both are equal each takes half, as in PyTorch.
  maximum: spread((node, g) => {
    const [a, b] = operands(node);
    return [g.mul(a.gt(b).add(a.ge(b)).mul(0.5)), g.mul(b.gt(a).add(b.ge(a)).mul(0.5))];
  }),
  minimum: spread((node, g) => {
    const [a, b] = operands(node);
    return [g.mul(a.lt(b).add(a.le(b)).mul(0.5)), g.mul(b.lt(a).add(b.le(a)).mul(0.5))];
  }),
  // As PyTorch's: 0 in the base where the exponent is 0, and in the exponent where 0 is raised to one that is not negative.
  pow: spread((node, g) => {
    const [a, b] = operands(node);
    return [
      where(b.ne(0), g.mul(b).mul(a.pow(b.sub(1))), 0),
      where(a.ne(0).maximum(b.lt(0)), g.mul(node).mul(a.log()), 0),
    ];
  }),
  gt: none,
  ge: none,
  lt: none,
  le: none,
  eq: none,
  mask: spread((node, g) => [g.mask(operands(node)[1]), null]),

  neg: (_node, g) => [g.neg()],
  abs: (node, g) => {
    const [x] = operands(node);
    return [g.mul(x.gt(0).sub(x.lt(0)))];
  },
  square: (node, g) => [g.mul(operands(node)[0]).mul(2)],
  sqrt: (node, g) => [g.div(node).mul(0.5)],
  exp: (node, g) => [g.mul(node)],
  log: (node, g) => [g.div(operands(node)[0])],
  log1p: (node, g) => [g.div(operands(node)[0].add(1))],
  expm1: (node, g) => [g.mul(node.add(1))],
  erf: (node, g) => [g.mul(operands(node)[0].square().neg().exp()).mul(2 / Math.sqrt(Math.PI))],
  sin: (node, g) => [g.mul(operands(node)[0].cos())],
  cos: (node, g) => [g.mul(operands(node)[0].sin()).neg()],
  sign: none,
  floor: none,
  ceil: none,
  round: none,
  stopGradient: none,
  // The output stands in for the input: it is what the forward pass keeps anyway.
  relu: (node, g) => [g.mask(node.gt(0))],
  tanh: (node, g) => [g.sub(g.mul(node.square()))],
  sigmoid: (node, g) => [g.mul(node.sub(node.square()))],

  toInt32: none,
  toFloat32: none,
  random: none,

  // A row taken twice gets both gradients, added up in the order in which it was taken.
  take: (node, g) => {
    const [x, indices] = operands(node);
    return [scattered(literal(0).broadcastTo(x.shape), node.attributes, indices, g), null];
  },
  scatterAdd: (node, g) => [g, null, taken(g, node.attributes, operands(node)[1], (node.operands[2] as Tensor).shape)],

  matmul: (node, g) => {
    const [a, b] = operands(node);
    const { batch = 0, terms = 1 } = node.attributes;
    const rows = a.shape.length - batch - terms;
    const columns = b.shape.length - batch - terms;
    return [
      contraction(g, exchanged(b, batch, terms), batch, columns),
      contraction(exchanged(a, batch, rows), g, batch, rows),
    ];
  },

  sum: (node, g) => [overReduced(node, g)],
  // What is largest more than once shares the gradient evenly, as PyTorch's amax.
  max: (node, g) => {
    const [x] = operands(node);
    const { from = 0, to = 0 } = node.attributes;
    if (splitShape(x.shape, from, to).length === 1) return [overReduced(node, g)];
    const largest = x.eq(overReduced(node, node));
    const ties = sumAxes(largest, from, to);
    return [largest.mul(overReduced(node, g.reshape(ties.shape).div(ties)))];
  },
  // Each factor's is the product of the others, those before it times those behind it: no division, so that zeros may be among them.
  prod: (node, g) => {
    const [x] = operands(node);
    const { from = 0, to = 0 } = node.attributes;
    const { outer, length, inner } = splitShape(x.shape, from, to);
    if (length === 1) return [overReduced(node, g)];
    const rows = x.reshape([outer, length, inner]);
    const others = productBefore(rows, 1).mul(productBefore(rows, -1));
    return [others.reshape(x.shape).mul(overReduced(node, g))];
  },
  argmax: none,

  softmax: (node, g) => {
    const weighted = node.mul(g);
    return [weighted.sub(node.mul(keepAxes(node, weighted)))];
  },
  // Its derivative is that of its parts once more: autodiff.ts.
  checkpoint: none,
  conv: (node, g) => convolutionGradients(node, g),
  // Its softmax is made of what it has computed anyway, and needs no logarithm.
  logSoftmax: (node, g) => [g.sub(operands(node)[0].softmax(node.attributes.from).mul(keepAxes(node, g)))],

  // Those of all parts are gathered before the scan's own are made of them: autodiff.ts.
  scan: none,
  item: none,
};

/** Of x [outer, length, inner], the product of what comes before each element of axis 1, or behind it; in as many steps as the length has bits. */
function productBefore(x: Tensor, direction: 1 | -1): Tensor {
  const length = x.shape[1] as number;
  const moved = (x: Tensor, by: number) =>
    direction === 1
      ? x.slice(1, 0, length - by).pad(
          [
            [0, 0],
            [by, 0],
            [0, 0],
          ],
          1,
        )
      : x.slice(1, by).pad(
          [
            [0, 0],
            [0, by],
            [0, 0],
          ],
          1,
        );
  let product = moved(x, 1);
  for (let by = 1; by < length - 1; by *= 2) product = product.mul(moved(product, by));
  return product;
}

/** Windows [..., places, ..., size] that do not meet, side by side again along `axis`, each `stride` long, zeros where none was: a view. */
function apart(g: Tensor, axis: number, stride: number, length: number): Tensor {
  const last = g.shape.length - 1;
  const axes = [...g.shape.keys()].slice(0, -1);
  const beside = g.permute([...axes.slice(0, axis + 1), last, ...axes.slice(axis + 1)]);
  const widened = (x: Tensor, along: number, behind: number) =>
    x.pad(x.shape.map((_, each) => (each === along ? ([0, behind] as const) : ([0, 0] as const))));
  const [places, size] = [g.shape[axis] as number, g.shape[last] as number];
  const whole = stride === size ? beside : widened(beside, axis + 1, stride - size);
  const joined = whole.reshape([...g.shape.slice(0, axis), places * stride, ...g.shape.slice(axis + 1, last)]);
  if (places * stride > length) return joined.slice(axis, 0, length);
  return places * stride < length ? widened(joined, axis, length - places * stride) : joined;
}

/** For operations that broadcast: each gradient is summed back to its operand's shape. */
function spread(gradient: Gradient): Gradient {
  return (node, g) => gradient(node, g).map((each, i) => each && unbroadcast(each, operands(node)[i as 0 | 1].shape));
}

/** Sums `g` over the axes along which `shape` was repeated. */
function unbroadcast(g: Tensor, shape: Shape): Tensor {
  const lead = g.shape.length - shape.length;
  let x = g;
  // Neighbouring repeated axes are one sum; from the last, so that earlier axes keep their places.
  for (let to = g.shape.length; to > 0; to--) {
    const repeated = (axis: number) => axis < lead || (shape[axis - lead] === 1 && g.shape[axis] !== 1);
    if (!repeated(to - 1)) continue;
    let from = to - 1;
    while (from > 0 && repeated(from - 1)) from--;
    x = sumAxes(x, from, to);
    to = from + 1;
  }
  return x.reshape(shape);
}

/** [...batch, ...first, ...last] with the `count` first axes after the batch put behind the others. */
function exchanged(x: Tensor, batch: number, count: number): Tensor {
  const axes = [...x.shape.keys()];
  return x.permute([...axes.slice(0, batch), ...axes.slice(batch + count), ...axes.slice(batch, batch + count)]);
}

/** A tensor of a reduction's result, repeated over what was reduced. */
function overReduced(node: Tensor, value: Tensor): Tensor {
  const { shape } = operands(node)[0];
  const { from = 0, to = 0 } = node.attributes;
  const kept = shape.map((length, axis) => (axis >= from && axis < to ? 1 : length));
  return value.reshape(kept).broadcastTo(shape);
}

/** The sum of `x` along a normalisation's axis, that axis kept at length 1. */
function keepAxes(node: Tensor, x: Tensor): Tensor {
  const { from = 0, to = 0 } = node.attributes;
  if (splitShape(x.shape, from, to).length === 1) return x;
  return sumAxes(x, from, to).reshape(x.shape.map((length, axis) => (axis >= from && axis < to ? 1 : length)));
}
