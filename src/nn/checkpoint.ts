import { readSafetensors, safetensorsMetadata, writeSafetensors } from "../files/safetensors";
import { FormatError } from "../util/errors";
import type { Shape } from "../util/shape";
import type { EpochStanding } from "./epochs";
import type { Order, Place, Standing } from "./standing";
import type { Arrays } from "./state";
import type { Factor } from "./training";
import type { Waited } from "./watch";
import { matching } from "./weights-file";

export interface Checkpoint extends Standing {
  /** Weights and the optimizer's state, by their names in training. */
  readonly values: Arrays;
  readonly optimizer: string;
}

const FORMAT = "wgrad checkpoint 1";
/** Before the names of what is kept of the best epoch. */
const BEST = "best.";

/** Of a trainer's state, what its checkpoints depend on. */
export interface Stated {
  readonly shapes: Record<string, Shape>;
  readonly weightNames: readonly string[];
}

export function writeCheckpoint(
  { values, optimizer, steps, place, order }: Checkpoint,
  { shapes }: Stated,
): Uint8Array<ArrayBuffer> {
  const { epochs = null, ...fit } = place ?? {};
  const { best = null, ...seen } = epochs ?? {};
  const tensor = (name: string, array: Float32Array | undefined) => ({
    shape: shapes[name] as Shape,
    values: array as Float32Array,
  });
  const tensors = [
    ...Object.keys(shapes).map((name) => [name, tensor(name, values[name])]),
    ...Object.entries(best ?? {}).map(([name, array]) => [BEST + name, tensor(name, array)]),
  ];
  return writeSafetensors(Object.fromEntries(tensors), {
    format: FORMAT,
    optimizer,
    steps: String(steps),
    ...(place && { fit: JSON.stringify(fit) }),
    ...(epochs && { epochs: JSON.stringify(seen) }),
    ...(!place && order && { order: JSON.stringify(order) }),
  });
}

/**
 * Reads a checkpoint for a network and optimizer with state of these shapes. Throws FormatError for what is no
 * checkpoint, TypeError for another optimizer's, ShapeError or RangeError for another network's.
 */
export function readCheckpoint(file: Uint8Array, { shapes, weightNames }: Stated, optimizer: string): Checkpoint {
  const tensors = readSafetensors(file);
  const metadata = safetensorsMetadata(file);
  if (metadata.format !== FORMAT) {
    throw new FormatError(
      `resume: the file is not a checkpoint; checkpoint() writes one, and load() takes a file of save().`,
    );
  }
  if (metadata.optimizer !== optimizer) {
    throw new TypeError(
      `resume: the checkpoint is of the optimizer ${metadata.optimizer}; this trainer has ${optimizer}. They must be the same.`,
    );
  }
  const steps = Number(metadata.steps);
  if (!/^\d+$/.test(metadata.steps ?? "") || !Number.isSafeInteger(steps)) {
    throw new FormatError(
      `resume: the checkpoint's steps are "${metadata.steps}"; they must be an integer of at least 0.`,
    );
  }
  const [bestOnes, others] = [true, false].map((best) =>
    Object.fromEntries(
      Object.entries(tensors)
        .filter(([name]) => name.startsWith(BEST) === best)
        .map(([name, tensor]) => [best ? name.slice(BEST.length) : name, tensor]),
    ),
  ) as [typeof tensors, typeof tensors];
  const seen = metadata.epochs === undefined ? null : parseEpochs(metadata.epochs);
  const kept = Object.fromEntries(weightNames.map((name) => [name, shapes[name] as Shape]));
  const best = Object.keys(bestOnes).length === 0 ? null : matching("resume: best epoch", bestOnes, kept);
  const place = metadata.fit === undefined ? null : parsePlace(metadata.fit, seen && { ...seen, best });
  if (place !== null && place.position > steps) {
    throw new FormatError(
      `resume: the checkpoint stands at step ${place.position} of a fit, but has only ${steps} steps in all.`,
    );
  }
  const order =
    metadata.order === undefined ? null : parseOrder("order of batches", metadata.order, parsed(metadata.order));
  return { values: matching("resume", others, shapes), optimizer, steps, place, order };
}

function parsePlace(text: string, epochs: EpochStanding | null): Place {
  const place = parsed(text);
  const order = parseOrder("place in its fit", text, place);
  const { position } = place;
  if (isCount(position, 0)) return { position, epochs, ...order };
  throw wrongPlace("place in its fit", text);
}

function parseOrder(what: string, text: string, { rows, batchSize, shuffle, seed, epoch = 0 }: Partial<Place>): Order {
  if (
    isCount(rows, 1) &&
    isCount(batchSize, 1) &&
    isCount(seed, 0) &&
    isCount(epoch, 0) &&
    typeof shuffle === "boolean"
  )
    return { rows, batchSize, shuffle, seed, epoch };
  throw wrongPlace(what, text);
}

/** Infinity, the best loss before the first, is null in JSON. */
function parseEpochs(text: string): Omit<EpochStanding, "best"> {
  const { seenTo, lossSum, rows, stopping, plateau, factors } = parsed<Omit<EpochStanding, "best">>(text);
  const isWaited = (waited: Partial<Waited> | null | undefined) =>
    waited === null || (isCount(waited?.epochs, 0) && (waited.best === null || typeof waited.best === "number"));
  const isFactor = (factor: Partial<Factor> | null) => isCount(factor?.from, 0) && typeof factor.factor === "number";
  if (
    isCount(seenTo, 0) &&
    isCount(rows, 0) &&
    typeof lossSum === "number" &&
    isWaited(stopping) &&
    isWaited(plateau) &&
    Array.isArray(factors) &&
    factors.every(isFactor)
  ) {
    const waited = (given: Waited | null | undefined) => given && { ...given, best: given.best ?? Infinity };
    return { seenTo, lossSum, rows, factors, stopping: waited(stopping) ?? null, plateau: waited(plateau) ?? null };
  }
  throw new FormatError(
    `resume: what the checkpoint says of epochs is ${text}; it must be JSON with seenTo, lossSum, rows, stopping, plateau and factors.`,
  );
}

function parsed<T = Place>(text: string): Partial<T> {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {}; // not JSON: refused for what is missing
  }
}

function isCount(value: unknown, least: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= least;
}

function wrongPlace(what: string, text: string): FormatError {
  const integers =
    what === "place in its fit" ? "position, rows, batchSize and seed" : "rows, batchSize, seed and epoch";
  return new FormatError(
    `resume: the checkpoint's ${what} is ${text}; it must be JSON with the integers ${integers}, and shuffle.`,
  );
}
