import type { Device, Session } from "../device";
import { checkValues, type Values } from "../graph/program";
import { parameter, type Tensor } from "../graph/tensor";
import { DeviceError } from "../util/errors";
import { Batches } from "./batches";
import { type Place, readCheckpoint, writeCheckpoint } from "./checkpoint";
import { checkCount, checkFlag, checkOptions, checkSeed, shown } from "./checks";
import { checkDataset, checkInputs, type Dataset, type Rows } from "./dataset";
import { type FitProgress, type History, runFit } from "./fit";
import { Forward, powerOfTwo } from "./forward";
import { Criterion, type Loss } from "./losses";
import { type Model, Sequential } from "./model";
import { type Optimizer, Rule } from "./optimizers";
import { stateShapes, type TrainingShape, trainingProgram } from "./programs";
import { ratesOf } from "./schedules";
import { State } from "./state";
import { Training } from "./training";
import { readWeights, writeWeights } from "./weights-file";

export interface TrainerOptions {
  loss: Loss;
  optimizer: Optimizer;
  /** Rows a step; all of them where left out. */
  batchSize?: number;
}

export interface FitOptions {
  /** Passes over the data. Either this or `steps`. */
  epochs?: number;
  steps?: number;
  /** Whether each epoch has an order of its own; default true. Without batchSize every step takes all rows, in any case. */
  shuffle?: boolean;
  /** Of the shuffling; default 0. The same seed, data and weights give the same bits on the same device. */
  seed?: number;
  /** Evaluated after each epoch, and at the end. */
  validation?: Dataset;
  /** One loss in the history each `every` steps, the first included; default 1. */
  every?: number;
  /** Called at most 60 times a second, and after the last step. */
  onProgress?(progress: FitProgress): void;
  /** Stops at a whole step: the promise rejects with the signal's reason, and the weights are as of that step. */
  signal?: AbortSignal;
}

export interface Trainer {
  /**
   * Trains for `epochs` passes over the data or for `steps` steps. The data go to the device once; batches are
   * drawn there, in an order shuffled by `seed`: epoch e takes the e-th `permutation(rows)` of one `randomState(seed)`.
   * The last batch of an epoch has the rows that are left. Data too large for a buffer go there in pieces, with the same
   * batches. The loss is that of the batch and the l2 penalty.
   *
   * Throws TypeError, ShapeError or RangeError for data and options that do not fit, before anything changes. Where
   * something becomes non-finite, it throws a RangeError with the step, the tensor and the likely cause, and leaves the
   * last finite weights. After `resume` it takes up the fit that the checkpoint was taken in, if in one.
   */
  fit(data: Dataset, options: FitOptions): Promise<History>;
  /** x [rows, inputs], any number of rows -> [rows, outputs]: raw outputs, or probabilities for the two cross entropies. */
  predict(x: Values): Promise<Float32Array>;
  /** The loss over all rows, with the l2 penalty, and for the cross entropies the share of right classes; dropout is off. */
  evaluate(data: Dataset): Promise<{ loss: number; accuracy?: number }>;
  /** Parameters by name, as `Model.parameters` names and shapes them: a weight is [inputs, units]. */
  weights(): Promise<Record<string, Float32Array>>;
  /** Replaces those that are given. A wrong name, length or value is an error and changes nothing. */
  setWeights(weights: Record<string, Values>): void;
  /**
   * A safetensors file that `load_state_dict` of the same PyTorch Sequential takes as it is: float32, a weight as
   * [units, inputs].
   */
  save(): Promise<Uint8Array>;
  /** Takes weights from such a file. Throws FormatError, ShapeError or RangeError, and then changes nothing. */
  load(file: Uint8Array): void;
  /**
   * All that training goes on from, as a safetensors file: weights, the optimizer's state, the step, and the place in the
   * fit that runs or was stopped last. May be called while a fit runs.
   */
  checkpoint(): Promise<Uint8Array>;
  /**
   * Goes back to a checkpoint of a trainer of the same network and optimizer. Was it taken within a fit, the next
   * `fit`, given the same data and options, is the rest of that one, and gives the same bits as if nothing had come between.
   * Throws FormatError, TypeError, ShapeError or RangeError, and then changes nothing.
   */
  resume(file: Uint8Array): void;
  /** Steps trained so far, over all fits: what learning rates and Adam's corrections go by. */
  readonly steps: number;
  /** That of the last fit's training step; before the first fit, that of the forward pass. */
  readonly session: Session;
  dispose(): void;
}

