import type { Tensor } from "../graph/tensor";
import type { Fusion, Group } from "./group";
import { place } from "./place";
import { touchesOf } from "./schedule";
import { groupsOf, type Segment } from "./segments";
import type { Storage, Stores } from "./storage";

/** What lives beyond a step, and whether the program changes it. */
export interface Resident {
  readonly storage: Storage;
  readonly access: "read" | "read_write";
}

/** The places in workgroup memory that a kernel reads and writes. */
export interface Touches {
  readonly reads: Set<number>;
  readonly writes: Set<number>;
}

export interface Arrangement {
  /** Where a storage begins in workgroup memory; what is not here is read where it lies. */
  readonly offsets: ReadonlyMap<Storage, number>;
  readonly elements: number;
  readonly touches: ReadonlyMap<Group, Touches>;
}

/**
 * Places everything a step touches in workgroup memory. Inputs and constants may stay outside; the smallest come in first, but
 * for a software adapter, which reads them there no faster and compiles a store for every element of workgroup memory: it must
 * begin as zero.
 */
export function layOut(
  fusion: Fusion,
  segments: readonly Segment[],
  stores: Stores,
  resident: readonly Resident[],
  passed: ReadonlySet<Tensor>,
  { capacity, bringsIn }: { capacity: number; bringsIn: boolean },
): Arrangement | null {
  const spans = new Map<Storage, [number, number]>();
  const used = new Map<Group, { reads: Storage[]; writes: Storage[] }>();
  segments.forEach((segment, at) => {
    for (const group of groupsOf(segment)) {
      const touches = touchesOf(fusion, stores, group, passed);
      used.set(group, touches);
      for (const storage of [...touches.reads, ...touches.writes])
        spans.set(storage, [spans.get(storage)?.[0] ?? at, at]);
    }
  });
  const lasting = new Set(resident.map(({ storage }) => storage));
  const outside = new Set(resident.filter(({ access }) => access === "read").map(({ storage }) => storage));
  const inside = [...new Set([...resident.map(({ storage }) => storage), ...spans.keys()])].filter(
    (storage) => !outside.has(storage),
  );
  const pack = (storages: readonly Storage[]) => {
    const { allocationOf, allocations } = place(
      storages.map((storage) => ({
        bytes: storage.elements,
        span: lasting.has(storage) ? null : (spans.get(storage) ?? null),
      })),
    );
    const begins: number[] = [];
    let elements = 0;
    for (const size of allocations) {
      begins.push(elements);
      elements += size;
    }
    return { elements, allocationOf, begins };
  };
  if (pack(inside).elements > capacity) return null;
  for (const storage of bringsIn ? [...outside].sort((a, b) => a.elements - b.elements) : []) {
    if (pack([...inside, storage]).elements <= capacity) inside.push(storage);
  }
  const { elements, allocationOf, begins } = pack(inside);
  const allocation = new Map(inside.map((storage, i) => [storage, allocationOf[i] as number]));
  const allocationsOf = (storages: readonly Storage[]) =>
    new Set(storages.flatMap((storage) => allocation.get(storage) ?? []));
  return {
    offsets: new Map(inside.map((storage, i) => [storage, begins[allocationOf[i] as number] as number])),
    elements,
    touches: new Map(
      [...used].map(([group, { reads, writes }]) => [
        group,
        { reads: allocationsOf(reads), writes: allocationsOf(writes) },
      ]),
    ),
  };
}
