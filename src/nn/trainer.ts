import type { Device } from "../device";
import { safetensorsMetadata } from "../files/safetensors";
import { checkValues, type Values } from "../graph/program";
import { parameter, type Tensor } from "../graph/tensor";
import type { Session } from "../session";
import { checkAmount, checkCount, checkOptions, shown } from "../util/checks";
import { DeviceError } from "../util/errors";
import { formatShape } from "../util/shape";
import { readCheckpoint, writeCheckpoint } from "./checkpoint";
import { checkDataset, checkInputs, type Dataset, type DataValues } from "./dataset";
import type { BeginOptions, FitOptions, OpenFit } from "./fit-options";
import { Fitter, type FitterParts, type Start } from "./fitter";
import { Forward } from "./forward";
import type { History } from "./history";
import { Home } from "./home";
import { Criterion, type Loss } from "./losses";
import { type Model, Sequential } from "./model";
import { type Optimizer, Rule } from "./optimizers";
import { stateShapes, type Trained, trainedNames } from "./programs";
import { State } from "./state";
import { type LoadOptions, readWeights, writeWeights } from "./weights-file";

/** What a network is trained by, and what of it stays as it is. */
export interface TrainerOptions {
  loss: Loss;
  optimizer: Optimizer;
  /** Rows a step; all of them where left out. */
  batchSize?: number;
  /** The norm that all gradients of a step together are held to, before the optimizer: torch.nn.utils.clip_grad_norm_. */
  clipNorm?: number;
  /** One factor a class, for softmaxCrossEntropy: the weight of PyTorch's CrossEntropyLoss. In evaluations too. */
  classWeights?: readonly number[];
  /**
   * Parameters that stay as they are: names, or beginnings of names up to a dot. A batchNorm whose statistics ("running_mean") are frozen
   * normalises by them in training too; one whose weights alone are goes on moving them, as in PyTorch. What the first layers of all make of
   * the rows is computed once a fit, not at every step, where all of them are frozen, draw no random numbers and move no statistics, and no layer of your own is among them.
   */
  frozen?: readonly string[];
}

/**
 * A network with its weights on a device. Made by `trainer`; calls run one after another, and it holds memory until it is disposed.
 */
export interface Trainer {
  /**
   * Trains for `epochs` passes over the data or for `steps` steps. The data go to the device once; batches are
   * drawn there, in an order shuffled by `seed`: epoch e takes the e-th `permutation(rows)` of one `randomState(seed)`, and a further fit of
   * as many rows with the same seed goes on from there.
   * The last batch of an epoch has the rows that are left. Data too large for a buffer go there in pieces, with the same
   * batches; they must stay as they are until the promise ends. The loss is that of the batch and the l2 penalty.
   *
   * Throws TypeError, ShapeError or RangeError for data and options that do not fit, before anything changes. Where
   * something becomes non-finite, it throws a RangeError with the step, the tensor and the likely cause, and leaves the
   * last finite weights. What it rejects with has `history`, all that was recorded until then. After `resume` it takes up the fit that the checkpoint was taken in, if in one.
   */
  fit(data: Dataset<DataValues>, options: FitOptions): Promise<History>;
  /**
   * Begins a fit that is taken some steps at a time: the data are checked and go to the device once, and the order of
   * the batches goes on from call to call. Between them weights may be read, replaced, evaluated. Throws as `fit` does.
   */
  begin(data: Dataset<DataValues>, options?: BeginOptions): Promise<OpenFit>;
  /** x [rows, inputs], any number of rows -> [rows, outputs]: raw outputs, or probabilities for the two cross entropies. */
  predict(x: DataValues): Promise<Float32Array>;
  /** The loss over all rows, with the l2 penalty, and for the cross entropies the share of right classes; dropout is off. */
  evaluate(data: Dataset<DataValues>): Promise<{ loss: number; accuracy?: number }>;
  /** Parameters and state by name, as `Model.parameters` and `Model.state` name and shape them: a dense weight is [inputs, units]. */
  weights(): Promise<Record<string, Float32Array>>;
  /** Replaces those that are given. A wrong name, length or value is an error and changes nothing. */
  setWeights(weights: Record<string, Values>): void;
  /**
   * A safetensors file that `load_state_dict` of the same PyTorch Sequential takes as it is: float32, a weight as
   * [units, inputs]. `metadata` are texts by name that go with it, such as the description of its data in JSON. Throws TypeError.
   */
  save(options?: { metadata?: Readonly<Record<string, string>> }): Promise<Uint8Array<ArrayBuffer>>;
  /**
   * Takes weights from such a file; with `strict: false` those that both have, with `prefix` those whose names begin with it, which is then
   * left out. Gives the metadata that was saved with them. Throws FormatError, ShapeError or RangeError, and then changes nothing.
   */
  load(file: Uint8Array, options?: LoadOptions): Record<string, string>;
  /**
   * All that training goes on from, as a safetensors file: weights, the optimizer's state, the step, and the place in the
   * fit that runs or was stopped last. May be called while a fit runs.
   */
  checkpoint(): Promise<Uint8Array<ArrayBuffer>>;
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
  /** The one given, or the one that took over when that was lost: see `recover` of `FitOptions`. */
  readonly device: Device;
  /** Frees what the trainer holds. The device stays open, but for one that took over. */
  dispose(): void;
}

