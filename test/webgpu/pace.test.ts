import { describe, expect, test } from "vitest";
import { Pace } from "../../src/webgpu/pace";

interface Simulated {
  /** From the first submission to the last answer. */
  readonly timeMs: number;
  /** Answers that had to be waited for one after another. */
  readonly waits: number;
  readonly longestMs: number;
}

/**
 * Runs `steps` steps on a device that takes `stepMs` for each, and tells that a submission is done at the next multiple of `tickMs`, at
 * least `delayMs` later. Time is simulated.
 */
function simulate(given: {
  steps: number;
  stepMs: number;
  estimateMs: number;
  tickMs?: number;
  delayMs?: number;
}): Simulated {
  const { steps, stepMs, estimateMs, tickMs = 0, delayMs = 0.2 } = given;
  const pace = new Pace(estimateMs);
  const flying: { steps: number; sentMs: number; toldMs: number; wait: number }[] = [];
  let [nowMs, freeMs, submitted, waits, longestMs] = [3, 0, 0, 0, 0];
  for (let done = 0; done < steps; ) {
    while (submitted < steps && pace.takes(flying.length)) {
      const count = pace.next(steps - submitted);
      longestMs = Math.max(longestMs, count * stepMs);
      freeMs = Math.max(freeMs, nowMs) + count * stepMs;
      const toldMs = tickMs > 0 ? Math.ceil((freeMs + delayMs) / tickMs) * tickMs : freeMs + delayMs;
      flying.push({ steps: count, sentMs: nowMs, toldMs, wait: waits + 1 });
      submitted += count;
    }
    const first = flying.shift();
    if (first === undefined) throw new Error("nothing is under way");
    nowMs = Math.max(nowMs, first.toldMs);
    waits = Math.max(waits, first.wait);
    pace.answered(first.sentMs, first.steps, nowMs);
    done += first.steps;
  }
  return { timeMs: nowMs - 3, waits, longestMs };
}

describe("a submission lasts about 50 ms", () => {
  const kinds = [
    { what: "at once", tickMs: 0 },
    { what: "every 100 ms", tickMs: 100 },
  ];
  test.each(kinds)("where news comes $what and steps take 0.01 ms, 1 ms, 20 ms", ({ tickMs }) => {
    for (const stepMs of [0.01, 1, 20]) {
      for (const estimateMs of [stepMs / 4, stepMs, stepMs * 30]) {
        const { longestMs, timeMs } = simulate({ steps: 4000 / stepMs, stepMs, estimateMs, tickMs });
        expect(longestMs).toBeLessThanOrEqual(220);
        expect(timeMs).toBeLessThan(4000 * 1.35 + 500);
      }
    }
  });

  test.each(kinds)("where news comes $what and nothing is known, soon", ({ tickMs }) => {
    expect(simulate({ steps: 400, stepMs: 10, estimateMs: 10, tickMs }).longestMs).toBeLessThanOrEqual(200);
    expect(simulate({ steps: 400, stepMs: 10, estimateMs: 1, tickMs }).longestMs).toBeLessThanOrEqual(200);
  });

  test("a step that takes longer than that is submitted alone", () => {
    expect(simulate({ steps: 20, stepMs: 700, estimateMs: 700 }).longestMs).toBeLessThanOrEqual(4 * 700);
    const pace = new Pace(700);
    pace.answered(0, 1, 701);
    expect(pace.next(10)).toBe(1);
  });
});

test("a short run goes out at once, and waits once", () => {
  expect(simulate({ steps: 10, stepMs: 0.05, estimateMs: 0.3, tickMs: 100 }).waits).toBe(1);
  expect(simulate({ steps: 10, stepMs: 0.05, estimateMs: 0.3 }).waits).toBe(1);
});

test("where news comes every 100 ms, a device that is fast is kept at work", () => {
  const { waits, timeMs } = simulate({ steps: 200_000, stepMs: 0.01, estimateMs: 0.05, tickMs: 100 });
  expect(timeMs).toBeLessThan(3000); // 2,000 of work
  expect(waits).toBeLessThan(40);
});

test("one submission waits while another computes, no more, where each is told of as it is done", () => {
  const pace = new Pace(1);
  pace.answered(0, 10, 51);
  pace.answered(0, 10, 101);
  expect([pace.takes(1), pace.takes(2)]).toEqual([true, false]);
});
