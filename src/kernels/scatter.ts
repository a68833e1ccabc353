import scatter from "../../shaders/scatter.wgsl?raw";
import type { KernelText } from "./kernel";
import {
  declarePartials,
  finishPartials,
  finishTurns,
  type PartialSpec,
  partialCount,
  scratchDeclaration,
} from "./partials";
import { GRID, gridOf, indent, specialise } from "./specialise";

export interface ScatterSpec {
  /** Threads that have rows of their own. */
  readonly owners: number;
  readonly workgroupSize: number;
  readonly bindings: string;
  /** WGSL statements of thread `owner`, which has none where it is not `inRange`. */
  readonly body: readonly string[];
  readonly partials: readonly PartialSpec[];
  readonly bodyTurns: number;
}

export function scatterKernel(spec: ScatterSpec): KernelText {
  const { owners, workgroupSize, bindings, body, partials, bodyTurns } = spec;
  const workgroups = Math.ceil(owners / workgroupSize);
  const source = specialise(scatter, {
    constants: { OWNERS: owners, WORKGROUP: workgroupSize, GRID },
    blocks: {
      bindings: bindings + scratchDeclaration(partials, workgroups, workgroupSize),
      body: indent([...declarePartials(partials), ...body, ...finishPartials(partials, workgroups, workgroupSize)], 2),
    },
  });
  return {
    name: "scatter",
    source,
    workgroups: gridOf(workgroups),
    partials: partialCount(workgroups, workgroupSize),
    turns: bodyTurns + finishTurns(partials, workgroups, workgroupSize),
  };
}
