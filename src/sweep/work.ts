import {
  type Dataset,
  type DataValues,
  type Device,
  DeviceError,
  ensemble,
  safetensorsMetadata,
  type Trainer,
  trainer,
} from "../index";
import { sizeOf } from "../util/shape";
import type { Figures } from "./results";
import { checkTrial, eachOf, shapeOf, type Trial } from "./trial";

/** Trials that are trained together, to so many epochs from their beginning. */
export interface Work {
  readonly epochs: number;
  readonly trials: readonly WorkTrial[];
}

export interface WorkTrial {
  readonly id: number;
  readonly trial: Trial;
}

/** Files of `checkpoint()` by the ids of the trials that go on from them. */
export type Checkpoints = ReadonlyMap<number, Uint8Array>;

/** What became of a trial: its figures, or why it has none. */
export type Outcome = { readonly id: number } & ({ readonly figures: Figures } | { readonly failed: string });

/** What trials are trained on, and judged by. */
export interface SweepData {
  readonly data: Dataset<DataValues>;
  /** Held back: trials are judged by it. */
  readonly validation: Dataset<DataValues> | null;
}

/** What a work goes on from, and whom it tells. */
export interface WorkOptions {
  /** What was left of these trials elsewhere. One that does not fit is passed over: the trial begins anew, and comes to the same. */
  checkpoints?: Checkpoints;
  /** Given such files every so often, and at the end: what another device goes on from. */
  checkpointed?(files: Checkpoints): void | Promise<void>;
  /** Told the epochs that each of the trials has come to. */
  progress?(epochs: number): void;
  signal?: AbortSignal;
  /** Between two checkpoints, of what takes longer; default 5. */
  everySeconds?: number;
}

/** A part of a work that is trained without asking anybody: at least an epoch. */
const FIRST_EPOCHS = 1;
const PART_SECONDS = 1;

/**
 * Trains and judges trials on a device: those of one shape side by side, others one after another. A trial's bits do not depend on what it is
 * trained beside, nor on how often it went on from a checkpoint. What is wrong with a trial is in its outcome, and the others go on. Rejects
 * with DeviceError where the device is lost, and with the signal's reason.
 */
export async function trainWork(device: Device, data: SweepData, work: Work, options: WorkOptions): Promise<Outcome[]> {
  const { trials } = work;
  const [first] = trials;
  const shape = first ? shapeOf(first.trial) : null;
  if (trials.length > 1 && shape !== null && trials.every(({ trial }) => shapeOf(trial) === shape)) {
    try {
      return await trainTogether(device, data, work, options);
    } catch (error) {
      // What is wrong with one of them, or with all at once, is no fault of each alone.
      await throwUnlessOfTrial(error, device, options.signal);
    }
  }
  const outcomes: Outcome[] = [];
  for (const trial of trials) {
    options.signal?.throwIfAborted();
    try {
      outcomes.push({ id: trial.id, figures: await trainAlone(device, data, trial, work.epochs, options) });
    } catch (error) {
      await throwUnlessOfTrial(error, device, options.signal);
      outcomes.push({ id: trial.id, failed: error instanceof Error ? error.message : String(error) });
    }
  }
  return outcomes;
}

/** How long the word of a lost device may come after what it brings about, in milliseconds. */
const LOSS_MS = 500;

async function throwUnlessOfTrial(error: unknown, device: Device, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  if (error instanceof Kept) throw error.cause;
  if (!(error instanceof DeviceError)) return;
  const lost = device.lost.then(() => true);
  if (await Promise.race([lost, new Promise<false>((no) => setTimeout(() => no(false), LOSS_MS))])) throw error;
}

/** What went wrong where checkpoints are kept: no trial's fault. */
class Kept extends Error {}

async function keep(files: Checkpoints, { checkpointed }: WorkOptions): Promise<void> {
  try {
    await checkpointed?.(files);
  } catch (cause) {
    throw new Kept("checkpointed", { cause });
  }
}

