import persistent from "../../shaders/persistent.wgsl?raw";
import type { KernelText } from "./kernel";
import { indent, specialise } from "./specialise";

export interface PersistentSpec {
  readonly workgroupSize: number;
  /** Elements of workgroup memory. */
  readonly elements: number;
  readonly bindings: string;
  readonly functions: string;
  readonly load: readonly string[];
  readonly step: readonly string[];
  readonly store: readonly string[];
}

export function persistentKernel({
  workgroupSize,
  elements,
  bindings,
  functions,
  load,
  step,
  store,
}: PersistentSpec): KernelText {
  const source = specialise(persistent, {
    constants: { WORKGROUP: workgroupSize, MEMORY: Math.max(elements, 1) },
    blocks: { bindings, functions, load: indent(load, 2), step: indent(step, 4), store: indent(store, 2) },
  });
  return { name: "persistent", source, workgroups: [1, 1, 1], partials: 0 };
}
