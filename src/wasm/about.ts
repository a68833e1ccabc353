import type { Tensor } from "../graph/tensor";
import type { Group } from "../plan/group";
import type { Buffer } from "./layout";
import { productOf } from "./short-products";

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
    shapes: shapesOf(group),
    flops: addedBy(group) + 2 * (productOf(group)?.K ?? 0) * group.size + group.members.length * group.size,
    ...lies,
  };
}

function addedBy({ scatter }: Group): number {
  return scatter ? scatter.outer * scatter.count * scatter.inner : 0;
}

function shapesOf({ split, size, ...group }: Group): string {
  if (group.scatter) {
    const { outer, count, rows, inner } = group.scatter;
    return `[${outer}, ${count}, ${inner}] into [${outer}, ${rows}, ${inner}]`;
  }
  const product = productOf({ split, size, ...group });
  if (product !== null) {
    const { M, N, K } = product;
    return `[${M}, ${K}]${group.a?.transposed ? "ᵀ" : ""} x [${K}, ${N}]${group.b?.transposed ? "ᵀ" : ""}`;
  }
  return split ? `[${split.outer}, ${split.length}, ${split.inner}]` : `[${size}]`;
}
