import type { Tensor } from "../graph/tensor";
import { type Group, productOf, shapesOf } from "../plan/group";
import { addedBy } from "../plan/work";
import type { Buffer } from "./layout";

/** A kernel as explain() and profile() name it. */
export interface KernelAbout {
  readonly kind: Group["kind"] | "copy";
  readonly label: string;
  readonly shapes: string;
  readonly reads: readonly Buffer[];
  readonly writes: readonly Buffer[];
  /** Scalar outputs that it leaves in the record. */
  readonly records: readonly string[];
  readonly flops: number;
  /** Threads that run it at once. */
  readonly threads: number;
}

export function about(
  group: Group,
  nodes: readonly Tensor[],
  lies: Pick<KernelAbout, "reads" | "writes" | "records" | "threads">,
): KernelAbout {
  const ops = [...nodes.map(({ op }) => op), ...group.partials.map(({ op }) => `${op} begun`)];
  return {
    kind: group.kind,
    label: ops.length > 12 ? `${ops.slice(0, 12).join(" ")} … (${ops.length})` : ops.join(" "),
    shapes: domainOf(group),
    flops: flopsOf(group),
    ...lies,
  };
}

function flopsOf(group: Group): number {
  const { members, size } = group;
  if (group.kind === "scan")
    return group.scan.node.body.length * group.scan.order.reduce((sum, inner) => sum + flopsOf(inner), 0);
  const added = group.kind === "scatter" ? addedBy(group) : 0;
  return added + 2 * termsOf(group) * size + members.length * size;
}

function termsOf(group: Group): number {
  return group.kind === "contraction" ? productOf(group).K : 0;
}

function domainOf(group: Group): string {
  switch (group.kind) {
    case "scan":
      return `${group.scan.node.body.length} steps, ${group.scan.order.length} operations each`;
    case "scatter": {
      const { outer, count, rows, inner } = group.scatter;
      return `[${outer}, ${count}, ${inner}] into [${outer}, ${rows}, ${inner}]`;
    }
    case "contraction":
      return shapesOf(group);
    case "reduction": {
      const { outer, length, inner } = group.split;
      return `[${outer}, ${length}, ${inner}]`;
    }
    case "map":
    case "combine":
      return `[${group.size}]`;
    default:
      return group satisfies never;
  }
}