/** Bytes of a storage buffer that every WebGPU device can bind: maxStorageBufferBindingSize's default. */
const PIECE_BYTES = 2 ** 27;
/** Numbers in the tables of one run, by backend: a run should last, and a table should go there quickly. */
const TABLE_ELEMENTS = { webgpu: 2 ** 18, cpu: 2 ** 10 } as const;
const TABLE_STEPS = { least: 16, most: 2 ** 14 } as const;

/** @internal What tests make small. */
export interface TrainerLimits {
  readonly pieceBytes: number;
}

/**
 * A trainer of `model` on `device`, its weights drawn by the model's seed. Throws TypeError or RangeError where loss,
 * optimizer and network do not go together, DeviceError where the device cannot compile them.
 */
export async function trainer(device: Device, model: Model, options: TrainerOptions): Promise<Trainer> {
  return createTrainer(device, model, options, { pieceBytes: PIECE_BYTES });
}

/** @internal */
export async function createTrainer(
  device: Device,
  model: Model,
  options: TrainerOptions,
  limits: TrainerLimits,
): Promise<Trainer> {
  if (typeof device !== "object" || device === null || typeof device.compile !== "function") {
    throw new TypeError(`trainer: the device is ${shown(device)}; it must come from open().`);
  }
  if (!(model instanceof Sequential)) {
    throw new TypeError(`trainer: the model is ${shown(model)}; it must come from sequential().`);
  }
  checkOptions("trainer", options, ["loss", "optimizer", "batchSize"]);
  const { loss, optimizer, batchSize } = options;
  if (!(loss instanceof Criterion)) {
    throw new TypeError(
      `trainer: loss is ${shown(loss)}; it must come from squaredError(), softmaxCrossEntropy() or binaryCrossEntropy().`,
    );
  }
  if (!(optimizer instanceof Rule)) {
    throw new TypeError(`trainer: optimizer is ${shown(optimizer)}; it must come from sgd(), adam() or rmsprop().`);
  }
  if (batchSize !== undefined) checkCount("trainer", "batchSize", batchSize);
  if (loss.name === "softmaxCrossEntropy" && model.outputs < 2) {
    throw new RangeError(
      "trainer: softmaxCrossEntropy of 1 output is always 0; give the last layer one unit a class, or take binaryCrossEntropy().",
    );
  }
  const state = new State(stateShapes(model, optimizer), model.initial());
  const forward = new Forward(device, model, loss, state, limits.pieceBytes);
  const session = await forward.predictionOf(forward.predictedRows(256));
  return new NetworkTrainer(device, model, loss, optimizer, batchSize, limits, state, forward, session);
}

class NetworkTrainer implements Trainer {
  steps = 0;
  private readonly tensors: Record<string, Tensor>;
  private compiled: { session: Session; shape: TrainingShape } | null = null;
  private running: { training: Training; place: Omit<Place, "position">; before: number } | null = null;
  private busy = false;
  private disposed = false;
  /** Where the last fit was stopped, and whether the next is to go on from there. */
  private place: Place | null = null;
  private takesUp = false;

  constructor(
    private readonly device: Device,
    private readonly model: Sequential,
    private readonly loss: Criterion,
    private readonly rule: Rule,
    private readonly batchSize: number | undefined,
    private readonly limits: TrainerLimits,
    private readonly state: State,
    private readonly forward: Forward,
    private readonly untrained: Session,
  ) {
    this.tensors = Object.fromEntries(
      Object.entries(model.parameters).map(([name, shape]) => [name, parameter(shape)]),
    );
  }

  get session(): Session {
    return this.compiled?.session ?? this.untrained;
  }

