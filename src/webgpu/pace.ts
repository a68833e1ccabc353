import type { Plan } from "./codegen/plan";

/** A submission aims at this: long enough to hide its cost, short enough for a page, a watchdog and an abort. */
const TARGET_MS = 50;
/** News of work that is done may come so late: Firefox looks for it every 100 ms. */
const LATE_MS = 120;
/** Answers that come within so many milliseconds of one another are one piece of news. */
const TOGETHER_MS = 1;
/** Submissions under way at once: usually one waits while another computes; more where news of several comes at once. */
const USUAL = 2;
export const IN_FLIGHT = 4;
/** How far an estimate made before anything has run may be off. */
const MARGIN = 4;

/** What a dispatch and a floating-point operation take, in nanoseconds, on a slow adapter of each kind; a barrier of a persistent kernel, and copies in the time of one. */
const COST = {
  software: { dispatch: 25_000, flop: 1, barrier: 400, sideBySide: 1 },
  hardware: { dispatch: 5_000, flop: 0.01, barrier: 200, sideBySide: 16 },
} as const;

/** Milliseconds of a step by estimate. */
export function estimateMs({ step, copies }: Plan, software: boolean): number {
  const cost = COST[software ? "software" : "hardware"];
  let nanoseconds = 0;
  for (const { flops, persistent: whole } of step) {
    nanoseconds += whole
      ? Math.ceil(copies / cost.sideBySide) * (whole.barriers * cost.barrier + (flops / copies / whole.threads) * 2.5)
      : cost.dispatch + flops * cost.flop;
  }
  return nanoseconds / 1e6;
}

/** Decides how many steps go into a submission, and how many submissions are under way, from when the last ones were answered. */
export class Pace {
  private stepsNext: number;
  private mostFlying = IN_FLIGHT;
  /** The shortest time in which a submission was answered: so long does news take, or less. */
  private latencyMs = LATE_MS;
  private answeredMs = Number.NEGATIVE_INFINITY;
  /** What the last piece of news was about: submissions, their steps, and since when the device was at them. */
  private news = { count: 0, steps: 0, sinceMs: 0, idleBefore: true, most: 0 };

  constructor(estimateMs: number) {
    this.stepsNext = Math.max(1, Math.floor(TARGET_MS / MARGIN / Math.max(estimateMs, 1e-6)));
  }

  /** Whether another submission may go ahead while so many are under way. */
  takes(flying: number): boolean {
    return flying < this.mostFlying;
  }

  /** Steps of the next submission, at most `most`. */
  next(most: number): number {
    return Math.max(1, Math.min(most, Math.floor(this.stepsNext)));
  }

  /**
   * Takes in that `steps` steps, submitted at `sentMs`, were answered at `nowMs`. How long they took is not how long the answer
   * took: news has its own delay, and may tell of several submissions at once. So what one piece of news is about is held against the
   * time since the news before, or since it was submitted where the device had nothing to do. That is the longest that it can have
   * taken, and less the delay the shortest: a submission grows where the first has room for more, and shrinks where the second has
   * not; between them nothing is known. It grows by at most four times, so that one lucky measurement does little harm.
   */
  answered(sentMs: number, steps: number, nowMs: number): void {
    this.latencyMs = Math.min(this.latencyMs, nowMs - sentMs);
    if (nowMs - this.answeredMs > TOGETHER_MS) {
      const idleBefore = sentMs >= this.answeredMs;
      const sinceMs = idleBefore ? sentMs : this.answeredMs;
      this.news = { count: 0, steps: 0, sinceMs, idleBefore, most: 4 * Math.max(steps, this.stepsNext) };
    }
    this.answeredMs = nowMs;
    const { news } = this;
    news.count++;
    news.steps += steps;
    const longestMs = nowMs - news.sinceMs;
    const shortestMs = longestMs - (news.idleBefore ? LATE_MS : this.latencyMs);
    const fitting = (timeMs: number) => news.steps * (TARGET_MS / Math.max(timeMs, 0.01));
    const held = Math.min(Math.max(this.stepsNext, fitting(longestMs)), fitting(shortestMs));
    this.stepsNext = Math.max(1, Math.min(held, news.most));
    this.mostFlying = news.count > 1 ? IN_FLIGHT : USUAL;
  }
}
