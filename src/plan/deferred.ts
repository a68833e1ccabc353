import { elementwiseRow, isFold } from "../graph/ops";
import { literalOf, type Tensor } from "../graph/tensor";
import { sizeOf } from "../util/shape";
import type { Update } from "./group";

/** Scalars of which only outputs are made. Whatever the step itself needs is not among them. */
export function findDeferred(
  nodes: readonly Tensor[],
  users: ReadonlyMap<Tensor, readonly Tensor[]>,
  outputs: readonly Tensor[],
  updates: readonly Update[],
): Set<Tensor> {
  const results = new Set(outputs);
  const changed = new Set(updates.map(({ node }) => node));
  const deferred = new Set<Tensor>();
  const isReduction = (node: Tensor) => isFold(node.op);
  for (let i = nodes.length - 1; i >= 0; i--) {
    const node = nodes[i] as Tensor;
    const own = users.get(node) ?? [];
    const able = isReduction(node) || elementwiseRow(node.op) !== null || node.op === "reshape";
    if (!able || node.dtype !== "float32" || sizeOf(node.shape) !== 1 || changed.has(node)) continue;
    if ((results.has(node) || own.length > 0) && own.every((user) => deferred.has(user) && !isReduction(user)))
      deferred.add(node);
  }
  // What has an operand from outside is computed in the step, and then its other operands are needed there too.
  for (let again = true; again; ) {
    again = false;
    for (const node of [...deferred]) {
      const fits =
        isReduction(node) || node.operands.every((operand) => deferred.has(operand) || literalOf(operand) !== null);
      const alone = (users.get(node) ?? []).every((user) => deferred.has(user));
      if (!fits || !alone) again = deferred.delete(node);
    }
  }
  return deferred;
}
