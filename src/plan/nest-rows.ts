import { elementwiseRow, type ReductionOp } from "../graph/ops";
import type { Tensor } from "../graph/tensor";
import { canonical } from "../graph/view";
import { sizeOf } from "../util/shape";
import { type Expression, isInlinable, loadsOf, walk } from "./expression";
import type { Fusion, ReductionGroup, Split } from "./group";
import { type Accumulator, accumulated, type Points, type Statement, storesOf, type Wanted } from "./nest";
import { expressionsOf } from "./schedule";

/** A loop over rows [outer, inner], in any order or side by side, with loops over the elements of each. */
export interface Rows {
  readonly kind: "rows";
  readonly split: Split;
  /** As many passes over the row as its reductions build on one another; what only concerns the row is between them. */
  readonly passes: readonly Pass[];
}

export interface Pass {
  /** At the row, before the loop. */
  readonly row: readonly Statement[];
  /** What begins before the loop and is a value of the row behind it, where it is stored. */
  readonly accumulators: readonly { readonly into: Accumulator; readonly stores: readonly Statement[] }[];
  /** A loop over the row's elements, `lanes` of which may be shared out and joined; none where it is empty. */
  readonly element: readonly Statement[];
  /** Elements' values that the pass computes where it wants them, rather than keep them from pass to pass. */
  readonly anew: ReadonlyMap<Tensor, Expression>;
}

/** Tells memory of one tensor from that of another: where two give the same, it is shared. */
export type MemoryOf = (tensor: Tensor) => unknown;

/** With `memoryOf`, values of elements that take long wait in memory from one pass to the next, where there is room. */
export function rowsOf(fusion: Fusion, group: ReductionGroup, wanted: Wanted, memoryOf: MemoryOf | null = null): Rows {
  const { split, members } = group;
  const rows = split.outer * split.inner;
  const isReduction = (node: Tensor) => !isInlinable(node);
  const ofRow = (node: Tensor) => sizeOf(node.shape) === rows;
  const definitions = new Map(
    members.map((node) => [
      node,
      isReduction(node) ? fusion.expression(group, node.operands[0] as Tensor) : fusion.definition(group, node),
    ]),
  );
  const definition = (node: Tensor) => definitions.get(node) as Expression;
  // A value is at hand once the reductions below it are: from pass 0 on what needs none, and so on.
  const ready = new Map<Tensor, number>();
  const passOf = (expression: Expression): number => {
    let pass = 0;
    walk([expression], (part) => {
      if (part.kind === "own") pass = Math.max(pass, ready.get(part.tensor) ?? 0);
    });
    return pass;
  };
  for (const node of members) ready.set(node, passOf(definition(node)) + (isReduction(node) ? 1 : 0));
  const partials = group.partials.map((partial) => {
    const term = accumulated(fusion, group, partial);
    return { term, ofRow: ofRow(partial.value), pass: passOf(term.value) };
  });
  const last = Math.max(...ready.values(), ...partials.map(({ pass }) => pass), 0);
  const elements = members.filter((node) => !isReduction(node) && !ofRow(node));
  const parked =
    memoryOf === null
      ? new Map<Tensor, Tensor>()
      : parkedIn({ fusion, group, wanted, memoryOf, elements, definition, ready, last });

  const passes: Pass[] = [];
  for (let pass = 0; pass <= last; pass++) {
    const now = (node: Tensor) => ready.get(node) === pass;
    const begun = (each: boolean) =>
      partials.flatMap(({ term, ofRow, pass: at }) => (ofRow === each && at === pass ? [term] : []));
    const computed = (node: Tensor, stores: readonly Statement[]): Statement[] => [
      { kind: "let", node, value: definition(node) },
      ...stores,
    ];
    const reductions = members.filter((node) => isReduction(node) && ready.get(node) === pass + 1);
    const accumulators = reductions.map((node) => ({
      into: { op: node.op as ReductionOp, node, terms: split.length, summed: "float32" } as const,
      stores: storesOf(node, wanted),
    }));
    const stored = (node: Tensor): Statement[] => {
      const stores = storesOf(node, wanted);
      const place = parked.get(node);
      const aside: Statement[] = place && place !== node ? [{ kind: "store", node, memory: place, records: [] }] : [];
      return stores.length + aside.length === 0 ? [] : computed(node, [...aside, ...stores]);
    };
    passes.push({
      row: [
        ...members
          .filter((node) => !isReduction(node) && ofRow(node) && now(node))
          .flatMap((node) => computed(node, storesOf(node, wanted))),
        ...begun(true),
      ],
      accumulators,
      element: [
        ...accumulators.map(({ into }) => ({ kind: "accumulate", into, value: definition(into.node) }) as const),
        ...elements.filter(now).flatMap(stored),
        ...begun(false),
      ],
      anew: new Map(
        elements.map((node) => {
          const place = parked.get(node);
          return [
            node,
            place && (ready.get(node) as number) < pass ? parkedValue(place, group.size) : definition(node),
          ];
        }),
      ),
    });
  }
  return { kind: "rows", split, passes };
}

