import type { Tensor } from "../../graph/tensor";
import type { ScanGroup } from "../../plan/group";
import { stepStoresOf } from "../../plan/scan-stores";
import { touchesOf } from "../../plan/schedule";
import type { Storage } from "../../plan/storage";
import { sizeOf } from "../../util/shape";
import type { KernelStores } from "./dispatch";
import type { Context, Places } from "./part";
import { writeGroup } from "./persistent-group";

/**
 * The statements of a scan as a part of a kernel of one workgroup: a loop over the steps, in which the step's kernels are parts. What has
 * one value for each step is read and written where it lies; carries and what the kernels pass on have places of their own.
 */
export function writeScan(context: Context, group: ScanGroup): string[] {
  const { node, operands, items, results, fusion, order } = group.scan;
  const { body, parts } = node;
  const { length, reverse, carries, xs, closed, ys } = body;
  const { stores, places } = context;
  const own = stepStoresOf(group);
  const at = `step${context.next()}`;
  /** What of the step lies in a storage around it: the same in all steps, or at so many elements for each. */
  const around = new Map<Storage, { storage: Storage; each: number }>();
  [...xs, ...closed].forEach((leaf, i) => {
    const storage = stores.storageOf(operands[carries.length + i] as Tensor);
    around.set(own.storageOf(leaf), { storage, each: i < xs.length ? sizeOf(leaf.shape) : 0 });
  });
  const inEach = (each: number, index: string) => `${at} * ${each}u + ${index}`;
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
  const wanted = items.filter((item) => stores.isStored(item));
  const kept = wanted.flatMap((item) => {
    const { index = 0 } = item.attributes;
    const each = parts[index]?.each;
    if (!each) return [];
    const y = index < carries.length + ys.length ? (results[index] as Tensor) : null;
    return [{ to: stores.storageOf(item), from: own.storageOf(y ?? each), before: y === null }];
  });
  const ofCarries = carries.map((leaf) => own.storageOf(leaf));

  // A barrier stands where a kernel touches what another one since the last barrier has written.
  const lines: string[] = [];
  const written = new Set<Storage>();
  const push = (reads: readonly Storage[], writes: readonly Storage[], more: readonly string[]) => {
    if ([...reads, ...writes].some((storage) => written.has(storage))) {
      lines.push(context.barrier);
      written.clear();
    }
    for (const storage of writes) written.add(storage);
    lines.push(...more);
  };
  context.turns.loop(length, () => {
    for (const { to, from, before } of kept) if (before) lines.push(...copy(to, from, true));
    for (const part of order) {
      const { reads, writes } = touchesOf(fusion, innerStores, part);
      push(reads, writes, writeGroup(step, part));
    }
    lines.push(context.barrier);
    for (const { to, from, before } of kept) if (!before) lines.push(...copy(to, from, true));
    ofCarries.forEach((to, i) => {
      lines.push(...copy(to, own.storageOf(results[i] as Tensor)));
    });
    lines.push(context.barrier);
  });
  const begin = ofCarries.flatMap((to, i) => {
    const first = operands[i];
    const value = (at: string) => (first ? places.element(stores.storageOf(first), at) : "0.0f");
    return context.each(to.elements, (at) => [places.assign(to, at, value(at))]);
  });
  const end = wanted.flatMap((item) => {
    const { index = 0 } = item.attributes;
    return index < carries.length ? copy(stores.storageOf(item), ofCarries[index] as Storage) : [];
  });
  return [
    ...begin,
    context.barrier,
    `for (var count = 0u; count < ${length}u; count++) {`,
    `  let ${at} = ${reverse ? `${length - 1}u - count` : "count"};`,
    ...lines.map((line) => `  ${line}`),
    "}",
    ...end,
  ];
}
