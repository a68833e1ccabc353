import { countOps, isInlinable } from "./expression";
import { type Fusion, type Group, productOf } from "./group";
import { expressionsOf } from "./schedule";

/** Operations that a kernel does for each of its points, a product's own apart. */
export function opsOf(fusion: Fusion, group: Group): number {
  return (
    countOps(expressionsOf(fusion, group)) +
    group.members.filter((node) => !isInlinable(node)).length +
    group.partials.length
  );
}

/** Arithmetic of a kernel's work in one step. */
export function workOf(fusion: Fusion, group: Group): number {
  const { scan, scatter } = group;
  if (scan) return scan.node.body.length * scan.order.reduce((sum, inner) => sum + workOf(scan.fusion, inner), 0);
  if (scatter) return scatter.outer * scatter.count * scatter.inner + (1 + opsOf(fusion, group)) * group.size;
  const K = group.kind === "contraction" ? productOf(group).K : 0;
  return (2 * K + opsOf(fusion, group)) * group.size;
}
