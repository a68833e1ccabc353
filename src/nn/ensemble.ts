import type { Device } from "../device";
import {
  checkAmount,
  checkCallback,
  checkCount,
  checkFlag,
  checkOptions,
  checkSeed,
  checkSignal,
  isNumbers,
  isRecord,
  shown,
} from "../util/checks";
import { DeviceError, ShapeError } from "../util/errors";
import { Batches, checkBatches, rowsHeld } from "./batches";
import { readCheckpoint, type Stated, writeCheckpoint } from "./checkpoint";
import { checkDataset, checkInputs, checkWeights, type Dataset, type DataValues, type Rows } from "./dataset";
import { type Each, type EnsembleParts, fitRound, type NetworkReport, trainingStep } from "./ensemble-fit";
import { DATA_BYTES, EnsembleForward } from "./ensemble-forward";
import type { OnEpoch } from "./epochs";
import { type FitOptions, stepsOf } from "./fit-options";
import type { Evaluated } from "./forward";
import type { History } from "./history";
import type { Loss } from "./losses";
import { type Model, Sequential } from "./model";
import type { Optimizer } from "./optimizers";
import { stateShapes } from "./programs";
import { type Arrays, State } from "./state";
import { type Dropped, type Network, Together } from "./together";
import { checkTrained } from "./trainer";
import { checkEarlyStopping, checkPlateau, endsFit } from "./watch";
import { writeWeights } from "./weights-file";

/** How many networks, and in what they differ. */
export interface EnsembleOptions {
  /** Networks. */
  count: number;
  loss: Loss;
  optimizer: Optimizer;
  /** Rows a step of each; all of them where left out. */
  batchSize?: number;
  /** One a network: of its first weights, the masks of its dropout, and the order of its batches. Default 0, 1, 2, … */
  seeds?: readonly number[];
  /**
   * One number a network: its learning rate, in place of the optimizer's; its weight decay, where the optimizer is `sgd` or `adam` and has
   * none; its l2, in place of that of every layer that has one.
   */
  each?: { lr?: readonly number[]; weightDecay?: readonly number[]; l2?: readonly number[] };
}

/** As `FitOptions`, of all networks together. */
export interface EnsembleFitOptions
  extends Pick<
    FitOptions,
    | "epochs"
    | "steps"
    | "shuffle"
    | "validation"
    | "sampleWeights"
    | "every"
    | "earlyStopping"
    | "reduceOnPlateau"
    | "signal"
  > {
  /**
   * Called once after every epoch, for all networks that trained through it, in order; the next begins when it is done. "stop" ends the fit of
   * all, which resolves with their histories; those of later rounds are not trained then. What it throws, or its promise rejects with, is
   * what the fit rejects with.
   */
  onEpoch?: OnEpoch<EnsembleEpoch>;
  /** Called after every quarter of a second or so, and at the end. What it throws, or its promise rejects with, ends the fit. */
  onProgress?(progress: EnsembleProgress): void | Promise<void>;
}

/** What an epoch came to. */
export interface EnsembleEpoch {
  /** From 0, in this fit. */
  epoch: number;
  /** Steps of this fit that are done. */
  step: number;
  /** Which so many networks trained, of how many: from 0, where all do not fit the device at once. */
  round: number;
  rounds: number;
  /** Of each network that trained through it, in their order, what `onEpoch` of a trainer is told. */
  networks: readonly NetworkReport[];
}

/** What `onProgress` of an ensemble's fit is told. */
export interface EnsembleProgress {
  /** Steps done, of `steps`, by the networks that train now. */
  step: number;
  steps: number;
  /** Which so many networks those are, of how many: from 0, where all do not fit the device at once. */
  round: number;
  rounds: number;
  /** What is done of all rounds, from 0 to 1. */
  share: number;
  /** Networks of this round that still train, and the mean of their last losses. */
  training: number;
  loss: number;
}

/** Histories by network, as far as each came. */
export interface EnsembleHistory {
  step: Int32Array[];
  loss: Float32Array[];
  validationLoss?: Float32Array[];
  validationAccuracy?: Float32Array[];
  /** Those that became non-finite in this fit. */
  dropped: Dropped[];
  seconds: number;
}

