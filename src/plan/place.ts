export interface Lifetime {
  readonly bytes: number;
  /** Positions of the first and the last dispatch that touches it; null where it lives throughout. */
  readonly span: readonly [number, number] | null;
}

/**
 * Gives each buffer an allocation: those that live throughout have their own, the others share with buffers whose life is
 * over, the best fit first. Whole allocations, because one GPUBuffer may not be bound read and read_write in one dispatch.
 */
export function place(lifetimes: readonly Lifetime[]): { allocationOf: number[]; allocations: number[] } {
  const allocations: number[] = [];
  const freeFrom: number[] = [];
  const allocationOf = new Array<number>(lifetimes.length).fill(-1);
  const order = lifetimes.map((_, i) => i).sort((a, b) => begin(lifetimes[a]) - begin(lifetimes[b]) || a - b);
  for (const i of order) {
    const { bytes, span } = lifetimes[i] as Lifetime;
    let best = -1;
    if (span !== null) {
      allocations.forEach((size, allocation) => {
        if ((freeFrom[allocation] as number) > span[0]) return;
        if (best < 0 || misfit(size, bytes) < misfit(allocations[best] as number, bytes)) best = allocation;
      });
    }
    if (best < 0) {
      best = allocations.length;
      allocations.push(bytes);
    }
    allocations[best] = Math.max(allocations[best] as number, bytes);
    freeFrom[best] = span === null ? Number.POSITIVE_INFINITY : span[1] + 1;
    allocationOf[i] = best;
  }
  return { allocationOf, allocations };
}

function begin(lifetime: Lifetime | undefined): number {
  return lifetime?.span?.[0] ?? -1;
}

/** Bytes wasted in an allocation that is too large; growing one that is too small counts as much. */
function misfit(size: number, bytes: number): number {
  return Math.abs(size - bytes);
}
