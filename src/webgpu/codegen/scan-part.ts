import type { Tensor } from "../../graph/tensor";
import type { ScanGroup } from "../../plan/group";
import { type Kept, stepsOf } from "../../plan/nest-steps";
import { stepStoresOf } from "../../plan/scan-stores";
import { touchesOf } from "../../plan/schedule";
import type { Storage } from "../../plan/storage";
import { Waits } from "../../plan/waits";
import { sizeOf } from "../../util/shape";
import type { KernelStores } from "./dispatch";
import type { Context, Places } from "./part";
import { writeGroup } from "./persistent-group";
import { type Index, indexText } from "./wgsl";

/**
 * The statements of a scan as a part of a kernel of one workgroup: a loop over the steps, in which the step's kernels are parts. What has
 * one value for each step is read and written where it lies; carries and what the kernels pass on have places of their own.
 */
export function writeScan(context: Context, group: ScanGroup): string[] {
  const { stores, places } = context;
  const { fusion } = group.scan;
  const { length, reverse, lent, begin, kept, order, next, end } = stepsOf(group, stores);
  const own = stepStoresOf(group);
  const at = `step${context.next()}`;
  /** What of the step lies in a storage around it: the same in all steps, or at so many elements for each. */
  const around = new Map<Storage, { storage: Storage; each: number }>(
    lent.map(({ value, around, each }) => [
      own.storageOf(value),
      { storage: stores.storageOf(around), each: each ? sizeOf(value.shape) : 0 },
    ]),
  );
  const inEach = (each: number, index: Index) => `${at} * ${each}u + ${indexText(index)}`;
  const inner: Places = {
    element: (storage, index) => {
      const found = around.get(storage);
      if (found === undefined) return places.element(storage, index);
      return places.element(found.storage, found.each === 0 ? index : inEach(found.each, index));
    },
    assign: (storage, index, value) => places.assign(storage, index, value),
  };
  const innerStores: KernelStores = {
    ...stores,
    storageOf: own.storageOf,
    recordsOf: () => [],
    isStored: (value) => fusion.stored.has(value),
  };
  // Few threads are those of a software adapter, which takes long to compile what is written out.
  const maxTile = context.workgroupSize < 32 ? 2 : context.maxTile;
  const step: Context = { ...context, fusion, stores: innerStores, places: inner, maxTile };
  const copy = (to: Storage, from: Storage, each = false): string[] =>
    context.each(from.elements, (i) => [
      places.assign(to, each ? inEach(from.elements, i) : i, inner.element(from, i)),
    ]);
  const keep = (which: (kept: Kept) => boolean) =>
    kept.filter(which).flatMap(({ to, from }) => copy(stores.storageOf(to), own.storageOf(from), true));

  const waits = new Waits<Storage>();
  const lines: string[] = [];
  context.turns.loop(length, () => {
    lines.push(...keep(({ before }) => before));
    for (const part of order) {
      if (waits.before(touchesOf(fusion, innerStores, part))) lines.push(context.barrier());
      lines.push(...writeGroup(step, part));
    }
    lines.push(
      context.barrier(),
      ...keep(({ before }) => !before),
      ...next.flatMap(({ to, from }) => copy(own.storageOf(to), own.storageOf(from))),
      context.barrier(),
    );
  });
  const first = (tensor: Tensor | null, index: Index) =>
    tensor === null ? "0.0f" : places.element(stores.storageOf(tensor), index);
  return [
    ...begin.flatMap(({ to, from }) =>
      context.each(sizeOf(to.shape), (i) => [places.assign(own.storageOf(to), i, first(from, i))]),
    ),
    context.barrier(),
    `for (var count = 0u; count < ${length}u; count++) {`,
    `  let ${at} = ${reverse ? `${length - 1}u - count` : "count"};`,
    ...lines.map((line) => `  ${line}`),
    "}",
    ...end.flatMap(({ to, from }) => copy(stores.storageOf(to), own.storageOf(from))),
  ];
}
