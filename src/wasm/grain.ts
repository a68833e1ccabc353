import { elementwiseRow } from "../graph/ops";
import { type Expression, walk } from "../plan/expression";
import { type Fusion, type Group, productOf } from "../plan/group";
import { expressionsOf } from "../plan/schedule";

/**
 * When threads pay: the one place that says so. Times are of one thread of a machine of 2025, in nanoseconds, good to a factor of two: a
 * barrier is 1 µs among threads that are there, and 20 where one of them has gone to sleep.
 */
export const GRAIN: Grain = { partNs: 10_000, threadNs: 400_000 };

export interface Grain {
  /** The least work that is worth taking up by itself; a piece of a kernel is dealt out from twice that on. */
  readonly partNs: number;
  /** What a thread must have of a step, so that waking it is nothing to that. */
  readonly threadNs: number;
}

/** Parts of a piece for each thread: some threads are slow, or busy with something else, and the others take what they leave. */
const PARTS_EACH = 4;

/** Parts of a piece of `units` independent units, which may be cut between any two; at most `most` units a part. */
export function partsOf(grain: Grain, threads: number, ns: number, units: number, most: number): number {
  const worth = Math.floor(ns / Math.max(grain.partNs, 1));
  const parts = Math.min(units, PARTS_EACH * threads, worth);
  return parts < 2 ? 1 : Math.max(parts, Math.ceil(units / most));
}

/** Threads for a program whose step has so much work that can be dealt out. */
export function threadsFor(grain: Grain, ns: number, most: number): number {
  return Math.max(1, Math.min(most, Math.floor(ns / Math.max(grain.threadNs, 1))));
}

const MULTIPLY_ADDS_PER_NS = 20;
/** Of one element, four of which a vector has. */
const OPERATION_NS = 0.1;
const EXPENSIVE_NS = 1.5;
const READ_NS = 0.2;
const COPY_NS = 0.5;

/** A product of so many terms in all. */
export function productNs(terms: number): number {
  return terms / MULTIPLY_ADDS_PER_NS;
}

/** So many numbers copied into another order. */
export function copyNs(elements: number): number {
  return COPY_NS * elements;
}

/** Expressions at so many points. */
export function pointsNs(expressions: readonly Expression[], points: number): number {
  let ns = READ_NS;
  walk(expressions, (part) => {
    if (part.kind === "apply") ns += elementwiseRow(part.op)?.expensive ? EXPENSIVE_NS : OPERATION_NS;
    else if (part.kind === "load" || part.kind === "gather") ns += READ_NS;
  });
  return ns * points;
}

/** The work of a program's kernels that may be dealt out, before it is known how. */
export function dealtNs(grain: Grain, fusion: Fusion): number {
  const each = fusion.groups.map((group) => kernelNs(fusion, group));
  return each.reduce((sum, ns) => (ns < 2 * grain.partNs ? sum : sum + ns), 0);
}

/** What begins a sum over all of its points is one thread's. */
function kernelNs(fusion: Fusion, group: Group): number {
  switch (group.kind) {
    case "contraction": {
      const { batch, M, N, K } = productOf(group);
      return productNs(batch * M * N * K);
    }
    case "map":
    case "reduction":
      return group.partials.length > 0 ? 0 : pointsNs(expressionsOf(fusion, group), group.size);
    case "scatter":
    case "combine":
    case "scan":
      return 0;
    default:
      return group satisfies never;
  }
}
