import { withFunctions } from "./functions";

/** What goes into the marked places of a shader: numbers for its constants, text for its blocks. */
export interface Specialisation {
  readonly constants?: Readonly<Record<string, number | boolean>>;
  readonly blocks?: Readonly<Record<string, string>>;
}

/**
 * Replaces marked lines of a shader: `const NAME = 4u; // spec` and what stands between `// spec begin NAME` and
 * `// spec end`; adds the functions that the text then calls. The stored file compiles as it stands. Throws where a name is not marked.
 */
export function specialise(source: string, { constants = {}, blocks = {} }: Specialisation): string {
  let text = source;
  for (const [name, value] of Object.entries(constants)) {
    const line = new RegExp(`^( *)const ${name} = [^;]*;( *)// spec$`, "m");
    if (!line.test(text)) throw new Error(`internal: the shader has no constant "${name}" marked "// spec"`);
    text = text.replace(line, `$1const ${name} = ${typeof value === "number" ? `${value}u` : value};`);
  }
  for (const [name, block] of Object.entries(blocks)) {
    const marked = new RegExp(`^ *// spec begin ${name}\\n[\\s\\S]*?^ *// spec end\\n`, "m");
    if (!marked.test(text)) throw new Error(`internal: the shader has no block "${name}" marked "// spec begin"`);
    text = text.replace(marked, () => (block === "" || block.endsWith("\n") ? block : `${block}\n`));
  }
  return withFunctions(text);
}

/** The most workgroups along one axis of a dispatch that every adapter takes. */
export const GRID = 65535;

/** Any number of workgroups as a grid; a kernel counts them as `group.x + group.y * GRID`. */
export function gridOf(workgroups: number): readonly [number, number, number] {
  return workgroups <= GRID ? [workgroups, 1, 1] : [GRID, Math.ceil(workgroups / GRID), 1];
}

/** The head of a main function that knows of its workgroup only where there are copies of the program, a workgroup each. */
export function mainOf(copies: number): string {
  const group = copies > 1 ? "@builtin(workgroup_id) group: vec3u, " : "";
  return `fn main(${group}@builtin(local_invocation_index) local: u32) {\n`;
}

/** Lines indented for the place they go to. */
export function indent(lines: readonly string[], spaces: number): string {
  return lines.map((line) => `${" ".repeat(spaces)}${line}\n`).join("");
}

/** What is written out `count` times. */
export const times = <T>(count: number, make: (i: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i));

/** The parts of a vector. */
export const PART = ["x", "y", "z", "w"] as const;

/** WGSL of a sum, added in pairs: its rounding error grows more slowly. */
export function pairwise(terms: readonly string[]): string {
  if (terms.length <= 2) return terms.join(" + ");
  const half = terms.length >> 1;
  return `(${pairwise(terms.slice(0, half))}) + (${pairwise(terms.slice(half))})`;
}
