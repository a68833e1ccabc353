import type { Device } from "../device";
import type { Session } from "../session";
import { checkCallback, checkCount, checkFlag, checkOptions, checkSeed, checkSignal, shown } from "../util/checks";
import { DeviceError } from "../util/errors";
import { Batches } from "./batches";
import type { Order, Place } from "./checkpoint";
import { checkData, checkDataset, checkWeights, type Dataset, type DataValues, type Rows } from "./dataset";
import { type FitProgress, type FitRun, type History, type OnEpoch, runFit } from "./fit";
import { type Forward, powerOfTwo } from "./forward";
import type { Criterion } from "./losses";
import type { Sequential } from "./model";
import type { Rule } from "./optimizers";
import { type Trained, type TrainingShape, trainingProgram } from "./programs";
import { ratesOf } from "./schedules";
import type { State } from "./state";
import { Training } from "./training";
import { checkEarlyStopping, checkPlateau, type EarlyStopping, type ReduceOnPlateau } from "./watch";

export interface FitOptions {
  /** Passes over the data. Either this or `steps`. */
  epochs?: number;
  steps?: number;
  /** Whether each epoch has an order of its own; default true. Without batchSize every step takes all rows, in any case. */
  shuffle?: boolean;
  /** Of the shuffling; default 0. The same seed, data and weights give the same bits on the same device. */
  seed?: number;
  /** Evaluated after each epoch, and at the end. */
  validation?: Dataset<DataValues>;
  /** One number a row, of at least 0, by which its loss is multiplied; a mean is over the rows as before. Validation goes without. */
  sampleWeights?: DataValues;
  /** One loss in the history each `every` steps, the first included; default 1. */
  every?: number;
  /** Called at most 60 times a second, and after the last step. What it throws, or its promise rejects with, ends the fit. */
  onProgress?(progress: FitProgress): void;
  /**
   * Called once after every epoch, and after one that is cut short at the end, in order; the next begins when it is done. "stop" ends the fit,
   * which resolves with its history; what it throws, or its promise rejects with, is what the fit rejects with.
   */
  onEpoch?: OnEpoch;
  /**
   * Ends the fit after `patience` epochs without a better validation loss (training loss without validation). The weights end as they were
   * after the best epoch, whatever ends the fit but an error.
   */
  earlyStopping?: EarlyStopping;
  /** Multiplies the rate by `factor` after `patience` epochs without a better validation loss (training loss without validation), in this fit. */
  reduceOnPlateau?: ReduceOnPlateau;
  /** Stops at a whole step: the promise rejects with the signal's reason, which is given the `history`, and the weights are as of that step. */
  signal?: AbortSignal;
}

export interface BeginOptions {
  /** As in `FitOptions`. */
  shuffle?: boolean;
  seed?: number;
  /**
   * Whether, after `resume` of a checkpoint that was taken within a fit, it is the rest of that one; default true.
   * Otherwise steps, weights and the optimizer's state go on, and the order of the batches begins anew.
   */
  takeUp?: boolean;
}

/** A fit that has no end of its own: its data are on the device, and it is taken some steps at a time. */
export interface OpenFit {
  /**
   * Trains for `steps` more steps, in the order of batches that one `fit` of all steps would have, with the same bits. The
   * learning rate of a step is asked for in the call that takes it. Steps in the history and in `onProgress` are those of
   * the whole fit. Rejects as `fit` does; after an abort it goes on from the step that was reached. Throws Error where
   * another fit has begun since, or a checkpoint was resumed.
   */
  advance(steps: number, options?: Pick<FitOptions, "onProgress" | "signal">): Promise<History>;
  /** Steps that are done. */
  readonly step: number;
  readonly stepsPerEpoch: number;
}

/** Numbers in a table of one run: a run should last, and its tables should go there quickly. */
const TABLE_ELEMENTS = 2 ** 18;
const TABLE_STEPS = { least: 16, most: 2 ** 14 } as const;
/** Steps that a table has room for at least, where it is small: short fits of different lengths share a program. */
const SHORT_STEPS = 2 ** 8;
const LARGEST_TABLE = 2 ** 24;
/** Steps that the tables of an open fit have room for: more are several runs. */
const OPEN_STEPS = 2 ** 12;

/** What a fit works with. */
export interface FitterParts {
  readonly device: Device;
  readonly model: Sequential;
  readonly loss: Criterion;
  readonly rule: Rule;
  readonly trained: Trained;
  readonly batchSize: number | undefined;
  readonly state: State;
  readonly forward: Forward;
  /** Bytes that a tensor of data may have on the device. */
  readonly pieceBytes: number;
}

