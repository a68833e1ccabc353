/** A submission aims at this: long enough to hide its cost, short enough for a page, a watchdog and an abort. */
const TARGET_MS = 50;

/** Decides how many steps go into a submission, from how long the last ones took. */
export class Pace {
  private stepsNext = 1;

  /** Steps of the next submission, at most `most`. */
  next(most: number): number {
    return Math.max(1, Math.min(most, Math.floor(this.stepsNext)));
  }

  /** Takes in that `steps` steps took `timeMs`. Grows by at most four times, so that one lucky measurement does no harm. */
  took(steps: number, timeMs: number): void {
    const fitting = steps * (TARGET_MS / Math.max(timeMs, 0.01));
    this.stepsNext = Math.max(1, Math.min(fitting, Math.max(steps, this.stepsNext) * 4));
  }
}
