import { readSafetensors, safetensorsMetadata, writeSafetensors } from "../files/safetensors";
import { FormatError } from "../util/errors";
import type { Shape } from "../util/shape";
import type { Arrays } from "./state";
import { matching } from "./weights-file";

/** Where in a fit training stands: what the order of its batches depends on, and how many of its steps are done. */
export interface Place extends Order {
  readonly position: number;
}

/** What the order of batches depends on. */
export interface Order {
  readonly rows: number;
  readonly batchSize: number;
  readonly shuffle: boolean;
  readonly seed: number;
  /** Epochs of this order that fits before have gone through: the next takes the permutation after theirs. */
  readonly epoch: number;
}

export interface Checkpoint {
  /** Weights and the optimizer's state, by their names in training. */
  readonly values: Arrays;
  readonly optimizer: string;
  /** Steps of the trainer, over all its fits. */
  readonly steps: number;
  /** Null between fits. */
  readonly place: Place | null;
  /** Between fits: how far the shuffle has come; null before the first. */
  readonly order: Order | null;
}

const FORMAT = "wgrad checkpoint 1";

export function writeCheckpoint(
  { values, optimizer, steps, place, order }: Checkpoint,
  shapes: Record<string, Shape>,
): Uint8Array<ArrayBuffer> {
  const tensors = Object.entries(shapes).map(([name, shape]) => [
    name,
    { shape, values: values[name] as Float32Array },
  ]);
  return writeSafetensors(Object.fromEntries(tensors), {
    format: FORMAT,
    optimizer,
    steps: String(steps),
    ...(place && { fit: JSON.stringify(place) }),
    ...(!place && order && { order: JSON.stringify(order) }),
  });
}

/**
 * Reads a checkpoint for a network and optimizer with state of these shapes. Throws FormatError for what is no
 * checkpoint, TypeError for another optimizer's, ShapeError or RangeError for another network's.
 */
export function readCheckpoint(file: Uint8Array, shapes: Record<string, Shape>, optimizer: string): Checkpoint {
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
  const place = metadata.fit === undefined ? null : parsePlace(metadata.fit);
  if (place !== null && place.position > steps) {
    throw new FormatError(
      `resume: the checkpoint stands at step ${place.position} of a fit, but has only ${steps} steps in all.`,
    );
  }
  const order =
    metadata.order === undefined ? null : parseOrder("order of batches", metadata.order, parsed(metadata.order));
  return { values: matching("resume", tensors, shapes), optimizer, steps, place, order };
}

function parsePlace(text: string): Place {
  const place = parsed(text);
  const order = parseOrder("place in its fit", text, place);
  const { position } = place;
  if (isCount(position, 0)) return { position, ...order };
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

function parsed(text: string): Partial<Place> {
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
