import { shown } from "../util/checks";
import type { Batches } from "./batches";
import type { Rows } from "./dataset";
import { breakdownError, returnToFinite } from "./finite";
import type { Evaluated } from "./forward";
import type { Rule } from "./optimizers";
import { type Arrays, firstNonFinite, type State } from "./state";
import type { Snapshot, Training } from "./training";
import { type EarlyStopping, type EpochReport, Patience, type ReduceOnPlateau } from "./watch";

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

export type OnEpoch = (epoch: EpochReport) => "stop" | void | Promise<"stop" | void>;

export interface FitRun {
  readonly training: Training;
  readonly state: State;
  readonly batches: Batches;
  /** Steps of the whole fit. */
  readonly steps: number;
  /** A loss for each step that is a multiple of it. */
  readonly every: number;
  readonly rule: Rule;
  readonly validation: Rows | null;
  evaluate(rows: Rows): Promise<Evaluated>;
  readonly onProgress: ((progress: FitProgress) => void) | undefined;
  readonly onEpoch?: OnEpoch | undefined;
  readonly earlyStopping?: EarlyStopping | undefined;
  readonly reduceOnPlateau?: ReduceOnPlateau | undefined;
  readonly signal: AbortSignal | undefined;
}

/** How often the weights are kept, to return to when something becomes non-finite, in milliseconds. */
const SNAPSHOT_MS = 1000;
/** How long one run should take, so that no more has to be run again then, in seconds. */
const RUN_SECONDS = 1;
/** Steps of the first run, when the pace is not known yet. */
const FIRST_STEPS = 256;

/** Runs the steps of a fit to its end, watching that everything stays finite. What ends it before has `history`: what was recorded until then. */
export async function runFit(run: FitRun): Promise<History> {
  const start = performance.now();
  const history = new Recorder(run.training.position, run.steps, run.every);
  const end = () => history.end(run.validation !== null, (performance.now() - start) / 1000);
  try {
    await runSteps(run, history);
    return end();
  } catch (error) {
    history.upTo(run.training.position);
    if (typeof error === "object" && error !== null) Reflect.set(error, "history", end());
    throw error;
  }
}