async function trainAlone(
  device: Device,
  { data, validation }: SweepData,
  { id, trial }: WorkTrial,
  epochs: number,
  options: WorkOptions,
): Promise<Figures> {
  const { made } = checkTrial("trial", trial);
  const { batchSize, clipNorm, classWeights, seed, shuffle } = trial;
  const { signal, everySeconds = 5 } = options;
  const net = await trainer(device, made.model, {
    ...{ loss: made.loss, optimizer: made.optimizer },
    ...(batchSize !== undefined && { batchSize }),
    ...(clipNorm !== undefined && { clipNorm }),
    ...(classWeights !== undefined && { classWeights }),
  });
  try {
    const begun = goneOn(net, options.checkpoints?.get(id), stepsPerEpoch(data, trial), epochs);
    if (begun < epochs) {
      const keepIt = async () => keep(new Map([[id, await net.checkpoint()]]), options);
      // While the fit goes on: the file is of a whole step.
      const keeping = { at: performance.now(), running: null as Promise<void> | null, failure: null as unknown };
      try {
        await net.fit(data, {
          ...{ epochs: epochs - begun, shuffle, seed },
          ...(signal && { signal }),
          onProgress({ step, steps }) {
            options.progress?.(begun + ((epochs - begun) * step) / steps);
            if (keeping.failure !== null) throw keeping.failure;
            if (keeping.running !== null || performance.now() - keeping.at < 1000 * everySeconds) return;
            keeping.running = keepIt()
              .catch((error: unknown) => {
                keeping.failure = error;
              })
              .finally(() => {
                keeping.at = performance.now();
                keeping.running = null;
              });
          },
        });
      } catch (error) {
        if (signal?.aborted) await keepIt();
        throw error;
      } finally {
        await keeping.running;
      }
      await keepIt();
    }
    return figuresOf(await net.evaluate(data), validation && (await net.evaluate(validation)));
  } finally {
    net.dispose();
  }
}

/** Takes a trainer to a checkpoint, if there is one that fits; the epoch at which the fit begins that is to be done, or to be gone on with. */
function goneOn(net: Trainer, file: Uint8Array | undefined, perEpoch: number, epochs: number): number {
  const begun = file && begunAt(file, perEpoch, epochs);
  if (file === undefined || begun === null || begun === undefined) return 0;
  try {
    net.resume(file);
    return begun;
  } catch {
    return 0; // it changed nothing: another network's, or broken
  }
}

