import type { Tensor } from "../graph/tensor";
import type { Group, ScanGroup } from "./group";
import type { Wanted } from "./nest";

/**
 * A scan: a loop of steps one after another, in which the kernels of a step are nests of their own. All threads go through as many steps,
 * so that they may wait for one another there.
 */
export interface Steps {
  readonly length: number;
  /** Whether the last part of what has one for each step comes first. */
  readonly reverse: boolean;
  /** What of a step lies around the scan, by its value in the step: read where it is, or copied before the step's kernels. */
  readonly lent: readonly Lent[];
  /** Before the first step: carries begin; as zeros where there is nothing that they begin as. */
  readonly begin: readonly { readonly to: Tensor; readonly from: Tensor | null }[];
  /** What of a step is kept, each before its kernels or behind them. */
  readonly kept: readonly Kept[];
  readonly order: readonly Group[];
  /** Behind all that is kept: carries of the next step. */
  readonly next: readonly { readonly to: Tensor; readonly from: Tensor }[];
  /** Behind the last step: carries that are wanted around the scan. */
  readonly end: readonly { readonly to: Tensor; readonly from: Tensor }[];
}

export interface Lent {
  readonly value: Tensor;
  readonly around: Tensor;
  /** Whether each step has a part of its own, of the value's size; else all have the same. */
  readonly each: boolean;
}

/** A value of the step goes to this step's part of an array around the scan. */
export interface Kept {
  readonly to: Tensor;
  readonly from: Tensor;
  readonly before: boolean;
}

export function stepsOf({ scan }: ScanGroup, wanted: Pick<Wanted, "isStored">): Steps {
  const { node, operands, items, results, order } = scan;
  const { body, parts } = node;
  const { length, reverse, carries, xs, closed, ys } = body;
  const asked = items.flatMap((item) => (wanted.isStored(item) ? [{ item, index: item.attributes.index ?? 0 }] : []));
  return {
    length,
    reverse,
    lent: [...xs, ...closed].map((value, i) => ({
      value,
      around: operands[carries.length + i] as Tensor,
      each: i < xs.length,
    })),
    begin: carries.map((to, i) => ({ to, from: operands[i] ?? null })),
    kept: asked.flatMap(({ item, index }): Kept[] => {
      const each = parts[index]?.each;
      if (!each) return [];
      // A y is what its kernel leaves; a carry that is kept is that of before the step.
      const isY = index < carries.length + ys.length;
      return [{ to: item, from: isY ? (results[index] as Tensor) : each, before: !isY }];
    }),
    order,
    next: carries.map((to, i) => ({ to, from: results[i] as Tensor })),
    end: asked.flatMap(({ item, index }) =>
      index < carries.length ? [{ to: item, from: carries[index] as Tensor }] : [],
    ),
  };
}
