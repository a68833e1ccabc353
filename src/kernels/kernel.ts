/** A shader ready to compile. */
export interface KernelText {
  readonly name: string;
  readonly source: string;
  readonly workgroups: readonly [number, number, number];
  /** How many partial results it leaves of each reduction that it begins. */
  readonly partials: number;
  /** Turns of all its loops that a thread makes at most. */
  readonly turns: number;
}
