import rows from "../../shaders/rows.wgsl?raw";
import { isFold, type ReductionOp } from "../graph/ops";
import type { KernelText } from "./kernel";
import {
  accumulate,
  declarePartials,
  finishPartials,
  finishTurns,
  type PartialSpec,
  partialCount,
  scratchDeclaration,
} from "./partials";
import { GRID, gridOf, indent, specialise } from "./specialise";
import type { Turns } from "./turns";

export interface RowsSpec {
  readonly outer: number;
  readonly length: number;
  readonly inner: number;
  readonly lanes: number;
  readonly workgroupSize: number;
  readonly bindings: string;
  readonly body: readonly string[];
  readonly partials: readonly PartialSpec[];
  readonly usesArgmax: boolean;
  /** Turns of the loops in the body. */
  readonly bodyTurns: number;
}

/** Declarations that joinLanes needs. */
function laneMemory(lanes: number, workgroupSize: number, argmax: boolean): string {
  if (lanes === 1) return "";
  return `var<workgroup> laneValues: array<f32, ${workgroupSize}>;\n${argmax ? `var<workgroup> laneIndices: array<i32, ${workgroupSize}>;\n` : ""}`;
}

/** Lines after which `variable` (and `index`, the first place of the maximum) is that of all lanes of a row. */
export function joinLanes(
  op: ReductionOp,
  variable: string,
  index: string,
  lanes: number,
  rowsPerGroup: number,
  inner: number,
  turns: Turns,
): string[] {
  if (lanes === 1) return [];
  const other = `local + half * ${inner === 1 ? 1 : rowsPerGroup}u`;
  const mine = inner === 1 ? `rowLocal * ${lanes}u` : "rowLocal";
  const mineNow = "laneValues[local]";
  const join = isFold(op)
    ? accumulate({ op, variable: mineNow }, `laneValues[${other}]`)
    : `let other = ${other}; if (exceeds(laneValues[other], ${mineNow}) || (!exceeds(${mineNow}, laneValues[other]) && laneIndices[other] < laneIndices[local])) ` +
      "{ laneValues[local] = laneValues[other]; laneIndices[local] = laneIndices[other]; }";
  return [
    `laneValues[local] = ${variable};`,
    ...(isFold(op) ? [] : [`laneIndices[local] = ${index};`]),
    turns.barrier(),
    ...turns.loop(Math.log2(lanes), () => [
      `for (var half = ${lanes / 2}u; half > 0u; half /= 2u) {`,
      `  if (lane < half) { ${join} }`,
      "  workgroupBarrier();",
      "}",
    ]),
    `${variable} = laneValues[${mine}];`,
    ...(isFold(op) ? [] : [`${index} = laneIndices[${mine}];`]),
    turns.barrier(),
  ];
}

export function rowsKernel(spec: RowsSpec): KernelText {
  const { outer, length, inner, lanes, workgroupSize, bindings, body, partials, usesArgmax, bodyTurns } = spec;
  const workgroups = Math.ceil((outer * inner * lanes) / workgroupSize);
  const source = specialise(rows, {
    constants: { OUTER: outer, LENGTH: length, INNER: inner, LANES: lanes, WORKGROUP: workgroupSize, GRID },
    blocks: {
      bindings:
        bindings +
        laneMemory(lanes, workgroupSize, usesArgmax) +
        scratchDeclaration(partials, workgroups, workgroupSize),
      body: indent([...declarePartials(partials), ...body, ...finishPartials(partials, workgroups, workgroupSize)], 2),
    },
  });
  return {
    name: "rows",
    source,
    workgroups: gridOf(workgroups),
    partials: partialCount(workgroups, workgroupSize),
    turns: bodyTurns + finishTurns(partials, workgroups, workgroupSize),
  };
}
