import elementwise from "../../shaders/elementwise.wgsl?raw";
import type { KernelText } from "./kernel";
import {
  declarePartials,
  finishPartials,
  finishTurns,
  inBlocks,
  type PartialSpec,
  partialCount,
  scratchDeclaration,
} from "./partials";
import { GRID, gridOf, indent, specialise } from "./specialise";

export interface ElementwiseSpec {
  readonly size: number;
  readonly workgroupSize: number;
  readonly bindings: string;
  /** WGSL statements at element `i`. */
  readonly body: readonly string[];
  readonly partials: readonly PartialSpec[];
  /** Turns of loops within the body; and those that a thread may make in all. */
  readonly bodyTurns?: number;
  readonly maxTurns: number;
}

/** Workgroups of a kernel that leaves partial results: enough to fill a device, few enough to be combined at once. */
const PARTIAL_WORKGROUPS = 256;

export function elementwiseKernel(spec: ElementwiseSpec): KernelText {
  const { size, workgroupSize, bindings, body, partials, bodyTurns = 0, maxTurns } = spec;
  // Half of the turns at most, so that there are some left for what ends partial results.
  const each = Math.max(1, Math.floor(maxTurns / 2 / (1 + bodyTurns)));
  const most = partials.length > 0 ? Math.max(PARTIAL_WORKGROUPS, Math.ceil(size / (workgroupSize * each))) : GRID;
  const workgroups = Math.min(Math.ceil(size / workgroupSize), most);
  const blocks = inBlocks(partials, Math.ceil(size / (workgroups * workgroupSize)), "inBlock");
  const source = specialise(elementwise, {
    constants: { SIZE: size, THREADS: workgroups * workgroupSize, WORKGROUP: workgroupSize, GRID },
    blocks: {
      bindings: bindings + scratchDeclaration(partials, workgroups, workgroupSize),
      before: indent([...declarePartials(partials), ...blocks.before], 2),
      body: indent([...body, ...blocks.each], 4),
      after: indent([...blocks.after, ...finishPartials(partials, workgroups, workgroupSize)], 2),
    },
  });
  return {
    name: "elementwise",
    source,
    workgroups: gridOf(workgroups),
    partials: partialCount(workgroups, workgroupSize),
    turns:
      Math.ceil(size / (workgroups * workgroupSize)) * (1 + bodyTurns) +
      1 +
      finishTurns(partials, workgroups, workgroupSize),
  };
}
