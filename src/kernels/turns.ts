/**
 * Counts the turns that a thread makes in the loops of a kernel, while they are written: some adapters end a thread's loops in
 * silence after so many in all.
 */
export class Turns {
  /** At most so many so far; the look at a condition that ends a loop counts as one. */
  total = 0;
  private around = 1;
  /** Barriers that a thread comes to, those within the loops that join lanes apart. */
  barriers = 0;

  /** A line at which the threads of a workgroup wait for one another, and for what they have left. */
  barrier(): string {
    this.barriers += this.around;
    return "workgroupBarrier();";
  }

  /** Gives back what `write` writes as the body of a loop that a thread takes at most `turns` turns through. */
  loop<T>(turns: number, write: () => T): T {
    const { around } = this;
    this.total += around * (turns + 1);
    this.around = around * turns;
    try {
      return write();
    } finally {
      this.around = around;
    }
  }
}
