/** How long the CPU may hold the event loop before others get their turn, in milliseconds. */
const SLICE_MS = 20;

/**
 * Gives the event loop a turn whenever it has been held for a slice of time. The time is counted over all that computes here, since one
 * call may follow another without a turn between: a fit of short runs holds the loop as long as one long run would.
 */
export class Turns {
  private since = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly now = () => performance.now(),
    private readonly turn = message,
  ) {}

  /** What is left of the slice, in milliseconds. */
  get leftMs(): number {
    return this.since + SLICE_MS - this.now();
  }

  /** To be waited for before each piece of work. A piece that cannot be cut may last longer than a slice: a turn comes after it. */
  async given(): Promise<void> {
    if (this.leftMs > 0) return;
    await this.turn();
    this.since = this.now();
  }
}

/** Those of this thread, which has one event loop. */
export const TURNS = new Turns();

/** A message is not held back as a timer is. */
function message(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

/** How many steps fit what is left of a slice, by how long those before took. */
export class StepsInSlice {
  private most = 1;
  private stepMs = 0;

  constructor(private readonly turns: Turns) {}

  /** At least one, which cannot be cut. */
  get fitting(): number {
    const fitting = Math.floor(this.turns.leftMs / Math.max(this.stepMs, 1e-4));
    return Math.max(1, Math.min(fitting, this.most));
  }

  took(steps: number, timeMs: number): void {
    this.stepMs = timeMs / steps;
    const whole = Math.max(1, Math.floor(SLICE_MS / Math.max(this.stepMs, 1e-4)));
    // Grows step by step, so that one lucky measurement does no harm.
    this.most = Math.min(whole, 4 * Math.max(steps, this.most));
  }
}
