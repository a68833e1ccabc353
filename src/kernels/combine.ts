import combine from "../../shaders/combine.wgsl?raw";
import type { KernelText } from "./kernel";
import { indent, specialise } from "./specialise";

export interface CombineSpec {
  readonly bindings: string;
  /** Threads that share a long reduction. */
  readonly lanes: number;
  readonly reductions: readonly {
    readonly op: "sum" | "max";
    readonly buffer: string;
    readonly count: number;
    readonly variable: string;
  }[];
  /** WGSL statements of one thread, with `place`. */
  readonly body: readonly string[];
}

export function combineKernel({ bindings, lanes: most, reductions, body }: CombineSpec): KernelText {
  const lanes = reductions.every(({ count }) => count <= 64) ? 1 : most;
  const lines = reductions.flatMap(({ op, buffer, count, variable }, i) => {
    const element = `${buffer}[place * ${count}u + p]`;
    const [initial, step] =
      op === "sum" ? ["0.0", `own${i} += ${element};`] : [`-0x1.fffffep+127f`, `own${i} = max(own${i}, ${element});`];
    return [
      `var own${i} = ${initial};`,
      `for (var p = local; p < ${count}u; p += LANES) { ${step} }`,
      `let ${variable} = ${op}Lanes(own${i}, local);`,
    ];
  });
  const source = specialise(combine, {
    constants: { LANES: lanes },
    blocks: { bindings, reductions: indent(lines, 2), body: indent(body, 4) },
  });
  return { name: "combine", source, workgroups: [1, 1, 1], partials: 0 };
}