/** Where training stands: steps over all fits, and the place in the fit that runs or was stopped last. */
export interface Standing {
  readonly steps: number;
  readonly place: Place | null;
  /** How far the order of batches has come; null before the first fit. */
  readonly order: Order | null;
}

interface Running {
  readonly training: Training;
  readonly fit: Omit<Place, "position">;
  /** Steps of the trainer before step 0 of the fit, and those of the fit: Infinity where it is open. */
  readonly before: number;
  readonly steps: number;
  readonly batches: Batches;
}

const FIT_OPTIONS = [
  "epochs",
  "steps",
  "shuffle",
  "seed",
  "validation",
  "sampleWeights",
  "every",
  "onProgress",
  "onEpoch",
  "earlyStopping",
  "reduceOnPlateau",
  "signal",
];

interface Compiled {
  readonly session: Session;
  readonly shape: TrainingShape;
  /** Whether the program takes "base": a layer draws random numbers. */
  readonly counts: boolean;
}

/** What a fit begins with, checked: nothing has changed yet. */
interface Start extends Omit<Running, "training"> {
  readonly rows: Rows;
  rate(step: number): number;
  /** Not 0 where a fit is taken up again. */
  readonly first: number;
}

/** Fits, one after another: compiles their training steps and knows where they stand. */
export class Fitter {
  /** As of the last fit. */
  private standing: Standing = { steps: 0, place: null, order: null };
  /** Whether the next fit is the rest of the one in `standing`. */
  private takesUp = false;
  private compiled: Compiled | null = null;
  private running: Running | null = null;
  /** The open fit that may go on. */
  private open: Running | null = null;
  busy = false;
  private disposed = false;

  constructor(private readonly parts: FitterParts) {}

  get session(): Session | null {
    return this.compiled?.session ?? null;
  }

  get steps(): number {
    return this.running ? this.running.before + this.running.training.position : this.standing.steps;
  }

  async fit(data: Dataset<DataValues>, options: FitOptions): Promise<History> {
    const { model, loss, forward } = this.parts;
    checkData("fit", data);
    checkOptions("fit", options, FIT_OPTIONS);
    const {
      every = 1,
      validation,
      sampleWeights,
      onProgress,
      onEpoch,
      earlyStopping,
      reduceOnPlateau,
      signal,
    } = options;
    checkOrder("fit", options);
    checkCount("fit", "every", every);
    checkCallback("fit", "onProgress", onProgress);
    checkCallback("fit", "onEpoch", onEpoch);
    checkEarlyStopping(earlyStopping);
    checkPlateau(reduceOnPlateau);
    checkSignal("fit", signal);
    const checked = checkDataset("fit", data, model, loss);
    const rows =
      sampleWeights === undefined ? checked : { ...checked, weights: this.weightsOf(sampleWeights, checked.count) };
    const validated = validation ? checkDataset("fit: validation", validation, model, loss) : null;
    const start = this.startOf("fit", rows, options, (perEpoch) => stepsOf(options, perEpoch));
    signal?.throwIfAborted();
    return this.alone(async () => {
      this.open = null;
      const running = await this.begun(start);
      const evaluate = (held: Rows) => forward.evaluate(held);
      return this.take(running, {
        steps: start.steps,
        every,
        onProgress,
        onEpoch,
        earlyStopping,
        reduceOnPlateau,
        signal,
        validation: validated,
        evaluate,
      });
    });
  }

  /** `advancing` is given what makes each advance, and throws where there can be none. */
  async begin(
    data: Dataset<DataValues>,
    options: BeginOptions,
    advancing: <T>(make: () => Promise<T>) => Promise<T>,
  ): Promise<OpenFit> {
    const { model, loss, forward } = this.parts;
    checkData("begin", data);
    checkOptions("begin", options, ["shuffle", "seed", "takeUp"]);
    const { takeUp = true } = options;
    checkOrder("begin", options);
    checkFlag("begin", "takeUp", takeUp);
    const rows = checkDataset("begin", data, model, loss);
    const start = this.startOf("begin", rows, options, () => Infinity);
    const running = await this.alone(async () => {
      this.open = await this.begun(start);
      this.standing = standingAt(start.first, start);
      return this.open;
    });
    const { training, batches } = running;
    const evaluate = (held: Rows) => forward.evaluate(held);
    return {
      stepsPerEpoch: batches.stepsPerEpoch,
      get step() {
        return training.position;
      },
      advance: (count, given = {}) =>
        advancing(async () => {
          if (this.open !== running) {
            throw new Error("advance: another fit has begun since, or a checkpoint was resumed; begin() again.");
          }
          checkOptions("advance", given, ["onProgress", "signal"]);
          checkCount("advance", "steps", count);
          const { onProgress, signal } = given;
          checkCallback("advance", "onProgress", onProgress);
          checkSignal("advance", signal);
          signal?.throwIfAborted();
          const steps = training.position + count;
          if (steps > MOST_STEPS) throw tooMany("advance", steps);
          return this.alone(() =>
            this.take(running, { steps, every: 1, onProgress, signal, validation: null, evaluate }),
          );
        }),
    };
  }