/** Bytes of a storage buffer that every WebGPU device can bind: maxStorageBufferBindingSize's default. */
const PIECE_BYTES = 2 ** 27;
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
    throw new TypeError(`trainer: the model is ${shown(model, Sequential)}; it must come from sequential().`);
  }
  checkOptions("trainer", options, ["loss", "optimizer", "batchSize", "clipNorm", "classWeights", "frozen"]);
  const { clipNorm, classWeights, frozen = [] } = options;
  const { loss: settled, rule: optimizer, batchSize } = checkTrained("trainer", model, options);
  if (clipNorm !== undefined) checkAmount("trainer", "clipNorm", clipNorm);
  if (clipNorm === 0)
    throw new RangeError("trainer: clipNorm is 0, with which nothing is learnt; leave it out for none.");
  const loss = classWeights === undefined ? settled : settled.weighted(classWeights, model.units);
  const trained: Trained = { clipNorm, frozen: frozenBy(model, frozen) };
  if (trainedNames(model, trained).length === 0)
    throw new RangeError("trainer: all parameters are frozen; at least one must be left to train.");
  const state = new State(stateShapes(model, optimizer, trained), model.initial());
  const forward = new Forward(device, model, loss, state, limits.pieceBytes);
  const session = await forward.predictionOf(forward.predictedRows(256));
  return new NetworkTrainer(
    { home: new Home(device), model, loss, rule: optimizer, trained, batchSize, state, forward, ...limits },
    session,
  );
}

/** Loss, optimizer and batch of a network that is to be trained, checked. Throws TypeError or RangeError where they do not go together. */
export function checkTrained(
  part: string,
  model: Sequential,
  { loss: given, optimizer, batchSize }: Pick<TrainerOptions, "loss" | "optimizer" | "batchSize">,
): { loss: Criterion; rule: Rule; batchSize: number | undefined } {
  if (!(given instanceof Criterion)) {
    throw new TypeError(
      `${part}: loss is ${shown(given, Criterion)}; it must come from squaredError(), softmaxCrossEntropy() or another function that makes a loss.`,
    );
  }
  if (!(optimizer instanceof Rule)) {
    throw new TypeError(
      `${part}: optimizer is ${shown(optimizer, Rule)}; it must come from sgd(), adam() or rmsprop().`,
    );
  }
  if (batchSize !== undefined) checkCount(part, "batchSize", batchSize);
  checkFitting(part, model, given);
  return { loss: given.settled(model.units), rule: optimizer, batchSize };
}

/** Throws RangeError where the loss has no meaning for what the network gives. */
function checkFitting(part: string, model: Sequential, loss: Criterion): void {
  const { name, squashes, targets } = loss;
  if (squashes !== undefined && model.squashes !== null) {
    throw new RangeError(
      `${part}: ${name} takes logits and makes probabilities of them by its own ${squashes}; after the last layer's ${model.squashes} they would be made twice. Leave that out: predict() gives probabilities.`,
    );
  }
  if (targets !== "classes") return;
  if (model.units < 2) {
    throw new RangeError(
      `${part}: ${name} of 1 output is always 0; give the last layer one unit a class, or take binaryCrossEntropy().`,
    );
  }
  if (model.outputShape.length > 2) {
    throw new RangeError(
      `${part}: ${name} takes [classes] or [T, classes], and the network gives ${formatShape(model.outputShape)}; end it in flatten() and dense().`,
    );
  }
}

/** Whether a name is one of `frozen`, or is under one of them: "2" and "2.body" freeze "2.body.0.weight". Throws TypeError or RangeError. */
function frozenBy(model: Sequential, frozen: readonly string[]): (name: string) => boolean {
  if (!Array.isArray(frozen) || !frozen.every((name) => typeof name === "string"))
    throw new TypeError(`trainer: frozen is ${shown(frozen)}; it must be an array of names, or beginnings of names.`);
  const under = (name: string, beginning: string) =>
    name === beginning || name.startsWith(beginning.endsWith(".") ? beginning : `${beginning}.`);
  const all = Object.keys(model.held);
  const none = frozen.find((beginning) => !all.some((name) => under(name, beginning)));
  if (none !== undefined)
    throw new RangeError(
      `trainer: frozen has ${shown(none)}, which is no name or beginning of one; the names are ${all.join(", ")}.`,
    );
  const names = new Set(all.filter((name) => frozen.some((beginning) => under(name, beginning))));
  return (name) => names.has(name);
}

/** @internal A fit that goes on elsewhere: the trainer's parts, its data, and where in it the trainer's checkpoint stands. */
export type Plan = FitterParts & Start;

/** @internal Throws TypeError for what is no trainer, and as `fit` does for data and options that do not fit. */
export function planOf(call: string, given: Trainer, data: Dataset<DataValues>, options: FitOptions): Plan {
  if (given instanceof NetworkTrainer) return given.plan(call, data, options);
  throw new TypeError(`${call}: the trainer is ${shown(given)}; it must come from trainer().`);
}