/** Networks that are trained side by side. Made by `ensemble`. */
export interface Ensemble {
  readonly count: number;
  /** Networks that became non-finite: they keep their last finite weights, are trained no more, and are not in the mean. */
  readonly dropped: readonly Dropped[];
  /**
   * Trains all networks side by side, each as a trainer of its seed, rate and penalties does, with the bits of that one on the same route.
   * Early stopping ends a network and leaves the others as they are; so does what becomes non-finite. Networks that do not fit the device at
   * once are trained in rounds. After an abort networks are as they were at the end of the last run, of a quarter of a second or so.
   * Throws TypeError, ShapeError or RangeError for data and options that do not fit, and for data larger than a buffer.
   */
  fit(data: Dataset<DataValues>, options: EnsembleFitOptions): Promise<EnsembleHistory>;
  /** Predictions by network, [rows, outputs] each; `mean` is that of all but the dropped: of probabilities, for the two cross entropies. */
  predict(x: DataValues): Promise<{ each: Float32Array[]; mean: Float32Array }>;
  evaluate(data: Dataset<DataValues>): Promise<{ loss: number; accuracy?: number }[]>;
  /** Weights and layers' state of network i, by name. */
  weights(i: number): Promise<Record<string, Float32Array>>;
  /** The PyTorch file of network i. */
  save(i: number): Promise<Uint8Array<ArrayBuffer>>;
  /** All that network i goes on from: the file that `checkpoint()` of its trainer would give between two fits. */
  checkpoint(i: number): Promise<Uint8Array<ArrayBuffer>>;
  /**
   * Takes network i to a checkpoint of such a network, or of its trainer, taken between two fits. One that was dropped is trained again.
   * Throws FormatError, TypeError, ShapeError or RangeError, and then changes nothing.
   */
  resume(i: number, file: Uint8Array): Promise<void>;
  dispose(): void;
}

/**
 * `count` trainers of one network at once. Throws TypeError, ShapeError or RangeError where loss, optimizer, network and numbers do not go
 * together.
 */
export async function ensemble(device: Device, model: Model, options: EnsembleOptions): Promise<Ensemble> {
  if (typeof device !== "object" || device === null || typeof device.compile !== "function")
    throw new TypeError(`ensemble: the device is ${shown(device)}; it must come from open().`);
  if (!(model instanceof Sequential))
    throw new TypeError(`ensemble: the model is ${shown(model, Sequential)}; it must come from sequential().`);
  checkOptions("ensemble", options, ["count", "loss", "optimizer", "batchSize", "seeds", "each"]);
  const { count, each = {} } = options;
  checkCount("ensemble", "count", count);
  const { seeds = Array.from({ length: count }, (_, i) => i) } = options;
  const { loss, rule, batchSize } = checkTrained("ensemble", model, options);
  checkNumbers("seeds", seeds, count);
  for (const seed of seeds) checkSeed("ensemble", seed);
  checkEach(each, count);
  if (each.weightDecay && (rule.decay === null || rule.decay.given)) {
    throw new TypeError(
      `ensemble: each.weightDecay is given, and ${rule.name} ${rule.decay === null ? "takes none" : "has a weightDecay of its own"}; ${rule.decay === null ? "take sgd() or adam()" : "leave one of the two out"}.`,
    );
  }
  if (each.l2 && Object.values(model.held).every(({ l2 = 0 }) => l2 === 0))
    throw new TypeError("ensemble: each.l2 is given, and no layer has an l2; give one to those that it is for.");
  const shapes = stateShapes(model, rule);
  const networks = await Promise.all(
    seeds.map(async (seed, index): Promise<Network> => {
      const values = await new State(shapes, model.seeded(seed).initial()).all();
      return { index, seed, values, steps: 0, order: null, dropped: null };
    }),
  );
  const parts = { model, loss, rule, each, stateNames: Object.keys(shapes) };
  return new Networks(device, parts, networks, batchSize, { shapes, weightNames: Object.keys(model.held) });
}

function checkNumbers(name: string, values: readonly number[], count: number): void {
  if (!Array.isArray(values) && !isNumbers(values))
    throw new TypeError(`ensemble: ${name} is ${shown(values)}; it must be an array of numbers.`);
  if (values.length !== count) {
    throw new ShapeError(
      `ensemble: ${name} has ${values.length} numbers for ${count} networks; it must have one a network.`,
    );
  }
}

function checkEach(each: Each, count: number): void {
  checkOptions("ensemble: each", each, ["lr", "weightDecay", "l2"]);
  for (const [name, values] of Object.entries(each) as [string, readonly number[] | undefined][]) {
    if (values === undefined) continue;
    checkNumbers(`each.${name}`, values, count);
    values.forEach((value, i) => {
      checkAmount("ensemble", `each.${name}[${i}]`, value);
    });
  }
}

