import combine from "../../shaders/combine.wgsl?raw";
import type { KernelText } from "./kernel";
import { accumulate, INITIAL, joinTurns } from "./partials";
import { indent, specialise } from "./specialise";

export interface CombineSpec {
  readonly bindings: string;
  /** Threads that share a long reduction: so many, or as many more up to the most as it takes for none to make more turns than it may. */
  readonly lanes: number;
  readonly maxLanes: number;
  readonly maxTurns: number;
  readonly reductions: readonly {
    readonly op: "sum" | "max";
    readonly buffer: string;
    readonly count: number;
    readonly variable: string;
  }[];
  /** WGSL statements of one thread, with `place`. */
  readonly body: readonly string[];
}

export function combineKernel({ bindings, reductions, body, ...spec }: CombineSpec): KernelText {
  const turnsOf = (lanes: number) =>
    reductions.reduce((sum, { count }) => sum + Math.ceil(count / lanes) + 1 + joinTurns(lanes), 0);
  let lanes = reductions.every(({ count }) => count <= 64) ? 1 : spec.lanes;
  while (turnsOf(lanes) > spec.maxTurns && 2 * lanes <= spec.maxLanes) lanes *= 2;
  const lines = reductions.flatMap(({ op, buffer, count, variable }, i) => {
    const element = `${buffer}[place * ${count}u + p]`;
    const own = `own${i}`;
    return [
      `var ${own} = ${INITIAL[op]};`,
      `for (var p = local; p < ${count}u; p += LANES) { ${accumulate({ op, variable: own }, element)} }`,
      `let ${variable} = ${op}Lanes(${own}, local);`,
    ];
  });
  const source = specialise(combine, {
    constants: { LANES: lanes },
    blocks: { larger: "", bindings, reductions: indent(lines, 2), body: indent(body, 4) },
  });
  return { name: "combine", source, workgroups: [1, 1, 1], partials: 0, turns: turnsOf(lanes) };
}
