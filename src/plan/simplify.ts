import { composed } from "../graph/compose";
import { elementwiseRow, isFold, rowOf, splitShape } from "../graph/ops";
import type { Scan } from "../graph/scan-node";
import { literal, literalOf, Tensor, topological } from "../graph/tensor";
import { broadcastShapes, type Shape, sameShape } from "../util/shape";

/**
 * The same results with less to do: equal nodes become one, constants are folded, views collapse, and softmax is
 * written as the reductions and elementwise operations that it is made of. Leaves stay the same tensors.
 */
export function simplify(roots: readonly Tensor[]): Map<Tensor, Tensor> {
  const known = new Map<string, Tensor>();
  const unique = (node: Tensor): Tensor => {
    const key = keyOf(node);
    if (key === null) return node;
    const other = known.get(key);
    if (other !== undefined) return other;
    known.set(key, node);
    return node;
  };
  const result = new Map<Tensor, Tensor>();
  for (const node of topological(roots)) {
    const operands = node.operands.map((operand) => result.get(operand) as Tensor);
    result.set(node, of(node, operands, unique));
  }
  return result;
}

/** A node with operands that are simplified. */
function of(node: Tensor, operands: readonly Tensor[], unique: (node: Tensor) => Tensor): Tensor {
  if (rowOf(node.op).kind === "scan") return (node as Scan).simplified(operands, simplify);
  const same = operands.every((operand, i) => operand === node.operands[i]);
  const made = same ? node : node.withOperands(operands);
  const parts = composed(made);
  if (parts === null) return rewrite(made, unique);
  const result = new Map(operands.map((operand) => [operand, operand]));
  for (const part of topological([parts], new Set(operands))) {
    const own = part.operands.map((operand) => result.get(operand) as Tensor);
    if (!result.has(part)) result.set(part, of(part, own, unique));
  }
  return result.get(parts) as Tensor;
}

/** Equal keys, equal values. Leaves are only equal to themselves, but for literals. */
function keyOf(node: Tensor): string | null {
  if (node.op === "input" || node.op === "parameter") return null;
  const value = literalOf(node);
  if (node.op === "constant" && value === null) return null;
  const { values: _, ...attributes } = node.attributes;
  return [
    node.op,
    node.dtype,
    node.shape.join(),
    JSON.stringify(attributes),
    value,
    ...node.operands.map(({ id }) => id),
  ].join("|");
}

function rewrite(node: Tensor, unique: (node: Tensor) => Tensor): Tensor {
  const [a] = node.operands;
  if (a === undefined) return unique(node);
  switch (rowOf(node.op).kind) {
    case "view":
      return unique(rewriteView(node, a, unique));
    case "elementwise":
      return rewriteElementwise(node, unique);
    case "reduction": {
      const { from = 0, to = 0 } = node.attributes;
      const single = splitShape(a.shape, from, to).length === 1;
      return unique(single && isFold(node.op) ? unique(reshaped(a, node.shape, unique)) : node);
    }
    default:
      return unique(node);
  }
}

function rewriteView(node: Tensor, x: Tensor, unique: (node: Tensor) => Tensor): Tensor {
  const { axes = [], steps = [], again } = node.attributes;
  // It shows its operand as it is, but so that nothing made of it is taken for what is made of the operand.
  if (again || x.attributes.again) return node;
  if (node.op === "permute" ? axes.every((axis, i) => axis === i) : sameShape(node.shape, x.shape)) {
    if (steps.every((step) => step > 0)) return x;
  }
  const value = literalOf(x);
  if (value !== null && node.op !== "pad")
    return new Tensor("broadcast", [unique(literal(value, x.dtype))], node.shape, node.dtype);
  const inner = x.operands[0];
  if (inner !== undefined && node.op === "permute" && x.op === "reshape") {
    const parts = mergedParts(inner.shape, x.shape);
    // What puts axes together comes last: views of parts are one view, which a reader sees through or one kernel copies.
    if (parts !== null) {
      const apart = inner.permute(axes.flatMap((axis) => parts[axis] as number[]));
      return reshaped(unique(rewriteView(apart, inner, unique)), node.shape, unique);
    }
  }
  if (
    inner === undefined ||
    x.op !== node.op ||
    (node.op !== "permute" && node.op !== "reshape" && node.op !== "broadcast")
  )
    return node;
  if (node.op === "permute") {
    const before = x.attributes.axes ?? [];
    const whole = inner.permute(axes.map((axis) => before[axis] as number));
    return rewriteView(whole, inner, unique);
  }
  return sameShape(inner.shape, node.shape) ? inner : new Tensor(node.op, [inner], node.shape, node.dtype);
}

