import { type Fold, type FoldOp, isFold, OPS, type Op } from "../graph/ops";

/** A reduction to one number that a kernel begins, each thread in a variable. */
export interface Partial {
  readonly op: FoldOp;
  readonly variable: string;
}

/** One that each thread, or each workgroup, leaves a result of in a buffer. */
export interface PartialSpec extends Partial {
  /** The buffer, and WGSL of the first of its elements that this kernel may write, given how many it leaves. */
  readonly buffer: string;
  readonly offset: (count: number) => string;
}

/** Up to this many results each thread leaves its own, and no barrier is needed. */
const THREADS_ALONE = 512;

export function partialCount(workgroups: number, workgroupSize: number): number {
  return workgroups * workgroupSize <= THREADS_ALONE ? workgroups * workgroupSize : workgroups;
}

/** WGSL of what a reduction starts from. */
export function initial(op: FoldOp): string {
  return OPS[op].fold.identity;
}

/** WGSL of two parts of a reduction as one. */
export function joined(op: FoldOp, a: string, b: string): string {
  return OPS[op].fold.combine(a, b);
}

export function declarePartials(partials: readonly Partial[]): string[] {
  return beginPartials(partials).map((line) => `var ${line}`);
}

/** Lines that begin them where their variables are declared elsewhere. */
export function beginPartials(partials: readonly Partial[]): string[] {
  return partials.map(({ op, variable }) => `${variable} = ${initial(op)};`);
}

export function accumulate({ op, variable }: Partial, value: string): string {
  const { operator }: Fold = OPS[op].fold;
  return operator ? `${variable} ${operator}= ${value};` : `${variable} = ${joined(op, variable, value)};`;
}

/** Terms that follow on one another before their sum is put aside. */
const BLOCK = 64;

/**
 * Lines that take a thread's many terms in blocks, whose sums are added up apart, so that its rounding grows with their number and not
 * with that of the terms: before the loop, at the end of each of its turns, and behind it. None where a thread has few terms.
 */
export function inBlocks(
  partials: readonly Partial[],
  terms: number,
  counter: string,
): { before: string[]; each: string[]; after: string[] } {
  const blocked = terms > 2 * BLOCK ? partials.filter(({ op }) => (OPS[op].fold as Fold).blocks) : [];
  if (blocked.length === 0) return { before: [], each: [], after: [] };
  const aside = ({ op, variable }: Partial) => accumulate({ op, variable: `${variable}_blocks` }, variable);
  return {
    before: [...blocked.map(({ op, variable }) => `var ${variable}_blocks = ${initial(op)};`), `var ${counter} = 0u;`],
    each: [
      `${counter}++;`,
      `if (${counter} == ${BLOCK}u) {`,
      ...blocked.flatMap((partial) => [`  ${aside(partial)}`, `  ${partial.variable} = ${initial(partial.op)};`]),
      `  ${counter} = 0u;`,
      "}",
    ],
    after: blocked.map(({ op, variable }) => accumulate({ op, variable }, `${variable}_blocks`)),
  };
}

/** Lines that end the partial results, in uniform control flow; `group` and `local` are the workgroup's and thread's index. */
export function finishPartials(partials: readonly PartialSpec[], workgroups: number, workgroupSize: number): string[] {
  if (partials.length === 0) return [];
  if (workgroups * workgroupSize <= THREADS_ALONE) {
    return partials.map(
      ({ buffer, offset, variable }) =>
        `${buffer}[${offset(workgroups * workgroupSize)} + groupIndex * ${workgroupSize}u + local] = ${variable};`,
    );
  }
  return partials.flatMap(({ op, buffer, offset, variable }) => [
    `scratch[local] = ${variable};`,
    "workgroupBarrier();",
    `for (var half = ${workgroupSize / 2}u; half > 0u; half /= 2u) {`,
    `  if (local < half) { scratch[local] = ${joined(op, "scratch[local]", "scratch[local + half]")}; }`,
    "  workgroupBarrier();",
    "}",
    `if (local == 0u) { ${buffer}[${offset(workgroups)} + groupIndex] = scratch[0]; }`,
    "workgroupBarrier();",
  ]);
}

/** Turns of the loops that `finishPartials` writes. */
export function finishTurns(partials: readonly PartialSpec[], workgroups: number, workgroupSize: number): number {
  return workgroups * workgroupSize <= THREADS_ALONE ? 0 : partials.length * joinTurns(workgroupSize);
}

/** A function that gives every thread all threads' values as one, in uniform control flow; `memory` is an array with a place for each. */
export function joinFunction(op: FoldOp, name: string, memory: string, threads: string): string {
  return `fn ${name}(value: f32, local: u32) -> f32 {
  if (${threads} == 1u) { return value; }
  ${memory}[local] = value;
  workgroupBarrier();
  for (var half = ${threads} / 2u; half > 0u; half /= 2u) {
    if (local < half) { ${accumulate({ op, variable: `${memory}[local]` }, `${memory}[local + half]`)} }
    workgroupBarrier();
  }
  let whole = ${memory}[0];
  workgroupBarrier();
  return whole;
}
`;
}

/** A function for each reduction: where the workgroup is one subgroup, it needs no memory and no barrier. */
export function joinFunctions(subgroup: boolean): string {
  const ops = (Object.keys(OPS) as Op[]).filter(isFold);
  if (subgroup) {
    return ops
      .map((op) => `fn join_${op}(value: f32, local: u32) -> f32 { return ${OPS[op].fold.subgroup}(value); }\n`)
      .join("");
  }
  const texts = ops.map((op) => joinFunction(op, `join_${op}`, "scratch", "WORKGROUP"));
  return `var<workgroup> scratch: array<f32, WORKGROUP>;\n${texts.join("")}`;
}

/** Turns of a loop that joins the values of so many threads by halves. */
export function joinTurns(threads: number): number {
  return Math.log2(threads) + 1;
}

/** The workgroup memory that `finishPartials` uses, where it uses any. */
export function scratchDeclaration(
  partials: readonly PartialSpec[],
  workgroups: number,
  workgroupSize: number,
): string {
  const needed = partials.length > 0 && workgroups * workgroupSize > THREADS_ALONE;
  return needed ? `var<workgroup> scratch: array<f32, ${workgroupSize}>;\n` : "";
}
