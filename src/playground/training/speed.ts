/** How far back it looks, in milliseconds. */
const WINDOW_MS = 1000;

/** Steps a second by the clock on the wall: all that comes between steps takes its time too, such as the looks. */
export class Speed {
  /** 0 where it is not known yet. */
  stepsPerSecond = 0;
  private marks: { step: number; timeMs: number }[] = [];

  /** Training has stood still: that is no part of its speed. */
  restart(): void {
    this.marks = [];
  }

  /** So many steps are done now. The first mark is where it begins: what was compiled before says nothing of its speed. */
  mark(step: number): void {
    const now = { step, timeMs: performance.now() };
    this.marks.push(now);
    while (this.marks.length > 2 && now.timeMs - (this.marks[1]?.timeMs ?? 0) >= WINDOW_MS) this.marks.shift();
    const first = this.marks[0] ?? now;
    if (now.timeMs > first.timeMs) this.stepsPerSecond = ((step - first.step) * 1000) / (now.timeMs - first.timeMs);
  }
}
