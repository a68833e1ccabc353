import { shown } from "../util/checks";
import { ShapeError } from "../util/errors";
import { formatShape, sameShape, sizeOf } from "../util/shape";
import { GRADIENTS } from "./gradients";
import { elementwiseRow } from "./ops";
import { literal, Tensor, topological } from "./tensor";

/**
 * Reverse-mode derivatives of a scalar `loss` in each of `wrt`, with their shapes. What the loss does not
 * depend on gets zeros. The derivative of relu at 0 is 0. Gradients are tensors and can be derived again.
 * Throws ShapeError where the loss is not one number, TypeError where a tensor of `wrt` is not float32.
 * Source: Griewank and Walther 2008, §3.2.
 */
export function grad<const T extends readonly Tensor[]>(loss: Tensor, wrt: T): { [K in keyof T]: Tensor } {
  if (!(loss instanceof Tensor)) throw new TypeError(`grad: the loss must be a Tensor, not ${shown(loss, Tensor)}`);
  if (sizeOf(loss.shape) !== 1) {
    throw new ShapeError(
      `grad: the loss must be one number, it is ${formatShape(loss.shape)}; sum() or mean() makes it one`,
    );
  }
  if (loss.dtype !== "float32") throw new TypeError(`grad: the loss must be float32, it is ${loss.dtype}`);
  if (!Array.isArray(wrt)) {
    throw new TypeError(`grad: wrt is ${shown(wrt)}; it must be an array of Tensors, as in grad(loss, [w])`);
  }
  for (const tensor of wrt) {
    if (!(tensor instanceof Tensor))
      throw new TypeError(`grad: wrt holds ${shown(tensor, Tensor)}, which is not a Tensor`);
    if (tensor.dtype !== "float32")
      throw new TypeError(`grad: derivatives are taken in float32 tensors, wrt holds one of ${tensor.dtype}`);
  }

  const nodes = topological([loss]);
  const wanted = new Set<Tensor>(wrt);
  const reaches = new Set<Tensor>();
  for (const node of nodes) {
    if (wanted.has(node) || node.operands.some((operand) => reaches.has(operand))) reaches.add(node);
  }

  const gradients = new Map<Tensor, Tensor>();
  /** By what a gradient is masked all the way: where 0 meets an infinite derivative on the way on, it must stay 0. */
  const masks = new Map<Tensor, Tensor>();
  gradients.set(loss, literal(1).broadcastTo(loss.shape));
  for (let i = nodes.length - 1; i >= 0; i--) {
    const node = nodes[i] as Tensor;
    const gradient = gradients.get(node);
    if (gradient === undefined || !reaches.has(node) || node.operands.length === 0) continue;
    const mask = node.attributes.picks ? node.operands[1] : masks.get(node);
    GRADIENTS[node.op](node, gradient).forEach((part, at) => {
      const operand = node.operands[at] as Tensor;
      if (part === null || !reaches.has(operand)) return;
      const sum = gradients.get(operand);
      const goesOn = mask && sameShape(operand.shape, node.shape) && elementwiseRow(node.op) !== null;
      const own = goesOn && !node.attributes.picks ? part.mask(mask) : part;
      gradients.set(operand, sum === undefined ? own : sum.add(own));
      if (goesOn && sum === undefined) masks.set(operand, mask);
      else masks.delete(operand);
    });
  }
  // One each, in their order.
  return wrt.map((tensor) => gradients.get(tensor) ?? literal(0).broadcastTo(tensor.shape)) as {
    [K in keyof T]: Tensor;
  };
}