  private async alone<T>(work: () => Promise<T>): Promise<T> {
    this.busy = true;
    try {
      return await work();
    } finally {
      this.busy = false;
    }
  }

  private weightsOf(given: DataValues, count: number): Float32Array {
    const { loss } = this.parts;
    if (loss.whole)
      throw new TypeError(`fit: ${loss.name} is one number for a batch, which sampleWeights cannot be applied to.`);
    return checkWeights("fit", given, count);
  }

  private startOf(
    call: string,
    rows: Rows,
    { shuffle = true, seed = 0, takeUp = true }: BeginOptions,
    stepsFor: (stepsPerEpoch: number) => number,
  ): Start {
    const batchSize = this.parts.batchSize ?? rows.count;
    const takesUp = takeUp && this.takesUp && this.standing.place !== null;
    const order = { rows: rows.count, batchSize: Math.min(batchSize, rows.count), shuffle, seed };
    const epoch = takesUp ? (this.standing.place?.epoch ?? 0) : takeUp ? epochsOf(this.standing.order, order) : 0;
    const batches = new Batches(rows, { batchSize, shuffle, seed, rowsHeld: this.rowsHeld(rows), firstEpoch: epoch });
    const { loss, model } = this.parts;
    if (loss.whole && batches.ragged) {
      throw new RangeError(
        `${call}: ${loss.name} is one number for a batch, and ${rows.count} rows in batches of ${batches.batchSize} leave a smaller one; give the trainer a batchSize that divides them.`,
      );
    }
    const { leastRows } = model;
    if (batches.leastRows < leastRows) {
      throw new RangeError(
        `${call}: ${rows.count} rows in batches of ${batches.batchSize} make one of ${batches.leastRows}; batchNorm needs ${leastRows} to have a variance. Give the trainer another batchSize, or leave a row out.`,
      );
    }
    const steps = stepsFor(batches.stepsPerEpoch);
    const fit = { ...order, epoch };
    const first = takesUp && this.standing.place ? placeIn(call, this.standing.place, fit, steps) : 0;
    const before = this.standing.steps - first;
    return { rows, batches, fit, first, before, steps, rate: ratesOf(this.parts.rule, before, first, steps) };
  }

  private async begun(start: Start): Promise<Running> {
    const { rule, state } = this.parts;
    const { rows, batches, first, before, steps, rate, fit } = start;
    const open = steps === Infinity;
    const { session, shape, counts } = await this.compile(rows, batches, open ? OPEN_STEPS : steps - first);
    await state.moveTo(session);
    this.takesUp = false;
    const training = new Training({
      session,
      state,
      rule,
      batches,
      before,
      first,
      rate,
      steps: open ? first : steps, // of an open fit nothing is made ready ahead: its rates may change until they are needed
      tableSteps: shape.steps,
      counts,
    });
    return { training, fit, before, steps, batches };
  }

  private async take(
    running: Running,
    options: Omit<FitRun, "training" | "state" | "batches" | "rule">,
  ): Promise<History> {
    const { training, batches } = running;
    this.running = running;
    try {
      return await runFit({ training, state: this.parts.state, batches, rule: this.parts.rule, ...options });
    } finally {
      this.standing = standingAt(training.position, running);
      this.running = null;
    }
  }

  /** Where training stands once all that is queued has run. */
  async reached(): Promise<Standing> {
    const { running, standing } = this;
    if (running === null) return standing;
    return standingAt(await running.training.reached(), running);
  }

  /** The next fit goes on from here. */
  goTo(standing: Standing): void {
    this.standing = standing;
    this.open = null;
    this.takesUp = standing.place !== null;
  }

  dispose(): void {
    this.disposed = true;
    this.compiled?.session.dispose();
  }

