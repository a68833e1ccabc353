import { shown } from "../util/checks";
import { ShapeError } from "../util/errors";
import { formatShape, sameShape, sizeOf } from "../util/shape";
import type { Checkpoint } from "./checkpoint";
import { GRADIENTS } from "./gradients";
import { elementwiseRow, rowOf } from "./ops";
import type { Scan } from "./scan-node";
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

  // One each, in their order.
  return vjp([loss], [literal(1).broadcastTo(loss.shape)], wrt).map(
    (gradient, i) => gradient ?? literal(0).broadcastTo((wrt[i] as Tensor).shape),
  ) as { [K in keyof T]: Tensor };
}

/** The derivatives of the outputs, each weighed and all added up, in each of `wrt`; null where nothing depends on it. */
function vjp(
  outputs: readonly Tensor[],
  weights: readonly Tensor[],
  wrt: readonly Tensor[],
): readonly (Tensor | null)[] {
  const nodes = topological(outputs);
  const wanted = new Set<Tensor>(wrt);
  const reaches = new Set<Tensor>();
  for (const node of nodes) {
    if (wanted.has(node) || node.operands.some((operand) => reaches.has(operand))) reaches.add(node);
  }

  const gradients = new Map<Tensor, Tensor>();
  /** Of scans: in each of their parts. */
  const ofParts = new Map<Tensor, (Tensor | undefined)[]>();
  /** By what a gradient is masked all the way: where 0 meets an infinite derivative on the way on, it must stay 0. */
  const masks = new Map<Tensor, Tensor>();
  const add = (node: Tensor, part: Tensor) => {
    const sum = gradients.get(node);
    gradients.set(node, sum === undefined ? part : sum.add(part));
    return sum === undefined;
  };
  outputs.forEach((output, i) => {
    add(output, weights[i] as Tensor);
  });
  for (let i = nodes.length - 1; i >= 0; i--) {
    const node = nodes[i] as Tensor;
    if (!reaches.has(node) || node.operands.length === 0) continue;
    if (rowOf(node.op).kind === "scan") {
      const known = ofParts.get(node);
      const wantedOperands = node.operands.map((operand) => reaches.has(operand));
      const parts = known ? (node as Scan).derive(node as Scan, known, wantedOperands, vjp) : [];
      parts.forEach((part, at) => {
        const operand = node.operands[at] as Tensor;
        if (part === null || !reaches.has(operand)) return;
        add(operand, part);
        masks.delete(operand);
      });
      continue;
    }
    const gradient = gradients.get(node);
    if (gradient === undefined) continue;
    if (rowOf(node.op).kind === "item") {
      const [whole] = node.operands as readonly [Tensor];
      const { index = 0 } = node.attributes;
      const known = ofParts.get(whole) ?? [];
      known[index] = known[index]?.add(gradient) ?? gradient;
      ofParts.set(whole, known);
      continue;
    }
    if (node.op === "checkpoint") {
      const { operands, result } = (node as Checkpoint).again();
      vjp([result], [gradient], operands).forEach((part, at) => {
        const operand = node.operands[at] as Tensor;
        if (part === null || !reaches.has(operand)) return;
        add(operand, part);
        masks.delete(operand);
      });
      continue;
    }
    const mask = node.attributes.picks ? node.operands[1] : masks.get(node);
    GRADIENTS[node.op](node, gradient).forEach((part, at) => {
      const operand = node.operands[at] as Tensor;
      if (part === null || !reaches.has(operand)) return;
      const goesOn = mask && sameShape(operand.shape, node.shape) && elementwiseRow(node.op) !== null;
      const isFirst = add(operand, goesOn && !node.attributes.picks ? part.mask(mask) : part);
      if (goesOn && isFirst) masks.set(operand, mask);
      else masks.delete(operand);
    });
  }
  return wrt.map((tensor) => gradients.get(tensor) ?? null);
}
