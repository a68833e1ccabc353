import { rowsKernel } from "../../kernels/rows";
import type { Fusion, ReductionGroup } from "../../plan/group";
import { rowsOf } from "../../plan/nest-rows";
import { opsOf } from "../../plan/work";
import type { KernelStores, LoweredDispatch } from "./dispatch";
import { Lowering, labelOf, outputOf, WORKGROUP } from "./lower";
import { mostTurns, type Target } from "./plan";
import { keepsIndex, rowsBody } from "./reduction";
import { lanesFor } from "./tiling";

/** The dispatch of a kernel that reduces along rows. */
export function lowerRows(
  fusion: Fusion,
  group: ReductionGroup,
  stores: KernelStores,
  target: Target,
): LoweredDispatch {
  const { split } = group;
  const rows = rowsOf(fusion, group, stores);
  const write = (lanes: number) => {
    const lowering = new Lowering(fusion, group, stores);
    const workgroupSize = Math.min(Math.max(lanes, target.software ? 4 : WORKGROUP), target.maxWorkgroupSize);
    const lines = rowsBody(lowering, rows, { lanes, rowsPerGroup: workgroupSize / lanes });
    return { lowering, lanes, workgroupSize, lines };
  };
  let written = write(lanesFor(split.length, split.outer * split.inner, target));
  // More threads share a row that is too long for one of them.
  while (written.lowering.turns.total > mostTurns(target) && 2 * written.lanes <= target.maxWorkgroupSize)
    written = write(2 * written.lanes);
  const { lowering, lanes, workgroupSize, lines } = written;
  const partials = lowering.partialSpecs();
  const bodyTurns = lowering.turns.total;
  return lowering.finish(
    (bindings) =>
      rowsKernel({
        ...split,
        lanes,
        workgroupSize,
        bindings,
        body: lines,
        partials,
        usesArgmax: keepsIndex(rows),
        bodyTurns,
      }),
    {
      label: labelOf(group),
      output: outputOf(group, stores),
      shapes: `[${split.outer}, ${split.length}, ${split.inner}]`,
      flops: opsOf(fusion, group) * group.size,
    },
  );
}
