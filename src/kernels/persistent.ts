import persistent from "../../shaders/persistent.wgsl?raw";
import type { KernelText } from "./kernel";
import { joinFunctions } from "./partials";
import { indent, mainOf, specialise } from "./specialise";

export interface PersistentSpec {
  readonly workgroupSize: number;
  /** Whether the workgroup is one subgroup. */
  readonly subgroup: boolean;
  /** Whether threads hold what changes in variables of their own, and need not wait for one another. */
  readonly held: boolean;
  /** Elements of workgroup memory. */
  readonly elements: number;
  /** The element of the state that counts steps, of the first of so many copies. */
  readonly count: number;
  readonly copies: number;
  readonly bindings: string;
  readonly functions: string;
  readonly load: readonly string[];
  readonly step: readonly string[];
  readonly store: readonly string[];
}

/** Of copies of a program each is a workgroup along the third axis; in the state lies what they have one copy after another, and so it does in a record. */
export function persistentKernel({
  workgroupSize,
  subgroup,
  held,
  elements,
  count,
  copies,
  bindings,
  functions,
  load,
  step,
  store,
}: PersistentSpec): KernelText {
  const counted = `state[COUNT${copies > 1 ? " + group.z" : ""}]`;
  const source = specialise(persistent, {
    constants: { WORKGROUP: workgroupSize, MEMORY: Math.max(elements, 1), COUNT: count },
    blocks: {
      ...(subgroup && { enable: "enable subgroups;\n" }),
      join: joinFunctions(subgroup),
      ...(held && { wait: "" }),
      bindings,
      functions,
      main: mainOf(copies),
      count: `    if (local == 0u) { ${counted} = (${counted} + done) & 0xffffffu; }\n`,
      load: indent(load, 2),
      step: indent(step, 4),
      store: indent(store, 2),
    },
  });
  return { name: "persistent", source, workgroups: [1, 1, 1], partials: 0, turns: 0 };
}
