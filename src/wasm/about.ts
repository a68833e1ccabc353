import type { Tensor } from "../graph/tensor";
import { type Group, productOf, shapesOf } from "../plan/group";
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
}

export function about(
  group: Group,
  nodes: readonly Tensor[],
  lies: Pick<KernelAbout, "reads" | "writes" | "records">,
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
  const { scan, members, size } = group;
  if (scan) return scan.node.body.length * scan.order.reduce((sum, inner) => sum + flopsOf(inner), 0);
  return addedBy(group) + 2 * termsOf(group) * size + members.length * size;
}

function addedBy({ scatter }: Group): number {
  return scatter ? scatter.outer * scatter.count * scatter.inner : 0;
}

function termsOf(group: Group): number {
  return group.kind === "contraction" ? productOf(group).K : 0;
}

function domainOf(group: Group): string {
  const { kind, split, size, scatter, scan } = group;
  if (scan) return `${scan.node.body.length} steps, ${scan.order.length} operations each`;
  if (scatter) {
    const { outer, count, rows, inner } = scatter;
    return `[${outer}, ${count}, ${inner}] into [${outer}, ${rows}, ${inner}]`;
  }
  if (kind === "contraction") return shapesOf(group);
  return split ? `[${split.outer}, ${split.length}, ${split.inner}]` : `[${size}]`;
}