  async fit(data: Dataset, options: FitOptions): Promise<History> {
    this.throwIfUnusable("fit", true);
    const { model, loss, rule, state } = this;
    checkOptions("fit", options, ["epochs", "steps", "shuffle", "seed", "validation", "every", "onProgress", "signal"]);
    const { shuffle = true, seed = 0, every = 1, validation, onProgress, signal } = options;
    checkFlag("fit", "shuffle", shuffle);
    checkSeed("fit", seed);
    checkCount("fit", "every", every);
    if (onProgress !== undefined && typeof onProgress !== "function") {
      throw new TypeError(`fit: onProgress is ${shown(onProgress)}; it must be a function.`);
    }
    const rows = checkDataset("fit", data, model.inputs, model.outputs, loss);
    const validated = validation
      ? checkDataset("fit: validation", validation, model.inputs, model.outputs, loss)
      : null;
    const batches = new Batches(rows, {
      batchSize: this.batchSize ?? rows.count,
      shuffle,
      seed,
      rowsHeld: this.rowsHeld(rows),
    });
    const steps = stepsOf(options, batches.stepsPerEpoch);
    const same = { rows: rows.count, batchSize: batches.batchSize, shuffle, seed };
    const first = this.takesUp && this.place ? placeIn(this.place, same, steps) : 0;
    const before = this.steps - first;
    const rates = ratesOf(rule.lr, before + first, steps - first);
    signal?.throwIfAborted();

    this.busy = true;
    try {
      const { session, shape } = await this.compile(rows, batches, steps - first);
      await state.moveTo(session);
      const training = new Training({
        session,
        state,
        rule,
        batches,
        before,
        first,
        rates,
        tableSteps: shape.steps,
        counts: model.drops,
      });
      this.running = { training, place: same, before };
      this.takesUp = false;
      try {
        return await runFit({
          training,
          state,
          batches,
          steps,
          every,
          onProgress,
          signal,
          rate: (step) => rates[step - first] as number,
          validation: validated,
          evaluate: (held) => this.forward.evaluate(held),
        });
      } finally {
        const { position } = training;
        this.steps = before + position;
        this.place = position < steps ? { position, ...same } : null;
        this.running = null;
      }
    } finally {
      this.busy = false;
    }
  }

  async predict(x: Values): Promise<Float32Array> {
    this.throwIfUnusable("predict");
    const rows = checkInputs("predict", x, this.model.inputs);
    return this.forward.predict(rows.x, rows.count);
  }

  async evaluate(data: Dataset): Promise<{ loss: number; accuracy?: number }> {
    this.throwIfUnusable("evaluate");
    return this.forward.evaluate(checkDataset("evaluate", data, this.model.inputs, this.model.outputs, this.loss));
  }

  async weights(): Promise<Record<string, Float32Array>> {
    this.throwIfUnusable("weights");
    const { weights } = await this.state.weights();
    return Object.fromEntries(Object.entries(weights).map(([name, values]) => [name, values.slice()]));
  }

  setWeights(weights: Record<string, Values>): void {
    this.throwIfUnusable("setWeights", true);
    checkValues("setWeights", this.tensors, weights, false);
    this.state.write(weights);
  }

  async save(): Promise<Uint8Array> {
    this.throwIfUnusable("save");
    return writeWeights(this.model.parameters, (await this.state.weights()).weights);
  }

  load(file: Uint8Array): void {
    this.throwIfUnusable("load", true);
    this.state.write(readWeights(file, this.model.parameters));
  }

  async checkpoint(): Promise<Uint8Array> {
    this.throwIfUnusable("checkpoint");
    const { running, rule, state } = this;
    let { steps, place } = this;
    // Queued together, so that the step is the one that the weights belong to.
    const [values, position] = await Promise.all([state.all(), running?.training.reached()]);
    if (running && position !== undefined) {
      steps = running.before + position;
      place = { position, ...running.place };
    }
    return writeCheckpoint({ values, optimizer: rule.name, steps, place }, state.shapes);
  }

