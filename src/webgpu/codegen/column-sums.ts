import type { Tensor } from "../../graph/tensor";
import { isAligned } from "../../graph/view";
import { isInlinable } from "../../plan/expression";
import { type Fusion, type Group, plainProductOf, type ReductionGroup } from "../../plan/group";
import { afterSums, rowsOf } from "../../plan/nest-rows";
import { overlap, touchesOf } from "../../plan/schedule";
import { sizeOf } from "../../util/shape";
import type { KernelStores } from "./dispatch";
import type { ColumnSum, Kernels, WithColumnSums } from "./kernel-set";
import type { Target } from "./plan";
import { tilingFor } from "./tiling";

/**
 * Sums over the batch that a product carries along: it reads the same rows for a weight's gradient, and a bias's is the sum of
 * their columns. One kernel less to wait for. Not for a software adapter, which would do the work in every workgroup.
 */
export function columnSumsOf(
  fusion: Fusion,
  order: readonly Group[],
  stores: KernelStores,
  target: Target,
  kernels: Kernels,
): WithColumnSums {
  const columnSums = new Map<Group, ColumnSum>();
  if (!order.some(({ kind }) => kind === "reduction")) return { order, columnSums };
  const touches = new Map(
    order.map((group) => {
      const { reads, writes } = touchesOf(fusion, stores, group);
      return [group, { reads: new Set(reads), writes: new Set(writes) }] as const;
    }),
  );
  const touched = (group: Group) => touches.get(group) as NonNullable<ReturnType<typeof touches.get>>;
  const apart = (a: Group, b: Group) => {
    const [one, other] = [touched(a), touched(b)];
    return !overlap(one.reads, other.writes) && !overlap(one.writes, other.reads) && !overlap(one.writes, other.writes);
  };
  const carries = (product: Group, sums: ReductionGroup): boolean => {
    if (product.kind !== "contraction" || columnSums.has(product) || product.partials.length > 0) return false;
    const plain = plainProductOf(product);
    if (plain === null) return false;
    const { b, N, K } = plain;
    const { outer, length, inner } = sums.split;
    if (b.transposed || outer !== 1 || length !== K || inner !== N || b.tensor !== summedBy(fusion, sums)) return false;
    if (sums.members.some((node) => stores.recordsOf(node).length > 0)) return false;
    const tiling = tilingFor(plain, target, kernels);
    // A thread for each column.
    if (tiling.kind !== "tiled" || tiling.splits > 1 || tiling.tileN > tiling.threadsM) return false;
    const [one, other] = [touched(product), touched(sums)];
    const buffers = new Set([...one.reads, ...one.writes, ...other.reads, ...other.writes]).size;
    return buffers < target.maxStorageBuffers && apart(product, sums);
  };
  const left = order.filter((sums, at) => {
    if (sums.kind !== "reduction") return true;
    const product = order.find(
      (each, to) =>
        carries(each, sums) && order.slice(Math.min(at, to) + 1, Math.max(at, to)).every((other) => apart(other, sums)),
    );
    if (product === undefined) return true;
    columnSums.set(product, { group: sums, after: afterSums(rowsOf(fusion, sums, stores)) });
    return false;
  });
  return { order: left, columnSums: columnSums };
}

/** The tensor whose rows a kernel sums as they lie in memory, where that is all it reads of them; else null. */
function summedBy(fusion: Fusion, group: ReductionGroup): Tensor | null {
  let summed: Tensor | null = null;
  for (const node of group.members) {
    if (isInlinable(node)) continue;
    const value = fusion.expression(group, node.operands[0] as Tensor);
    if (node.op !== "sum" || value.kind !== "load" || !isAligned(value.access)) return null;
    if (summed !== null && summed !== value.tensor) return null;
    summed = value.tensor;
  }
  const { inner } = group.split;
  const ofColumns = group.members.every(({ shape }) => sizeOf(shape) === inner);
  return ofColumns && group.partials.length === 0 ? summed : null;
}
