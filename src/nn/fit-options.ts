import {
  checkAmount,
  checkCallback,
  checkCount,
  checkFlag,
  checkOptions,
  checkSeed,
  checkSignal,
  shown,
} from "../util/checks";
import type { Dataset, DataValues } from "./dataset";
import type { OnEpoch } from "./epochs";
import type { History } from "./history";
import type { FitProgress } from "./progress";
import { checkEarlyStopping, checkPlateau, type EarlyStopping, type ReduceOnPlateau } from "./watch";

/** How long a fit lasts, in which order it takes the rows, and who is told of it. */
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
  /**
   * Outlives a device that is lost (not one that was closed): another is opened as that one was, WebGPU where it was WebGPU and comes back, else
   * the CPU, and training goes on from the last snapshot, which is taken every so many seconds or more often (true: 5), and after every epoch
   * that something is done after. On the same kind of device with the same bits. The history says where, in `recovered`, and
   * `trainer.device` is the new one, which the trainer closes at its end; later calls of the trainer, up to a fit without `recover`,
   * outlive their device too. Rejects with DeviceError where no other device can be opened; the weights are those of the snapshot then.
   */
  recover?: boolean | Recover;
}

/** How a fit outlives its device. */
export interface Recover {
  /** The longest time between two snapshots. */
  everySeconds: number;
}

/** The order of the batches of an `OpenFit`, and what it outlives. */
export interface BeginOptions extends Pick<FitOptions, "shuffle" | "seed" | "recover"> {
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
  "recover",
];

/** Throws TypeError or RangeError for options of `fit` that make no sense, whatever the data. */
export function checkFitOptions(options: FitOptions): void {
  checkOptions("fit", options, FIT_OPTIONS);
  const { every = 1, onProgress, onEpoch, earlyStopping, reduceOnPlateau, signal } = options;
  checkOrder("fit", options);
  checkCount("fit", "every", every);
  checkCallback("fit", "onProgress", onProgress);
  checkCallback("fit", "onEpoch", onEpoch);
  checkEarlyStopping(earlyStopping);
  checkPlateau(reduceOnPlateau);
  checkSignal("fit", signal);
}

export function checkBeginOptions(options: BeginOptions): void {
  checkOptions("begin", options, ["shuffle", "seed", "takeUp", "recover"]);
  const { takeUp = true } = options;
  checkOrder("begin", options);
  checkFlag("begin", "takeUp", takeUp);
}

export function checkOrder(call: string, { shuffle = true, seed = 0 }: BeginOptions): void {
  checkFlag(call, "shuffle", shuffle);
  checkSeed(call, seed);
}

/** By default. */
const SNAPSHOT_SECONDS = 5;

/** How many seconds a fit may go without a snapshot; null where it ends with its device. Throws TypeError or RangeError. */
export function recoverySeconds(call: string, recover: boolean | Recover = false): number | null {
  if (typeof recover === "boolean") return recover ? SNAPSHOT_SECONDS : null;
  checkOptions(`${call}: recover`, recover, ["everySeconds"]);
  checkAmount(`${call}: recover`, "everySeconds", recover.everySeconds);
  return recover.everySeconds;
}

export function stepsOf(
  { epochs, steps }: Pick<FitOptions, "epochs" | "steps">,
  stepsPerEpoch: number,
  call = "fit",
): number {
  if ((epochs === undefined) === (steps === undefined)) {
    throw new TypeError(`${call}: epochs is ${shown(epochs)} and steps ${shown(steps)}; give one of the two.`);
  }
  if (epochs !== undefined) checkCount(call, "epochs", epochs);
  if (steps !== undefined) checkCount(call, "steps", steps);
  const total = steps ?? (epochs as number) * stepsPerEpoch;
  checkTotal(call, total);
  return total;
}

const MOST_STEPS = 0x7fffffff;

/** Throws RangeError for more steps than a fit can count. */
export function checkTotal(call: string, steps: number): void {
  if (steps <= MOST_STEPS) return;
  throw new RangeError(`${call}: ${steps} steps are more than one fit can count; at most ${MOST_STEPS}.`);
}