  /** The session of the last fit where it fits this one too, else a new one. */
  private async compile(rows: Rows, batches: Batches, steps: number): Promise<Compiled> {
    const { device, model, loss, rule, trained, state } = this.parts;
    const batch = batches.full ? null : batches.batchSize;
    // One run should last, and its tables should be small; whatever the batch, a table fits a buffer.
    const most = Math.min(TABLE_ELEMENTS / (batch ?? 1), TABLE_STEPS.most);
    const least = Math.min(LARGEST_TABLE / (batch ?? 1), TABLE_STEPS.least);
    const wanted = powerOfTwo(Math.max(steps, SHORT_STEPS));
    const tableSteps = Math.min(wanted, Math.max(1, Math.floor(Math.max(least, most))));
    const shape = {
      rows: batches.rowsHeld,
      batch,
      ragged: batches.ragged,
      kind: rows.kind,
      weighted: rows.weights !== undefined,
      steps: tableSteps,
    };
    const last = this.compiled;
    if (last && sameTraining(last.shape, shape) && last.shape.steps >= tableSteps) return last;
    const program = trainingProgram(model, loss, rule, shape, trained);
    const session = await device.compile(program);
    try {
      await state.moveTo(session);
      if (this.disposed) throw new DeviceError("fit: the trainer was disposed during the call; make another.");
    } catch (error) {
      session.dispose();
      throw error;
    }
    last?.session.dispose();
    this.compiled = { session, shape, counts: "base" in program.inputs };
    return this.compiled;
  }

  /** How many rows the device holds at once: all, or as many whole batches as a buffer has room for. */
  private rowsHeld({ count, kind }: Rows): number {
    const { model, pieceBytes, batchSize } = this.parts;
    const rowBytes = 4 * Math.max(model.inputs, kind === "classes" ? model.positions : model.outputs);
    const most = Math.floor(pieceBytes / rowBytes);
    if (count <= most) return count;
    const batch = batchSize ?? count;
    if (batch > most) {
      throw new RangeError(
        `fit: a batch of ${Math.min(batch, count)} rows is ${Math.min(batch, count) * rowBytes} bytes, and a buffer has room for ${pieceBytes}; give the trainer a batchSize of at most ${most}.`,
      );
    }
    return most - (most % batch);
  }
}

function standingAt(
  position: number,
  { fit, before, steps, batches }: Pick<Running, "fit" | "before" | "steps" | "batches">,
): Standing {
  const order = { ...fit, epoch: fit.epoch + Math.ceil(position / batches.stepsPerEpoch) };
  return { steps: before + position, place: position < steps ? { position, ...fit } : null, order };
}

/** How many epochs of this order fits have gone through. */
function epochsOf(known: Order | null, order: Omit<Order, "epoch">): number {
  const same = (["rows", "batchSize", "shuffle", "seed"] as const).every((name) => known?.[name] === order[name]);
  return known !== null && same ? known.epoch : 0;
}

function sameTraining(a: TrainingShape, b: TrainingShape): boolean {
  return (
    a.rows === b.rows && a.batch === b.batch && a.ragged === b.ragged && a.kind === b.kind && a.weighted === b.weighted
  );
}

function stepsOf({ epochs, steps }: FitOptions, stepsPerEpoch: number): number {
  if ((epochs === undefined) === (steps === undefined)) {
    throw new TypeError(`fit: epochs is ${shown(epochs)} and steps ${shown(steps)}; give one of the two.`);
  }
  if (epochs !== undefined) checkCount("fit", "epochs", epochs);
  if (steps !== undefined) checkCount("fit", "steps", steps);
  const total = steps ?? (epochs as number) * stepsPerEpoch;
  if (total > MOST_STEPS) throw tooMany("fit", total);
  return total;
}

const MOST_STEPS = 0x7fffffff;
function tooMany(call: string, steps: number): RangeError {
  return new RangeError(`${call}: ${steps} steps are more than one fit can count; at most ${MOST_STEPS}.`);
}

function checkOrder(call: string, { shuffle = true, seed = 0 }: BeginOptions): void {
  checkFlag(call, "shuffle", shuffle);
  checkSeed(call, seed);
}

/** The step at which a fit is taken up. Throws RangeError where it is not the one that the checkpoint was taken in. */
function placeIn(call: string, place: Place, fit: Omit<Place, "position">, steps: number): number {
  for (const name of ["rows", "batchSize", "shuffle", "seed"] as const) {
    if (place[name] === fit[name]) continue;
    throw new RangeError(
      `${call}: it takes up the fit of the checkpoint at step ${place.position}, where ${name} was ${place[name]}; here it is ${fit[name]}. Give the same data and options, or begin anew: a trainer that load()s the weights.`,
    );
  }
  if (place.position >= steps) {
    throw new RangeError(
      `${call}: it takes up the fit of the checkpoint at step ${place.position}, and has only ${steps} steps; give more.`,
    );
  }
  return place.position;
}
