// The first step of a page: sizes of seed-000, numbers from a generator that costs the page next to nothing.

import { uniform } from "../uniform";

export const [batch, inputs, hidden, outputs, rate] = [64, 1000, 100, 10, 1e-6] as const;

export function firstData(): { x: Float32Array; y: Float32Array; w1: Float32Array; w2: Float32Array } {
  return {
    x: uniform(3, batch * inputs),
    y: uniform(4, batch * outputs),
    w1: uniform(5, inputs * hidden),
    w2: uniform(6, hidden * outputs),
  };
}

declare global {
  /** Milliseconds from navigation to the first loss, and that loss. */
  var first: { ms: number; loss: number } | { error: string } | undefined;
}

/** Runs `step` and keeps when its loss was there; the weights are to be waited for too. */
export function report(step: (backend: string) => Promise<number>): void {
  const backend = new URLSearchParams(location.search).get("backend") ?? "";
  step(backend).then(
    (loss) => {
      globalThis.first = { ms: performance.now(), loss };
    },
    (error) => {
      globalThis.first = { error: String(error) };
    },
  );
}
