import type { Batches } from "./batches";
import type { Rows } from "./dataset";
import { breakdownError, returnToFinite } from "./finite";
import type { Evaluated } from "./forward";
import type { Rule } from "./optimizers";
import { firstNonFinite, type State } from "./state";
import type { Snapshot, Training } from "./training";

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

/** `loss[i]` is that of the batch of step `step[i]`, before the step's update. Steps are those of the fit, from 0. */
export interface History {
  step: Int32Array;
  loss: Float32Array;
  /** One value an epoch, after its last step; an epoch cut short at the end of the fit counts. */
  validationLoss?: Float32Array;
  /** For the two cross entropies. */
  validationAccuracy?: Float32Array;
  seconds: number;
}

export interface FitRun {
  readonly training: Training;
  readonly state: State;
  readonly batches: Batches;
  /** Steps of the whole fit. */
  readonly steps: number;
  /** A loss for each step that is a multiple of it. */
  readonly every: number;
  readonly rule: Rule;
  /** The learning rate of a step of this fit. */
  rate(step: number): number;
  readonly validation: Rows | null;
  evaluate(rows: Rows): Promise<Evaluated>;
  readonly onProgress: ((progress: FitProgress) => void) | undefined;
  readonly signal: AbortSignal | undefined;
}

/** How often the weights are kept, to return to when something becomes non-finite, in milliseconds. */
const SNAPSHOT_MS = 1000;
/** How long one run should take, so that no more has to be run again then, in seconds. */
const RUN_SECONDS = 1;
/** Steps of the first run, when the pace is not known yet. */
const FIRST_STEPS = 256;

/** Runs the steps of a fit to its end, watching that everything stays finite. */
export async function runFit(run: FitRun): Promise<History> {
  const { training, state, batches, steps, validation, signal } = run;
  const start = performance.now();
  const first = training.position;
  const history = new Recorder(first, steps, run.every);
  const progress = new Reporter(run, first);
  let snapshot: Snapshot = { position: first, values: await state.all() };
  let older = snapshot;
  let kept = performance.now();
  const stop = async (): Promise<never> => {
    const breakdown = await returnToFinite(training, state, snapshot, older, training.position);
    const updated = breakdown.tensor === "loss" ? breakdown.step - 1 : breakdown.step;
    throw breakdownError(breakdown, updated < first ? null : run.rate(updated), run.rule);
  };
  const keep = async () => {
    const values = await state.all();
    if (firstNonFinite(values) !== null) await stop();
    older = snapshot;
    snapshot = { position: training.position, values };
    kept = performance.now();
  };

  let pace = FIRST_STEPS;
  while (training.position < steps) {
    signal?.throwIfAborted();
    const from = training.position;
    const inEpoch = validation ? batches.stepsPerEpoch - (from % batches.stepsPerEpoch) : Infinity;
    const count = training.reach(Math.min(steps - from, inEpoch, pace));
    const validates = validation !== null && (count === inEpoch || from + count === steps);
    const broken = new AbortController();
    const began = performance.now();
    // Whoever wants the weights after this run has them read along with its losses: a wait of its own may take as long as the run.
    const keeps = from + count === steps || began + (count / pace) * 1000 * RUN_SECONDS - kept > SNAPSHOT_MS;
    let losses: Float32Array;
    try {
      losses = await training.advance(count, {
        reads: keeps || validates,
        signal: signal ? AbortSignal.any([signal, broken.signal]) : broken.signal,
        onStep(done, loss) {
          if (Number.isFinite(loss)) progress.tell(done, loss);
          else broken.abort();
        },
      });
    } catch (error) {
      if (broken.signal.aborted && !signal?.aborted) await stop();
      throw error;
    }
    if (losses.some((loss) => !Number.isFinite(loss))) await stop();
    if (keeps) await keep();
    pace = Math.max(16, Math.ceil((losses.length / (performance.now() - began)) * 1000 * RUN_SECONDS));
    history.losses(from, losses);
    const { position } = training;
    if (validates) {
      const result = await run.evaluate(validation);
      history.validated(result);
      progress.validated(result);
    }
    progress.tell(position, losses[losses.length - 1] as number);
  }
  return history.end(validation !== null, (performance.now() - start) / 1000);
}

class Recorder {
  private readonly step: Int32Array;
  private readonly loss: Float32Array;
  private count = 0;
  private readonly evaluated: Evaluated[] = [];

  constructor(
    first: number,
    steps: number,
    private readonly every: number,
  ) {
    const length = Math.ceil(steps / every) - Math.ceil(first / every);
    this.step = new Int32Array(length);
    this.loss = new Float32Array(length);
  }

  losses(from: number, losses: Float32Array): void {
    for (let i = (this.every - (from % this.every)) % this.every; i < losses.length; i += this.every) {
      this.step[this.count] = from + i;
      this.loss[this.count++] = losses[i] as number;
    }
  }

  validated(result: Evaluated): void {
    this.evaluated.push(result);
  }

  end(validated: boolean, seconds: number): History {
    const { step, loss, evaluated } = this;
    if (!validated) return { step, loss, seconds };
    const validationLoss = Float32Array.from(evaluated, (each) => each.loss);
    if (evaluated.some(({ accuracy }) => accuracy === undefined)) return { step, loss, validationLoss, seconds };
    const validationAccuracy = Float32Array.from(evaluated, (each) => each.accuracy ?? Number.NaN);
    return { step, loss, validationLoss, validationAccuracy, seconds };
  }
}

/** Tells of progress at most 60 times a second, and of the last step always. */
class Reporter {
  private readonly start = performance.now();
  private told = Number.NEGATIVE_INFINITY;
  private toldStep = -1;
  private validation: { validationLoss?: number; validationAccuracy?: number } = {};

  constructor(
    private readonly run: FitRun,
    private readonly first: number,
  ) {}

  validated({ loss, accuracy }: Evaluated): void {
    this.validation = { validationLoss: loss, ...(accuracy !== undefined && { validationAccuracy: accuracy }) };
    this.toldStep = -1;
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
    onProgress({
      step,
      steps,
      epoch: Math.floor((step - 1) / batches.stepsPerEpoch),
      loss,
      stepsPerSecond,
      secondsLeft: (steps - step) / stepsPerSecond,
      ...this.validation,
    });
  }
}