/** For each axis of `to` the neighbouring axes of `from` that it is made of; null where it is made otherwise, or each of one. */
function mergedParts(from: Shape, to: Shape): number[][] | null {
  if (from.length <= to.length) return null;
  let next = 0;
  const parts: number[][] = [];
  for (const length of to) {
    const part: number[] = [];
    let size = 1;
    while (
      next < from.length &&
      (size < length || part.length === 0) &&
      length % (size * (from[next] as number)) === 0
    ) {
      size *= from[next] as number;
      part.push(next++);
    }
    if (size !== length) return null;
    parts.push(part);
  }
  return next === from.length ? parts : null;
}

function reshaped(x: Tensor, shape: Shape, unique: (node: Tensor) => Tensor): Tensor {
  return sameShape(x.shape, shape) ? x : rewriteView(new Tensor("reshape", [x], shape, x.dtype), x, unique);
}

function rewriteElementwise(node: Tensor, unique: (node: Tensor) => Tensor): Tensor {
  const row = elementwiseRow(node.op);
  let operands = [...node.operands];
  // An explicit repetition says nothing where another operand has the full shape anyway.
  operands.forEach((operand, i) => {
    const inner = operand.op === "broadcast" ? operand.operands[0] : undefined;
    if (inner === undefined) return;
    const others = operands.map((other, j) => (j === i ? inner : other));
    const shape = others.reduce<Shape | null>((joint, { shape }) => joint && broadcastShapes(joint, shape), []);
    if (shape !== null && sameShape(shape, node.shape)) operands = others;
  });
  const values = operands.map(literalOf);
  const [a, b] = operands as [Tensor, Tensor?];
  const [x, y] = values;
  const again = (op: Tensor["op"], ...next: Tensor[]) => rewrite(new Tensor(op, next, node.shape, node.dtype), unique);
  const whole = (tensor: Tensor) => sameShape(tensor.shape, node.shape) && tensor.dtype === node.dtype;

  if (row !== null && values.every((value) => value !== null) && node.op !== "random") {
    const [p = 0, q = 0, r = 0] = values;
    const folded = row.evaluate(p, q, r);
    if (Number.isFinite(Math.fround(folded))) {
      const scalar = unique(literal(folded, node.dtype));
      return node.shape.length === 0 ? scalar : unique(new Tensor("broadcast", [scalar], node.shape, node.dtype));
    }
  }
  switch (node.op) {
    case "mul":
      if (y === 1 && whole(a)) return a;
      if (x === 1 && b && whole(b)) return b;
      if (x !== null && b && y === null) return again("mul", b, a);
      if (y === -1 && whole(a) && node.dtype === "float32") return again("neg", a);
      if (typeof y === "number" && a.op === "mul" && node.dtype === "float32") {
        const inner = literalOf(a.operands[1] as Tensor);
        const product = (inner ?? Number.NaN) * y;
        if (inner !== null && isOrdinary(product))
          return again("mul", a.operands[0] as Tensor, unique(literal(product)));
      }
      break;
    case "add":
      if (y === 0 && whole(a)) return a;
      if (x === 0 && b && whole(b)) return b;
      if (b?.op === "neg" && node.dtype === "float32") return again("sub", a, b.operands[0] as Tensor);
      break;
    case "sub":
      if (y === 0 && whole(a)) return a;
      if (b?.op === "neg") return again("add", a, b.operands[0] as Tensor);
      break;
    case "div":
      if (y === 1 && whole(a)) return a;
      break;
    case "pow":
      if (y === 1 && whole(a)) return a;
      if (y === 2 && whole(a)) return again("square", a);
      if (y === 3 && whole(a)) return again("mul", again("square", a), a);
      break;
    case "stopGradient":
      return a;
    case "neg":
      if (a.op === "neg") return a.operands[0] as Tensor;
      break;
    default:
  }
  const same = operands.every((operand, i) => operand === node.operands[i]);
  return unique(same ? node : node.withOperands(operands));
}

/** Folding two factors must neither overflow nor lose what lies below the normal range. */
function isOrdinary(value: number): boolean {
  return Math.abs(value) < 1e37 && Math.abs(value) > 1e-37;
}
