import persistent from "../../shaders/persistent.wgsl?raw";
import type { KernelText } from "./kernel";
import { indent, specialise } from "./specialise";

export interface PersistentSpec {
  readonly workgroupSize: number;
  /** Whether the workgroup is one subgroup. */
  readonly subgroup: boolean;
  /** Whether threads hold what changes in variables of their own, and need not wait for one another. */
  readonly held: boolean;
  /** Elements of workgroup memory. */
  readonly elements: number;
  /** The element of the state that counts steps. */
  readonly count: number;
  readonly bindings: string;
  readonly functions: string;
  readonly load: readonly string[];
  readonly step: readonly string[];
  readonly store: readonly string[];
}

/** Where the workgroup is one subgroup, sums over it need no memory and no barrier. */
const JOIN_SUBGROUP = `fn joinSum(value: f32, local: u32) -> f32 { return subgroupAdd(value); }
fn joinMax(value: f32, local: u32) -> f32 { return subgroupLarger(value); }
`;

export function persistentKernel({
  workgroupSize,
  subgroup,
  held,
  elements,
  count,
  bindings,
  functions,
  load,
  step,
  store,
}: PersistentSpec): KernelText {
  const source = specialise(persistent, {
    constants: { WORKGROUP: workgroupSize, MEMORY: Math.max(elements, 1), COUNT: count },
    blocks: {
      larger: "",
      ...(subgroup && { enable: "enable subgroups;\n", join: JOIN_SUBGROUP }),
      ...(held && { wait: "" }),
      bindings,
      functions,
      load: indent(load, 2),
      step: indent(step, 4),
      store: indent(store, 2),
    },
  });
  return { name: "persistent", source, workgroups: [1, 1, 1], partials: 0, turns: 0 };
}
