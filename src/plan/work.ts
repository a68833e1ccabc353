import { countOps, isInlinable } from "./expression";
import { type Fusion, type Group, productOf, type ScatterGroup } from "./group";
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
  if (group.kind === "scan")
    return (
      group.scan.node.body.length * group.scan.order.reduce((sum, inner) => sum + workOf(group.scan.fusion, inner), 0)
    );
  if (group.kind === "scatter") return addedBy(group) + (1 + opsOf(fusion, group)) * group.size;
  const K = group.kind === "contraction" ? productOf(group).K : 0;
  return (2 * K + opsOf(fusion, group)) * group.size;
}

/** Values that a scatter adds. */
export function addedBy({ scatter }: ScatterGroup): number {
  return scatter.outer * scatter.count * scatter.inner;
}
