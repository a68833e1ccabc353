/** Steps of one submission. */
export interface Steps {
  /** The first step's number in the run. */
  readonly first: number;
  readonly every: number;
  /** The record of each step. */
  readonly records: readonly number[];
  /** Steps whose scalars are kept, in the order of their records: those that the history wants, and the last of all. */
  readonly recorded: readonly number[];
}

/**
 * As many steps from `first` on, at most `most`, as the records have room for. The last step is recorded whether the history wants it
 * or not: if nothing comes after it, its scalars are the latest.
 */
export function stepsFrom(first: number, most: number, every: number, room: number): Steps {
  // The last record takes what nobody wants.
  const bin = room - 1;
  const wanted = Math.ceil(first / every) + bin - 1;
  const count = Math.max(1, Math.min(most, wanted * every - first));
  const records: number[] = [];
  const recorded: number[] = [];
  for (let step = first; step < first + count; step++) {
    if (step % every === 0 || step === first + count - 1) {
      records.push(recorded.length);
      recorded.push(step);
    } else records.push(bin);
  }
  return { first, every, records, recorded };
}