/** What is done at each row of which the sums, whoever makes them, are given; of rows nothing else is computed at their elements. */
export function afterSums({ passes }: Rows): Points {
  return {
    kind: "points",
    given: passes.flatMap(({ accumulators }) => accumulators.map(({ into }) => into.node)),
    body: passes.flatMap(({ row, accumulators }) => [...row, ...accumulators.flatMap(({ stores }) => stores)]),
  };
}

/** An element's value that waits in the memory of `place`. */
function parkedValue(place: Tensor, size: number): Expression {
  return { kind: "load", dtype: place.dtype, tensor: place, access: canonical([size], [1]) };
}

/**
 * Values of elements that a later pass over the row wants again and that take long, such as a softmax's exp: each waits in the memory of
 * a result of its size that only the last pass writes, or in its own. By value, that result.
 */
function parkedIn({
  fusion,
  group,
  wanted,
  memoryOf,
  elements,
  definition,
  ready,
  last,
}: {
  readonly fusion: Fusion;
  readonly group: ReductionGroup;
  readonly wanted: Wanted;
  readonly memoryOf: MemoryOf;
  readonly elements: readonly Tensor[];
  readonly definition: (node: Tensor) => Expression;
  readonly ready: ReadonlyMap<Tensor, number>;
  readonly last: number;
}): Map<Tensor, Tensor> {
  const parked = new Map<Tensor, Tensor>();
  const read = new Set([...loadsOf(expressionsOf(fusion, group))].map(memoryOf));
  const free = elements.filter((node) => wanted.isStored(node) && !read.has(memoryOf(node)));
  const uses = (expression: Expression, node: Tensor) => {
    let found = false;
    walk([expression], (part) => {
      found ||= part.kind === "own" && part.tensor === node;
    });
    return found;
  };
  for (const node of elements) {
    if (node.dtype !== "float32" || !isExpensive(definition(node))) continue;
    const at = ready.get(node) as number;
    const users = group.members.filter((user) => uses(definition(user), node));
    const summed = users.some((user) => !isInlinable(user) && ready.get(user) === at + 1);
    const later = users.some((user) => isInlinable(user) && (ready.get(user) as number) > at);
    const isLast = (result: Tensor) => ready.get(result) === last && result.dtype === node.dtype;
    const place = free.find((result) => result === node || (last > at && isLast(result)));
    if (!summed || !later || place === undefined || [...parked.values()].includes(place)) continue;
    parked.set(node, place);
  }
  return parked;
}

function isExpensive(expression: Expression): boolean {
  let found = false;
  walk([expression], (part) => {
    found ||= part.kind === "apply" && elementwiseRow(part.op)?.expensive === true;
  });
  return found;
}
