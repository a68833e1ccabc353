export interface Lifetime {
  readonly bytes: number;
  /** Positions of the first and the last dispatch that touches it; null where it lives throughout. */
  readonly span: readonly [number, number] | null;
}

/**
 * Gives each buffer an allocation: those that live throughout have their own, the others share with buffers whose life is
 * over, the best fit first. Whole allocations, because one GPUBuffer may not be bound read and read_write in one dispatch.
 */
export function place(lifetimes: readonly Lifetime[]): { slotOf: number[]; slots: number[] } {
  const slots: number[] = [];
  const freeFrom: number[] = [];
  const slotOf = new Array<number>(lifetimes.length).fill(-1);
  const order = lifetimes.map((_, i) => i).sort((a, b) => begin(lifetimes[a]) - begin(lifetimes[b]) || a - b);
  for (const i of order) {
    const { bytes, span } = lifetimes[i] as Lifetime;
    let best = -1;
    if (span !== null) {
      slots.forEach((size, slot) => {
        if ((freeFrom[slot] as number) > span[0]) return;
        if (best < 0 || misfit(size, bytes) < misfit(slots[best] as number, bytes)) best = slot;
      });
    }
    if (best < 0) {
      best = slots.length;
      slots.push(bytes);
    }
    slots[best] = Math.max(slots[best] as number, bytes);
    freeFrom[best] = span === null ? Number.POSITIVE_INFINITY : span[1] + 1;
    slotOf[i] = best;
  }
  return { slotOf, slots };
}

function begin(lifetime: Lifetime | undefined): number {
  return lifetime?.span?.[0] ?? -1;
}

/** Bytes wasted in a slot that is too large; growing one that is too small counts as much. */
function misfit(size: number, bytes: number): number {
  return Math.abs(size - bytes);
}