async function runSteps(run: FitRun, history: Recorder): Promise<void> {
  const { training, state, batches, steps, validation, signal } = run;
  const first = training.position;
  const progress = new Reporter(run, first);
  const epochs = new Epochs(run);
  let snapshot: Snapshot = { position: first, values: await state.all() };
  let older = snapshot;
  let kept = performance.now();
  const stop = async (): Promise<never> => {
    const breakdown = await returnToFinite(training, state, snapshot, older, training.position);
    const updated = breakdown.tensor === "loss" ? breakdown.step - 1 : breakdown.step;
    throw breakdownError(breakdown, updated < first ? null : training.rate(updated), run.rule);
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
    const wholeEpochs = validation !== null || epochs.watched;
    const inEpoch = wholeEpochs ? batches.stepsPerEpoch - (from % batches.stepsPerEpoch) : Infinity;
    const count = training.reach(Math.min(steps - from, inEpoch, pace));
    const ends = wholeEpochs && (count === inEpoch || from + count === steps);
    const broken = new AbortController();
    const began = performance.now();
    // Whoever wants the weights after this run has them read along with its losses: a wait of its own may take as long as the run.
    const keeps = from + count === steps || began + (count / pace) * 1000 * RUN_SECONDS - kept > SNAPSHOT_MS;
    let losses: Float32Array;
    try {
      losses = await training.advance(count, {
        reads: keeps || ends,
        signal: signal ? AbortSignal.any([signal, broken.signal]) : broken.signal,
        onStep(done, loss) {
          if (Number.isFinite(loss)) {
            history.told(done - 1, loss);
            progress.tell(done, loss);
          } else broken.abort();
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
    let result: Evaluated | null = null;
    if (ends && validation !== null) {
      result = await run.evaluate(validation);
      history.validated(result);
      progress.validated(result);
    }
    progress.tell(position, losses[losses.length - 1] as number);
    await progress.settled();
    epochs.losses(from, losses);
    if (ends && (await epochs.ended(result)) === "stop") break;
  }
  await epochs.restore();
}

/** What is done after each epoch. */
class Epochs {
  private readonly stopping: Patience | null;
  private readonly plateau: Patience | null;
  private best: Arrays | null = null;
  private lossSum = 0;
  private rows = 0;

  constructor(private readonly run: FitRun) {
    const { earlyStopping: stopping, reduceOnPlateau: plateau } = run;
    this.stopping = stopping ? new Patience(stopping.patience, stopping.minDelta) : null;
    this.plateau = plateau ? new Patience(plateau.patience) : null;
  }

  /** Whether anything is to be done. */
  get watched(): boolean {
    return this.run.onEpoch !== undefined || this.stopping !== null || this.plateau !== null;
  }

  /** Losses of steps of one epoch, from step `from` of the fit. */
  losses(from: number, losses: Float32Array): void {
    losses.forEach((loss, i) => {
      const rows = this.run.batches.rowsOf(from + i);
      this.lossSum += loss * rows;
      this.rows += rows;
    });
  }

  async ended(result: Evaluated | null): Promise<"stop" | "on"> {
    const { training, batches, state, onEpoch, earlyStopping, reduceOnPlateau } = this.run;
    const { position } = training;
    const report: EpochReport = {
      epoch: Math.floor((position - 1) / batches.stepsPerEpoch),
      step: position,
      loss: this.lossSum / this.rows,
      ...(result && { validationLoss: result.loss }),
      ...(result?.accuracy !== undefined && { validationAccuracy: result.accuracy }),
      learningRate: training.rate(position - 1),
    };
    this.lossSum = 0;
    this.rows = 0;
    const judged = report.validationLoss ?? report.loss;
    const found = this.stopping?.after(judged);
    if (found === "better" && (earlyStopping?.restoreBest ?? true)) this.best = (await state.weights()).weights;
    if (this.plateau?.after(judged) === "over") training.slowDown(reduceOnPlateau?.factor ?? 1);
    const answer: unknown = await onEpoch?.(report);
    if (answer !== undefined && answer !== "stop") {
      throw new TypeError(`fit: onEpoch gave ${shown(answer)}; it must give "stop" or nothing.`);
    }
    return answer === "stop" || found === "over" ? "stop" : "on";
  }

  /** Takes the weights back to those of the best epoch, where that is wanted. */
  async restore(): Promise<void> {
    if (this.best !== null) this.run.state.write(this.best);
  }
}

class Recorder {
  private readonly step: Int32Array;
  private readonly loss: Float32Array;
  private count = 0;
  private readonly evaluated: Evaluated[] = [];
  /** What the run under way has told of its steps, in case that it does not end. */
  private pending: { step: number; loss: number }[] = [];

  constructor(
    first: number,
    steps: number,
    private readonly every: number,
  ) {
    const length = Math.ceil(steps / every) - Math.ceil(first / every);
    this.step = new Int32Array(length);
    this.loss = new Float32Array(length);
  }

  told(step: number, loss: number): void {
    if (step % this.every === 0) this.pending.push({ step, loss });
  }

  /** The run under way ended at this step. */
  upTo(position: number): void {
    for (const { step, loss } of this.pending) {
      if (step >= position || (this.count > 0 && step <= (this.step[this.count - 1] as number))) continue;
      this.step[this.count] = step;
      this.loss[this.count++] = loss;
    }
    this.pending = [];
  }

  losses(from: number, losses: Float32Array): void {
    this.pending = [];
    for (let i = (this.every - (from % this.every)) % this.every; i < losses.length; i += this.every) {
      this.step[this.count] = from + i;
      this.loss[this.count++] = losses[i] as number;
    }
  }

  validated(result: Evaluated): void {
    this.evaluated.push(result);
  }

  end(validated: boolean, seconds: number): History {
    const { evaluated, count } = this;
    const whole = count === this.step.length;
    const step = whole ? this.step : this.step.slice(0, count);
    const loss = whole ? this.loss : this.loss.slice(0, count);
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
  private failure: { readonly error: unknown } | null = null;
  private readonly calls = new Set<Promise<void>>();
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
