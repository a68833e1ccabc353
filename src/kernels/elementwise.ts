import elementwise from "../../shaders/elementwise.wgsl?raw";
import type { KernelText } from "./kernel";
import { declarePartials, finishPartials, type PartialSpec, partialCount, scratchDeclaration } from "./partials";
import { GRID, gridOf, indent, specialise } from "./specialise";

export interface ElementwiseSpec {
  readonly size: number;
  readonly workgroupSize: number;
  readonly bindings: string;
  /** WGSL statements at element `i`. */
  readonly body: readonly string[];
  readonly partials: readonly PartialSpec[];
}

/** Workgroups of a kernel that leaves partial results: enough to fill a device, few enough to be combined at once. */
const PARTIAL_WORKGROUPS = 256;

export function elementwiseKernel({ size, workgroupSize, bindings, body, partials }: ElementwiseSpec): KernelText {
  const most = partials.length > 0 ? PARTIAL_WORKGROUPS : GRID;
  const workgroups = Math.min(Math.ceil(size / workgroupSize), most);
  const source = specialise(elementwise, {
    constants: { SIZE: size, THREADS: workgroups * workgroupSize, WORKGROUP: workgroupSize, GRID },
    blocks: {
      bindings: bindings + scratchDeclaration(partials, workgroups, workgroupSize),
      before: indent(declarePartials(partials), 2),
      body: indent(body, 4),
      after: indent(finishPartials(partials, workgroups, workgroupSize), 2),
    },
  });
  return {
    name: "elementwise",
    source,
    workgroups: gridOf(workgroups),
    partials: partialCount(workgroups, workgroupSize),
  };
}
