import scan from "../../shaders/scan.wgsl?raw";
import type { KernelText } from "./kernel";
import { joinFunctions } from "./partials";
import { indent, mainOf, specialise } from "./specialise";

export interface ScanSpec {
  readonly workgroupSize: number;
  /** Elements of workgroup memory. */
  readonly elements: number;
  readonly bindings: string;
  readonly functions: string;
  readonly body: readonly string[];
  readonly turns: number;
  /** Copies of the program, a workgroup each. */
  readonly copies: number;
}

export function scanKernel({
  workgroupSize,
  elements,
  bindings,
  functions,
  body,
  turns,
  copies,
}: ScanSpec): KernelText {
  const source = specialise(scan, {
    constants: { WORKGROUP: workgroupSize, MEMORY: Math.max(elements, 1) },
    blocks: { join: joinFunctions(false), bindings, functions, main: mainOf(copies), body: indent(body, 2) },
  });
  return { name: "scan", source, workgroups: [1, 1, 1], partials: 0, turns };
}