class Networks implements Ensemble {
  private readonly together: Together;
  private readonly forward: EnsembleForward;
  /** Calls run one after another. */
  private last: Promise<unknown> = Promise.resolve();
  private disposed = false;

  constructor(
    device: Device,
    private readonly parts: EnsembleParts,
    private readonly networks: readonly Network[],
    private readonly batchSize: number | undefined,
    private readonly stated: Stated,
  ) {
    const { model, loss, each } = parts;
    this.together = new Together(device, networks.length);
    this.forward = new EnsembleForward(model, loss, this.together, each.l2?.map((l2) => l2 / 2) ?? null);
  }

  get count(): number {
    return this.networks.length;
  }

  get dropped(): readonly Dropped[] {
    return this.networks.flatMap(({ dropped }) => dropped ?? []);
  }

  async fit(data: Dataset<DataValues>, options: EnsembleFitOptions): Promise<EnsembleHistory> {
    const { model, loss } = this.parts;
    checkFit(options);
    const checked = checkDataset("fit", data, model, loss);
    const { validation, sampleWeights, shuffle = true, signal } = options;
    const weights = sampleWeights && checkWeights("fit", sampleWeights, checked.count, loss);
    const rows = { ...checked, ...(weights && { weights }) };
    const validated = validation ? checkDataset("fit: validation", validation, model, loss) : null;
    const batchSize = Math.min(this.batchSize ?? rows.count, rows.count);
    if (rowsHeld(rows, { model, batchSize, pieceBytes: DATA_BYTES }) < rows.count) {
      throw new RangeError(
        `fit: the data of an ensemble are on the device whole, in buffers of ${DATA_BYTES} bytes; ${rows.count} rows are more. Give fewer, or train by trainer().`,
      );
    }
    const batches = new Batches(rows, { batchSize, shuffle, seed: 0, rowsHeld: rows.count });
    checkBatches("fit", batches, rows, model, loss);
    const steps = stepsOf(options, batches.stepsPerEpoch);
    signal?.throwIfAborted();
    return this.alone("fit", () => this.train(rows, batches, validated, steps, options));
  }

  private async train(
    rows: Rows,
    batches: Batches,
    validated: Rows | null,
    steps: number,
    options: EnsembleFitOptions,
  ): Promise<EnsembleHistory> {
    const { together, forward, parts } = this;
    const { every = 1, shuffle = true, earlyStopping, reduceOnPlateau, onEpoch, onProgress, signal } = options;
    const began = performance.now();
    const { batchSize, ragged, full } = batches;
    const key = `fit ${rows.count} ${batchSize} ${ragged} ${rows.kind}${rows.weights ? " weighted" : ""}`;
    const compiled = () =>
      together.compiled(key, (atOnce) => trainingStep(parts, rows, { batchSize, full, ragged }, steps, atOnce));
    // Where the device has no room for one of them, both are made for fewer networks.
    let { session, shared } = await compiled();
    if (validated) {
      await forward.evaluation(validated);
      ({ session, shared } = await compiled());
    }
    const training = this.networks.filter(({ dropped }) => dropped === null);
    const rounds = together.rounds(training);
    const histories = new Map<Network, History>();
    for (const [at, round] of rounds.entries()) {
      const { histories: found, stopped } = await fitRound(session, shared, parts, round, {
        ...{ rows, steps, every, batchSize, shuffle, earlyStopping, reduceOnPlateau, signal },
        evaluate: validated && ((networks) => forward.evaluate(networks, validated)),
        onEpoch:
          onEpoch === undefined
            ? null
            : async (epoch, step, reports) =>
                endsFit(await onEpoch({ epoch, step, round: at, rounds: rounds.length, networks: reports })),
        told: async (step, losses) => {
          const loss = losses.reduce((sum, each) => sum + each, 0) / losses.length;
          const ended = losses.length === 0 ? steps : step;
          const share = (at + ended / steps) / rounds.length;
          await onProgress?.({
            ...{ step, steps, round: at, rounds: rounds.length, share, training: losses.length, loss },
          });
        },
      });
      round.networks.forEach((network, i) => {
        histories.set(network, found[i] as History);
      });
      if (stopped) break;
    }
    const none = { step: new Int32Array(), loss: new Float32Array() };
    const all = this.networks.map((network) => histories.get(network) ?? none) as Partial<History>[];
    const of = (name: "loss" | "validationLoss" | "validationAccuracy") =>
      all.map((history) => history[name] ?? new Float32Array());
    return {
      step: all.map(({ step }) => step ?? none.step),
      loss: of("loss"),
      ...(validated && { validationLoss: of("validationLoss") }),
      ...(validated && parts.loss.counts && { validationAccuracy: of("validationAccuracy") }),
      dropped: training.flatMap(({ dropped }) => dropped ?? []),
      seconds: (performance.now() - began) / 1000,
    };
  }

