import type { Evaluated } from "./forward";

/** What `onProgress` of a fit is told. */
export interface FitProgress {
  /** Steps done, of `steps`. */
  step: number;
  steps: number;
  /** The epoch of the last step, from 0. */
  epoch: number;
  /** Of the last step's batch. */
  loss: number;
  stepsPerSecond: number;
  secondsLeft: number;
  /** Of the validation after the last whole epoch, where there was one. */
  validationLoss?: number;
  validationAccuracy?: number;
}

interface Reported {
  readonly training: { readonly position: number };
  readonly batches: { readonly stepsPerEpoch: number };
  /** Steps of the whole fit. */
  readonly steps: number;
  readonly onProgress: ((progress: FitProgress) => void) | undefined;
}

/** Tells of progress at most 60 times a second, and of the last step always. */
export class Reporter {
  private readonly start = performance.now();
  private failure: { readonly error: unknown } | null = null;
  private readonly calls = new Set<Promise<void>>();
  private told = Number.NEGATIVE_INFINITY;
  private toldStep = -1;
  private validation: { validationLoss?: number; validationAccuracy?: number } = {};

  constructor(
    private readonly run: Reported,
    private readonly first: number,
  ) {}

  validated(result: Evaluated | null): void {
    this.validation = result
      ? {
          validationLoss: result.loss,
          ...(result.accuracy !== undefined && { validationAccuracy: result.accuracy }),
        }
      : {};
    this.toldStep = -1;
  }

  /** Waits for what onProgress has begun, and throws what it failed with. */
  async settled(): Promise<void> {
    await Promise.all(this.calls);
    if (this.failure !== null) throw this.failure.error;
  }

  tell(step: number, loss: number): void {
    const { onProgress, steps, batches } = this.run;
    const now = performance.now();
    if (!onProgress || step === this.toldStep || (step < steps && now - this.told < 1000 / 60)) return;
    // The last step is told once, after its validation.
    if (step === steps && this.run.training.position < steps) return;
    this.told = now;
    this.toldStep = step;
    const stepsPerSecond = ((step - this.first) * 1000) / Math.max(now - this.start, 0.001);
    const answer: unknown = onProgress({
      step,
      steps,
      epoch: Math.floor((step - 1) / batches.stepsPerEpoch),
      loss,
      stepsPerSecond,
      secondsLeft: (steps - step) / stepsPerSecond,
      ...this.validation,
    });
    if (!(answer instanceof Promise)) return;
    const call = answer.then(
      () => {},
      (error) => {
        this.failure ??= { error };
      },
    );
    this.calls.add(call);
    call.then(() => this.calls.delete(call));
  }
}
