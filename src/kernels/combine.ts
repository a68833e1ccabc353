import combine from "../../shaders/combine.wgsl?raw";
import type { FoldOp } from "../graph/ops";
import type { KernelText } from "./kernel";
import { accumulate, initial, joinFunction, joinTurns } from "./partials";
import { indent, specialise } from "./specialise";

export interface CombineSpec {
  readonly bindings: string;
  /** Threads that share a long reduction: so many, or as many more up to the most as it takes for none to make more turns than it may. */
  readonly lanes: number;
  readonly maxLanes: number;
  readonly maxTurns: number;
  readonly reductions: readonly {
    readonly op: FoldOp;
    readonly buffer: string;
    readonly count: number;
    /** WGSL of the first of them at `place`. */
    readonly first: string;
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
  const lines = reductions.flatMap(({ op, buffer, count, first, variable }, i) => {
    const element = `${buffer}[${first} + p]`;
    const own = `own${i}`;
    return [
      `var ${own} = ${initial(op)};`,
      `for (var p = local; p < ${count}u; p += LANES) { ${accumulate({ op, variable: own }, element)} }`,
      `let ${variable} = join_${op}(${own}, local);`,
    ];
  });
  const ops = [...new Set(reductions.map(({ op }) => op))];
  const source = specialise(combine, {
    constants: { LANES: lanes },
    blocks: {
      join: ops.map((op) => joinFunction(op, `join_${op}`, "laneValues", "LANES")).join(""),
      bindings,
      reductions: indent(lines, 2),
      body: indent(body, 4),
    },
  });
  return { name: "combine", source, workgroups: [1, 1, 1], partials: 0, turns: turnsOf(lanes) };
}
