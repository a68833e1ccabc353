import { checkAmount, checkCount, checkOptions } from "./checks";

/**
 * A number, or the rate at each step of the trainer, the first being step 0; steps go on counting over several fits.
 * It runs on the host before training, so that no step waits for it.
 */
export type LearningRate = number | ((step: number) => number);

/**
 * From `lr` at the first step down to `final` (default 0) at step `steps` and after it, along half a cosine. Before
 * that, over `warmup` steps (default 0, part of `steps`), the rate rises in equal parts to `lr`. Throws RangeError.
 * Source: Loshchilov and Hutter 2017 (SGDR), eq. 5, without restarts; torch's CosineAnnealingLR.
 */
export function cosineDecay(
  lr: number,
  steps: number,
  options: { warmup?: number; final?: number } = {},
): (step: number) => number {
  checkAmount("cosineDecay", "lr", lr);
  checkCount("cosineDecay", "steps", steps);
  checkOptions("cosineDecay", options, ["warmup", "final"]);
  const { warmup = 0, final = 0 } = options;
  checkAmount("cosineDecay", "final", final);
  if (!Number.isInteger(warmup) || warmup < 0 || warmup >= steps) {
    throw new RangeError(
      `cosineDecay: warmup is ${warmup}; it must be an integer from 0 to ${steps - 1}, below steps.`,
    );
  }
  return (step) => {
    if (step < warmup) return (lr * (step + 1)) / warmup;
    const done = Math.min((step - warmup) / (steps - warmup), 1);
    return final + ((lr - final) * (1 + Math.cos(Math.PI * done))) / 2;
  };
}

/** `lr * factor^floor(step / every)`: the rate is multiplied by `factor` each `every` steps. Throws RangeError. torch's StepLR. */
export function stepDecay(lr: number, every: number, factor: number): (step: number) => number {
  checkAmount("stepDecay", "lr", lr);
  checkCount("stepDecay", "every", every);
  checkAmount("stepDecay", "factor", factor);
  return (step) => lr * factor ** Math.floor(step / every);
}

export function checkRate(part: string, lr: LearningRate): void {
  if (typeof lr !== "function") checkAmount(part, "lr", lr);
}

/** The rates of steps `from` … `from + count - 1`. Throws RangeError for a rate that is negative or not finite. */
export function ratesOf(lr: LearningRate, from: number, count: number): Float64Array {
  const rates = new Float64Array(count);
  if (typeof lr === "number") return rates.fill(lr);
  for (let i = 0; i < count; i++) {
    const rate = lr(from + i);
    checkAmount("fit", `the learning rate at step ${from + i}`, rate);
    rates[i] = rate;
  }
  return rates;
}