class NetworkTrainer implements Trainer {
  private readonly tensors: Record<string, Tensor>;
  private readonly fitter: Fitter;
  private disposed = false;

  constructor(
    private readonly parts: FitterParts,
    private readonly untrained: Session,
  ) {
    this.fitter = new Fitter(parts);
    const held = Object.entries(parts.model.held);
    this.tensors = Object.fromEntries(held.map(([name, { shape }]) => [name, parameter(shape)]));
  }

  get session(): Session {
    return this.fitter.session ?? this.untrained;
  }

  get steps(): number {
    return this.fitter.steps;
  }

  get device(): Device {
    return this.parts.home.device;
  }

  async fit(data: Dataset<DataValues>, options: FitOptions): Promise<History> {
    this.throwIfUnusable("fit", true);
    return this.during("fit", this.fitter.fit(data, options));
  }

  plan(call: string, data: Dataset<DataValues>, options: FitOptions): Plan {
    this.throwIfUnusable(call, true);
    return { ...this.parts, ...this.fitter.planned(call, data, options) };
  }

  async begin(data: Dataset<DataValues>, options: BeginOptions = {}): Promise<OpenFit> {
    this.throwIfUnusable("begin", true);
    const advancing = async <T>(make: () => Promise<T>) => {
      this.throwIfUnusable("advance", true);
      return this.during("advance", make());
    };
    return this.during("begin", this.fitter.begin(data, options, advancing));
  }

  async predict(x: DataValues): Promise<Float32Array> {
    this.throwIfUnusable("predict");
    const rows = checkInputs("predict", x, this.parts.model);
    return this.outliving("predict", () => this.parts.forward.predict(rows.x, rows.count));
  }

  async evaluate(data: Dataset<DataValues>): Promise<{ loss: number; accuracy?: number }> {
    this.throwIfUnusable("evaluate");
    const { model, loss, forward } = this.parts;
    const rows = checkDataset("evaluate", data, model, loss);
    return this.outliving("evaluate", () => forward.evaluate(rows));
  }

  async weights(): Promise<Record<string, Float32Array>> {
    this.throwIfUnusable("weights");
    const { weights } = await this.outliving("weights", () => this.parts.state.weights());
    return Object.fromEntries(Object.entries(weights).map(([name, values]) => [name, values.slice()]));
  }

  setWeights(weights: Record<string, Values>): void {
    this.throwIfUnusable("setWeights", true);
    checkValues("setWeights", this.tensors, weights, false);
    this.fitter.write(weights);
  }

  async save(options: { metadata?: Readonly<Record<string, string>> } = {}): Promise<Uint8Array<ArrayBuffer>> {
    this.throwIfUnusable("save");
    checkOptions("save", options, ["metadata"]);
    const { weights } = await this.outliving("save", () => this.parts.state.weights());
    return writeWeights(this.parts.model.held, weights, options.metadata);
  }

  load(file: Uint8Array, options: LoadOptions = {}): Record<string, string> {
    this.throwIfUnusable("load", true);
    const { model } = this.parts;
    this.fitter.write(readWeights(file, model.held, model.passedOver, options));
    return safetensorsMetadata(file);
  }

  async checkpoint(): Promise<Uint8Array<ArrayBuffer>> {
    this.throwIfUnusable("checkpoint");
    const { rule, state } = this.parts;
    // Queued together, so that the step is the one that the weights belong to.
    const read = () => Promise.all([state.all(), this.fitter.reached()]);
    const [values, standing] = await this.outliving("checkpoint", read);
    return writeCheckpoint({ values, optimizer: rule.name, ...standing }, state);
  }

  resume(file: Uint8Array): void {
    this.throwIfUnusable("resume", true);
    const { rule, state } = this.parts;
    const { values, ...standing } = readCheckpoint(file, state, rule.name);
    this.fitter.write(values);
    this.fitter.goTo(standing);
  }

  dispose(): void {
    this.disposed = true;
    this.fitter.dispose();
    this.parts.forward.dispose();
    this.parts.home.dispose();
  }

  /** What changes nothing, asked again on another device where the fit before was to outlive its own. */
  private outliving<T>(call: string, ask: () => Promise<T>): Promise<T> {
    return this.during(call, this.fitter.outliving(ask));
  }

  /** What a call waits for. Where the trainer is disposed meanwhile its sessions are gone, and their errors do not say why. */
  private async during<T>(call: string, result: Promise<T>): Promise<T> {
    try {
      return await result;
    } catch (error) {
      if (!this.disposed || !(error instanceof DeviceError)) throw error;
      throw new DeviceError(`${call}: the trainer was disposed during the ${call === "fit" ? "fit" : "call"}.`);
    }
  }

  /** With `alone`: also while a fit is running, when the call would change what it works on. */
  private throwIfUnusable(call: string, alone = false): void {
    if (this.disposed) throw new DeviceError(`${call}: the trainer was disposed; make another with trainer().`);
    if (alone && this.fitter.busy) {
      throw new Error(`${call}: a fit of this trainer is running; wait for its promise, or stop it with its signal.`);
    }
  }
}
