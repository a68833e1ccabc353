import { checkAmount, checkCount, checkOptions } from "../util/checks";

/**
 * A number, or the rate at each step of the trainer, the first being step 0; steps go on counting over several fits.
 * It runs on the host before training, so that no step waits for it.
 */
export type LearningRate = number | ((step: number) => number);

/** What a schedule of the library is in Python, as an expression of `step`. */
const PYTHON = Symbol("python");

/** A schedule, and what it is in Python. */
function told(rate: (step: number) => number, python: string): (step: number) => number {
  return Object.assign(rate, { [PYTHON]: python });
}

/** @internal The rate at `step` as an expression of Python; null for a function of the user's own. */
export function pythonRate(lr: LearningRate): string | null {
  return typeof lr === "number" ? String(lr) : ((lr as { [PYTHON]?: string })[PYTHON] ?? null);
}

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
  const rate = (step: number) => {
    if (step < warmup) return (lr * (step + 1)) / warmup;
    const done = Math.min((step - warmup) / (steps - warmup), 1);
    return final + ((lr - final) * (1 + Math.cos(Math.PI * done))) / 2;
  };
  const done = `min((step - ${warmup}) / ${steps - warmup}, 1)`;
  const decay = `${final} + ${lr - final} * (1 + math.cos(math.pi * ${done})) / 2`;
  return told(rate, warmup > 0 ? `${lr} * (step + 1) / ${warmup} if step < ${warmup} else ${decay}` : decay);
}

/** `lr * factor^floor(step / every)`: the rate is multiplied by `factor` each `every` steps. Throws RangeError. torch's StepLR. */
export function stepDecay(lr: number, every: number, factor: number): (step: number) => number {
  checkAmount("stepDecay", "lr", lr);
  checkCount("stepDecay", "every", every);
  checkAmount("stepDecay", "factor", factor);
  return told((step) => lr * factor ** Math.floor(step / every), `${lr} * ${factor} ** (step // ${every})`);
}

/** An update rule, as far as its numbers of a step go. */
interface Paced {
  readonly name: string;
  readonly lr: LearningRate;
  readonly tables: readonly string[];
  scalars(step: number, rate: number): readonly number[];
}

export function checkRate(part: string, lr: LearningRate): void {
  if (typeof lr !== "function") checkAmount(part, "lr", lr);
}

/**
 * The learning rate of each step of a fit from `first` up to `steps`, `before` steps of the trainer being before its step 0;
 * a function is asked for all of them now, or, of a fit without an end, for each when it is needed. Throws RangeError
 * for a rate that is negative or not finite, or makes a number that float32 has not.
 */
export function ratesOf(rule: Paced, before: number, first: number, steps: number): (step: number) => number {
  const { lr, tables } = rule;
  const checkScalars = (step: number, rate: number) => {
    rule.scalars(step, rate).forEach((value, t) => {
      if (Number.isFinite(Math.fround(value))) return;
      throw new RangeError(
        `fit: the learning rate at step ${step} is ${rate}; it makes ${rule.name}'s ${tables[t]} ${value}, which float32 has not. Lower it.`,
      );
    });
  };
  if (typeof lr === "number") {
    checkScalars(before + first, lr); // the first is the largest: what corrects it comes nearer to 1
    return () => lr;
  }
  const checked = (step: number): number => {
    const rate = lr(before + step);
    checkAmount("fit", `the learning rate at step ${before + step}`, rate);
    checkScalars(before + step, rate);
    return rate;
  };
  if (steps === Infinity) return checked;
  const rates = Float64Array.from({ length: steps - first }, (_, i) => checked(first + i));
  return (step) => rates[step - first] as number;
}