async function trainTogether(
  device: Device,
  { data, validation }: SweepData,
  { trials, epochs }: Work,
  options: WorkOptions,
): Promise<Outcome[]> {
  const [first] = trials as readonly [WorkTrial, ...WorkTrial[]];
  const { made } = checkTrial("trial", first.trial);
  const { batchSize, shuffle } = first.trial;
  const { signal, checkpoints, everySeconds = 5 } = options;
  const { each, optimizer } = eachOf(trials.map(({ trial }) => trial));
  const perEpoch = stepsPerEpoch(data, first.trial);
  const networks = await ensemble(device, made.model, {
    ...{ count: trials.length, loss: made.loss, optimizer, each, seeds: trials.map(({ trial }) => trial.seed) },
    ...(batchSize !== undefined && { batchSize }),
  });
  try {
    // Copies go step by step: they go on where all of them stand, or from the beginning.
    const files = trials.map(({ id }) => checkpoints?.get(id));
    const [begun = null, ...others] = files.map((file) => file && begunAt(file, perEpoch, epochs, false));
    let done = begun !== null && others.every((at) => at === begun) ? begun : 0;
    if (done > 0) for (const [i, file] of files.entries()) await networks.resume(i, file as Uint8Array);
    const keepAll = async () => {
      const finite = [...trials.keys()].filter((i) => networks.dropped.every(({ network }) => network !== i));
      const files = finite.map(async (i) => [trials[i]?.id as number, await networks.checkpoint(i)] as const);
      await keep(new Map(await Promise.all(files)), options);
    };
    const droppedAt = new Map<number, number>();
    let keptAt = performance.now();
    let part = FIRST_EPOCHS;
    while (done < epochs && networks.dropped.length < trials.length) {
      const count = Math.min(part, epochs - done);
      const [from, start] = [done, performance.now()];
      // Stopped between two parts: within one, the place in its epoch would not be kept.
      const { dropped } = await networks.fit(data, {
        ...{ epochs: count, shuffle, every: count * perEpoch },
        onProgress: ({ share }) => options.progress?.(from + share * count),
      });
      for (const { network, step } of dropped) droppedAt.set(network, from * perEpoch + step);
      done += count;
      const seconds = Math.max((performance.now() - start) / 1000, 1e-3);
      part = Math.max(1, Math.min(2 * count, Math.round((count * PART_SECONDS) / seconds)));
      const stopped = signal?.aborted ?? false;
      if (!stopped && performance.now() - keptAt < 1000 * everySeconds && done < epochs) continue;
      await keepAll();
      signal?.throwIfAborted();
      keptAt = performance.now();
    }
    const judged = [await networks.evaluate(data), validation ? await networks.evaluate(validation) : null] as const;
    const lost = new Map(networks.dropped.map(({ network, tensor }) => [network, tensor]));
    return trials.map(({ id }, i): Outcome => {
      const tensor = lost.get(i);
      if (tensor === undefined) return outcomeOf(id, judged[0][i] as Judged, judged[1]?.[i] ?? null);
      const what = tensor === "loss" ? "the loss" : `weight "${tensor}"`;
      return { id, failed: `${what} became non-finite at step ${droppedAt.get(i)}; ${REMEDY}` };
    });
  } finally {
    networks.dispose();
  }
}

/**
 * Epochs that were done when the fit began in which a checkpoint was taken, or after which it was; null for one that is no such file. Only at
 * the end of a fit, where not `midway`.
 */
function begunAt(file: Uint8Array, perEpoch: number, epochs: number, midway = true): number | null {
  try {
    const { steps, fit } = safetensorsMetadata(file);
    const position = fit === undefined ? 0 : (JSON.parse(fit) as { position: unknown }).position;
    const begun = (Number(steps) - Number(position)) / perEpoch;
    return Number.isInteger(begun) && begun >= 0 && begun <= epochs && (midway || position === 0) ? begun : null;
  } catch {
    return null;
  }
}

/** Of each epoch of a trial. */
export function stepsPerEpoch({ x }: Dataset<DataValues>, { inputs, batchSize }: Trial): number {
  const rows = rowsOf(x, inputs);
  return Math.ceil(rows / Math.min(batchSize ?? rows, rows));
}

export function rowsOf(x: DataValues, inputs: number | readonly number[]): number {
  const each = typeof inputs === "number" ? inputs : sizeOf(inputs);
  return typeof x[0] === "number" ? x.length / each : x.length;
}

interface Judged {
  loss: number;
  accuracy?: number;
}

const REMEDY = "try a smaller learning rate.";

function figuresOf({ loss, accuracy }: Judged, validation: Judged | null): Figures {
  const figures = {
    loss,
    ...(accuracy !== undefined && { accuracy }),
    ...(validation && { validationLoss: validation.loss }),
    ...(validation?.accuracy !== undefined && { validationAccuracy: validation.accuracy }),
  };
  if (Object.values(figures).every(Number.isFinite)) return figures;
  throw new RangeError(
    `the loss of what was trained is ${[loss, validation?.loss].find((each) => !Number.isFinite(each))}; ${REMEDY}`,
  );
}

function outcomeOf(id: number, own: Judged, validation: Judged | null): Outcome {
  try {
    return { id, figures: figuresOf(own, validation) };
  } catch (error) {
    return { id, failed: error instanceof Error ? error.message : String(error) };
  }
}
