import { sizeOf } from "../util/shape";
import type { Checkpoint } from "./checkpoint";
import { type CompositeOp, type Op, rowOf } from "./ops";
import { contraction, sumAxes, Tensor, windowsOf } from "./tensor";

/** What each composite is made of. */
const COMPOSED: Record<CompositeOp, (node: Tensor) => Tensor> = {
  softmax: (node) => {
    const { exponential, sum } = shifted(node);
    return exponential.div(sum);
  },
  logSoftmax: (node) => {
    const { difference, sum } = shifted(node);
    return difference.sub(sum.log());
  },
  conv: convolution,
  checkpoint: (node) => (node as Checkpoint).parts(),
};

/** A composite written as other operations; null for what is none. */
export function composed(node: Tensor): Tensor | null {
  return isComposite(node.op) ? COMPOSED[node.op](node) : null;
}

function isComposite(op: Op): op is CompositeOp {
  return rowOf(op).kind === "composite";
}

function shifted({ operands, attributes }: Tensor) {
  const x = operands[0] as Tensor;
  const { from = 0, to = 0 } = attributes;
  const kept = x.shape.map((length, axis) => (axis >= from && axis < to ? 1 : length));
  const rows = sumAxes(x, from, to).shape;
  const difference = x.sub(new Tensor("max", [x], rows, "float32", { from, to }).reshape(kept));
  const exponential = difference.exp();
  return { difference, exponential, sum: sumAxes(exponential, from, to).reshape(kept) };
}

/** From so many places on each example is a product of its own, whose results then lie as they are wanted; fewer are columns of one product. */
const MANY_PLACES = 64;

/** A contraction of filters and windows over channels and what is in a window: it reads the image through the view, nothing is copied. */
function convolution({ operands, attributes, shape }: Tensor): Tensor {
  const [x, weight] = operands as readonly [Tensor, Tensor];
  const { slides = [], groups = 1 } = attributes;
  const [N, C] = x.shape as readonly [number, number];
  const [O, perGroup] = weight.shape as readonly [number, number];
  const sizes = slides.map(({ size }) => size);
  const places = shape.slice(2);
  // [N, groups, perGroup, ...places, ...sizes]
  const windows = windowsOf(x.reshape([N, groups, C / groups, ...x.shape.slice(2)]), slides, 0);
  const space = places.map((_, i) => 3 + i);
  const inWindow = places.map((_, i) => 3 + places.length + i);
  const filters = weight.reshape([groups, O / groups, perGroup, ...sizes]);
  const terms = 1 + sizes.length;
  if (N === 1 || sizeOf(places) >= MANY_PLACES) {
    const all = filters.broadcastTo([N, ...filters.shape]);
    return contraction(all, windows.permute([0, 1, 2, ...inWindow, ...space]), 2, terms).reshape(shape);
  }
  const products = contraction(filters, windows.permute([1, 2, ...inWindow, 0, ...space]), 1, terms);
  return products.permute([2, 0, 1, ...space]).reshape(shape);
}
