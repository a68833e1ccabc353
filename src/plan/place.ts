export interface Lifetime {
  readonly bytes: number;
  /** Positions of the first and the last dispatch that touches it; null where it lives throughout. */
  readonly span: readonly [number, number] | null;
}

/**
 * Gives each buffer an allocation: those that live throughout have their own, the others share one with buffers that live before or after
 * them. The largest come first, each to the smallest allocation that is free all its life: in the order of time, a small buffer that
 * lives long would keep a large allocation from the large ones. Whole allocations, because one GPUBuffer may not be bound read and
 * read_write in one dispatch. Source: Pisarchyk and Lee 2020, §4.3.
 */
export function place(lifetimes: readonly Lifetime[]): { allocationOf: number[]; allocations: number[] } {
  const allocations: number[] = [];
  const taken: (readonly [number, number])[][] = [];
  const allocationOf = new Array<number>(lifetimes.length).fill(-1);
  const order = [...lifetimes.entries()].sort(([i, a], [j, b]) => b.bytes - a.bytes || begin(a) - begin(b) || i - j);
  for (const [i, { bytes, span }] of order) {
    const [first, last] = span ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
    // Those made last are the smallest.
    let at = taken.length - 1;
    while (at >= 0 && (taken[at] as (typeof taken)[number]).some(([from, to]) => first <= to && from <= last)) at--;
    if (at < 0) {
      at = allocations.push(bytes) - 1;
      taken.push([]);
    }
    taken[at]?.push([first, last]);
    allocationOf[i] = at;
  }
  return { allocationOf, allocations };
}

function begin({ span }: Lifetime): number {
  return span?.[0] ?? -1;
}