  async predict(x: DataValues): Promise<{ each: Float32Array[]; mean: Float32Array }> {
    const rows = checkInputs("predict", x, this.parts.model);
    const each = await this.alone("predict", () => this.forward.predict(this.networks, rows.x, rows.count));
    const counted = each.filter((_, i) => this.networks[i]?.dropped === null);
    const mean = new Float32Array(each[0]?.length ?? 0);
    mean.forEach((_, i) => {
      mean[i] = counted.reduce((sum, values) => sum + (values[i] as number), 0) / counted.length;
    });
    return { each, mean };
  }

  async evaluate(data: Dataset<DataValues>): Promise<Evaluated[]> {
    const { model, loss } = this.parts;
    const rows = checkDataset("evaluate", data, model, loss);
    return this.alone("evaluate", () => this.forward.evaluate(this.networks, rows));
  }

  async weights(i: number): Promise<Arrays> {
    return this.alone("weights", async () => {
      const { values } = this.network("weights", i);
      const held = Object.keys(this.parts.model.held);
      return Object.fromEntries(held.map((name) => [name, (values[name] as Float32Array).slice()]));
    });
  }

  async save(i: number): Promise<Uint8Array<ArrayBuffer>> {
    return this.alone("save", async () => writeWeights(this.parts.model.held, this.network("save", i).values));
  }

  async checkpoint(i: number): Promise<Uint8Array<ArrayBuffer>> {
    return this.alone("checkpoint", async () => {
      const { values, steps, order } = this.network("checkpoint", i);
      return writeCheckpoint({ values, steps, order, place: null, optimizer: this.parts.rule.name }, this.stated);
    });
  }

  async resume(i: number, file: Uint8Array): Promise<void> {
    return this.alone("resume", async () => {
      const network = this.network("resume", i);
      const { values, steps, order, place } = readCheckpoint(file, this.stated, this.parts.rule.name);
      if (place !== null) {
        throw new RangeError(
          `resume: the checkpoint was taken within a fit, at its step ${place.position}; a trainer() takes that up, an ensemble goes on from the end of a fit.`,
        );
      }
      const own = Object.entries(values).map(([name, array]) => [name, Float32Array.from(array)]);
      Object.assign(network, { values: Object.fromEntries(own), steps, order, dropped: null });
    });
  }

  dispose(): void {
    this.disposed = true;
    this.together.dispose();
  }

  private network(call: string, i: number): Network {
    const network = this.networks[i];
    if (network !== undefined) return network;
    throw new RangeError(`${call}: there is no network ${shown(i)}; they are 0 to ${this.count - 1}.`);
  }

  private alone<T>(call: string, work: () => Promise<T>): Promise<T> {
    const result = this.last.then(() => {
      if (this.disposed) throw new DeviceError(`${call}: the ensemble was disposed; make another with ensemble().`);
      return work();
    });
    this.last = result.catch(() => {}); // told to who called
    return result;
  }
}

const FIT_OPTIONS = [
  ...["epochs", "steps", "shuffle", "validation", "sampleWeights", "every", "onEpoch", "onProgress"],
  ...["earlyStopping", "reduceOnPlateau", "signal"],
];

function checkFit(options: EnsembleFitOptions): void {
  if (isRecord(options) && "seed" in options)
    throw new TypeError("fit: an ensemble's batches are shuffled by the seed of each network; give ensemble() seeds.");
  if (isRecord(options) && "recover" in options && options.recover)
    throw new TypeError(
      "fit: recover is of trainer(); the networks of an ensemble do not outlive their device: where it is lost they are as at the end of the last run, of a quarter of a second or so, and save(i) has them.",
    );
  checkOptions("fit", options, FIT_OPTIONS);
  const { shuffle = true, every = 1, earlyStopping, reduceOnPlateau, signal, onEpoch, onProgress } = options;
  checkFlag("fit", "shuffle", shuffle);
  checkCount("fit", "every", every);
  checkCallback("fit", "onEpoch", onEpoch);
  checkCallback("fit", "onProgress", onProgress);
  checkEarlyStopping(earlyStopping);
  checkPlateau(reduceOnPlateau);
  checkSignal("fit", signal);
}