  resume(file: Uint8Array): void {
    this.throwIfUnusable("resume", true);
    const { values, steps, place } = readCheckpoint(file, this.state.shapes, this.rule.name);
    this.state.write(values);
    this.steps = steps;
    this.place = place;
    this.takesUp = place !== null;
  }

  dispose(): void {
    this.disposed = true;
    this.compiled?.session.dispose();
    this.forward.dispose();
  }

  /** The session of the last fit where it fits this one too, else a new one. */
  private async compile(
    rows: Rows,
    batches: Batches,
    steps: number,
  ): Promise<{ session: Session; shape: TrainingShape }> {
    const batch = batches.full ? null : batches.batchSize;
    const most = Math.floor(TABLE_ELEMENTS[this.device.backend] / (batch ?? 1));
    const tableSteps = Math.min(powerOfTwo(steps), Math.max(TABLE_STEPS.least, Math.min(most, TABLE_STEPS.most)));
    const shape = { rows: batches.rowsHeld, batch, ragged: batches.ragged, kind: rows.kind, steps: tableSteps };
    const last = this.compiled;
    if (last && sameTraining(last.shape, shape) && last.shape.steps >= tableSteps) return last;
    const session = await this.device.compile(trainingProgram(this.model, this.loss, this.rule, shape));
    await this.state.moveTo(session);
    last?.session.dispose();
    this.compiled = { session, shape };
    return this.compiled;
  }

  /** How many rows the device holds at once: all, or as many whole batches as a buffer has room for. */
  private rowsHeld({ count, kind }: Rows): number {
    const { inputs, outputs } = this.model;
    const rowBytes = 4 * Math.max(inputs, kind === "classes" ? 1 : outputs);
    const most = Math.floor(this.limits.pieceBytes / rowBytes);
    if (count <= most) return count;
    const batch = this.batchSize ?? count;
    if (batch > most) {
      throw new RangeError(
        `fit: a batch of ${Math.min(batch, count)} rows is ${Math.min(batch, count) * rowBytes} bytes, and a buffer has room for ${this.limits.pieceBytes}; give the trainer a batchSize of at most ${most}.`,
      );
    }
    return most - (most % batch);
  }

  /** With `alone`: also while a fit is running, when the call would change what it works on. */
  private throwIfUnusable(call: string, alone = false): void {
    if (this.disposed) throw new DeviceError(`${call}: the trainer was disposed; make another with trainer().`);
    if (alone && this.busy) {
      throw new Error(`${call}: a fit of this trainer is running; wait for its promise, or stop it with its signal.`);
    }
  }
}

function sameTraining(a: TrainingShape, b: TrainingShape): boolean {
  return a.rows === b.rows && a.batch === b.batch && a.ragged === b.ragged && a.kind === b.kind;
}

function stepsOf({ epochs, steps }: FitOptions, stepsPerEpoch: number): number {
  if ((epochs === undefined) === (steps === undefined)) {
    throw new TypeError(`fit: epochs is ${String(epochs)} and steps ${String(steps)}; give one of the two.`);
  }
  if (epochs !== undefined) checkCount("fit", "epochs", epochs);
  if (steps !== undefined) checkCount("fit", "steps", steps);
  const total = steps ?? (epochs as number) * stepsPerEpoch;
  if (total > 0x7fffffff)
    throw new RangeError(`fit: ${total} steps are more than one fit can count; at most 2147483647.`);
  return total;
}

/** The step at which a fit is taken up. Throws RangeError where it is not the one that the checkpoint was taken in. */
function placeIn(place: Place, fit: Omit<Place, "position">, steps: number): number {
  for (const name of ["rows", "batchSize", "shuffle", "seed"] as const) {
    if (place[name] === fit[name]) continue;
    throw new RangeError(
      `fit: it takes up the fit of the checkpoint at step ${place.position}, where ${name} was ${place[name]}; here it is ${fit[name]}. Give the same data and options, or begin anew: a trainer that load()s the weights.`,
    );
  }
  if (place.position >= steps) {
    throw new RangeError(
      `fit: it takes up the fit of the checkpoint at step ${place.position}, and has only ${steps} steps; give more.`,
    );
  }
  return place.position;
}
