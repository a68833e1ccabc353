import type { Tensor } from "../graph/tensor";
import { isAligned } from "../graph/view";
import type { Expression } from "./expression";
import type { Fusion, Scatter, ScatterGroup } from "./group";
import { type Points, pointsOf, type Wanted } from "./nest";
import type { MemoryOf } from "./nest-rows";

/** A scatter: three loops one after another. */
export interface Scattering {
  /** At each element of the result: x goes where the result is to be; null where it lies there. */
  readonly begin: Points | null;
  readonly additions: Additions;
  /** At each element, with the result given: what follows from it; null where nothing does. */
  readonly end: Points | null;
}

/** A loop over [outer, count, inner], for each row of the result in the order of memory: `value` is added to the row that `row` names. */
export interface Additions extends Pick<Scatter, "outer" | "rows" | "inner" | "count"> {
  readonly into: Tensor;
  readonly row: Expression;
  readonly value: Expression;
}

export function scatteringOf(fusion: Fusion, group: ScatterGroup, wanted: Wanted, memoryOf: MemoryOf): Scattering {
  const { root, scatter } = group;
  const { outer, rows, inner, count } = scatter;
  const [x, row, value] = [scatter.x, scatter.indices, scatter.values].map((node) => fusion.expression(group, node));
  const first = x as Expression;
  const lies = first.kind === "load" && isAligned(first.access) && memoryOf(first.tensor) === memoryOf(root);
  const begin: Points = {
    kind: "points",
    given: [],
    body: [
      { kind: "let", node: root, value: first },
      { kind: "store", node: root, memory: root, records: [] },
    ],
  };
  const end = pointsOf(fusion, group, wanted);
  return {
    begin: lies ? null : begin,
    additions: { outer, rows, inner, count, into: root, row: row as Expression, value: value as Expression },
    end: end.body.length === 0 ? null : end,
  };
}
