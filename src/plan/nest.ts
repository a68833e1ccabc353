import type { DType, ReductionOp } from "../graph/ops";
import type { Tensor } from "../graph/tensor";
import type { Expression } from "./expression";
import { combinedBy, type Fusion, type Group, type PartialReduction, rootOf } from "./group";

/**
 * What a kernel does, as loops over values: made once for a group, and printed as WGSL and as WebAssembly. It says what is computed where,
 * in which order, and what of it is kept; threads, vectors and the text are a printer's affair, and so are inner products tuned by hand,
 * whose sums are `given` to the points of their loop.
 */

/** A reduction under way: terms go in one after another, and its result is a value behind their loop. */
export interface Accumulator {
  readonly op: ReductionOp;
  /** The value that it ends in. */
  readonly node: Tensor;
  /** Terms that it takes in all; printers take care of the rounding of many. */
  readonly terms: number;
  /** The type that its terms have and are summed in; what is stored in the end is of its node's type, an index for instance. */
  readonly summed: DType;
}

/**
 * What is done at one point, in order; but stores wait until all values of the point are computed: an update in place must not be seen by
 * another value of the same point.
 */
export type Statement = Let | Accumulate | Store;

/** From here on the node's value is at hand. */
export interface Let {
  readonly kind: "let";
  readonly node: Tensor;
  readonly value: Expression;
}

export interface Accumulate {
  readonly kind: "accumulate";
  readonly into: Accumulator;
  readonly value: Expression;
}

/** A value at hand is left where it is wanted. */
export interface Store {
  readonly kind: "store";
  readonly node: Tensor;
  /** In the memory of this tensor, at the point's own place; null where only the record wants it. */
  readonly memory: Tensor | null;
  /** At these places in the step's record, as float32. */
  readonly records: readonly number[];
}

/** A loop over the points of a kernel's domain, in any order or side by side. */
export interface Points {
  readonly kind: "points";
  /** What is at hand at each point before anything is computed there. */
  readonly given: readonly Tensor[];
  readonly body: readonly Statement[];
}

/** Where a kernel's values go. */
export interface Wanted {
  /** Whether the node must be in memory after its kernel. */
  isStored(node: Tensor): boolean;
  /** The places in a record that a scalar output has. */
  recordsOf(node: Tensor): readonly number[];
}

/** The points of a kernel: of a chain; of a product, a scatter or a combination whose results are given. */
export function pointsOf(fusion: Fusion, group: Group, wanted: Wanted): Points {
  const root = rootOf(group);
  const given = [...(root ? [root] : []), ...combinedBy(group).map(({ node }) => node)];
  return {
    kind: "points",
    given,
    body: [
      // A scatter has added up in its place.
      ...given.flatMap((node) => storesOf(node, wanted, group.kind !== "scatter")),
      ...group.members.flatMap((node) => [
        { kind: "let", node, value: fusion.definition(group, node) } as const,
        ...storesOf(node, wanted),
      ]),
      ...group.partials.map((partial) => accumulated(fusion, group, partial)),
    ],
  };
}

/** What leaves a node's value where it is wanted; nothing where nobody wants it. */
export function storesOf(node: Tensor, wanted: Wanted, inMemory = true): Store[] {
  const memory = inMemory && wanted.isStored(node) ? node : null;
  const records = wanted.recordsOf(node);
  return memory === null && records.length === 0 ? [] : [{ kind: "store", node, memory, records }];
}

/** A term of a reduction to one number that a kernel begins. */
export function accumulated(fusion: Fusion, group: Group, partial: PartialReduction): Accumulate {
  return { kind: "accumulate", into: begunBy(group, partial), value: fusion.expression(group, partial.value) };
}

/** The accumulator in which a kernel begins a reduction that another one ends. */
export function begunBy({ size }: Group, { op, node }: PartialReduction): Accumulator {
  return { op, node, terms: size, summed: "float32" };
}
