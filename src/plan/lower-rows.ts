import { rowsKernel } from "../kernels/rows";
import type { Fusion, Group } from "./group";
import { Lowering, labelOf, opsOf, outputOf, WORKGROUP } from "./lower";
import type { Target } from "./plan";
import { rowsBody } from "./rows";
import type { LoweredDispatch, Stores } from "./storage";
import { lanesFor } from "./tiling";

/** The dispatch of a kernel that reduces along rows. */
export function lowerRows(fusion: Fusion, group: Group, stores: Stores, target: Target): LoweredDispatch {
  const { split } = group;
  if (split === null) throw new Error("internal: rows without a split");
  const lowering = new Lowering(fusion, group, stores);
  const lanes = lanesFor(split.length, split.outer * split.inner, target);
  const workgroupSize = Math.min(Math.max(lanes, target.software ? 4 : WORKGROUP), target.maxWorkgroupSize);
  const { lines, usesArgmax } = rowsBody(lowering, { ...split, lanes, rowsPerGroup: workgroupSize / lanes });
  const partials = lowering.partialSpecs();
  return lowering.finish(
    (bindings) => rowsKernel({ ...split, lanes, workgroupSize, bindings, body: lines, partials, usesArgmax }),
    {
      label: labelOf(group),
      output: outputOf(group, stores),
      shapes: `[${split.outer}, ${split.length}, ${split.inner}]`,
      flops: opsOf(fusion, group) * group.size,
    },
  );
}
