import { shown } from "../util/checks";
import type { Batches } from "./batches";
import type { EpochStanding } from "./epochs";

/** What the order of batches depends on. */
export interface Order {
  readonly rows: number;
  readonly batchSize: number;
  readonly shuffle: boolean;
  readonly seed: number;
  /** Epochs of this order that fits before have gone through: the next takes the permutation after theirs. */
  readonly epoch: number;
}

/** Where in a fit training stands: what the order of its batches depends on, how many of its steps are done, and what was seen of its epochs. */
export interface Place extends Order {
  readonly position: number;
  readonly epochs: EpochStanding | null;
}

/** Where training stands: steps over all fits, and the place in the fit that runs or was stopped last. */
export interface Standing {
  readonly steps: number;
  /** Null between fits. */
  readonly place: Place | null;
  /** How far the order of batches has come; null before the first fit. */
  readonly order: Order | null;
}

/** A fit, as far as it says where training stands. */
export interface Course {
  readonly fit: Order;
  /** Steps of the trainer before step 0 of the fit, and those of the fit: Infinity where it is open. */
  readonly before: number;
  readonly steps: number;
  readonly batches: Batches;
}

export function standingAt(
  position: number,
  { fit, before, steps, batches }: Course,
  epochs: EpochStanding | null,
): Standing {
  const order = { ...fit, epoch: fit.epoch + Math.ceil(position / batches.stepsPerEpoch) };
  return { steps: before + position, place: position < steps ? { position, epochs, ...fit } : null, order };
}

/** How many epochs of this order fits have gone through. */
export function epochsOf(known: Order | null, order: Omit<Order, "epoch">): number {
  const same = (["rows", "batchSize", "shuffle", "seed"] as const).every((name) => known?.[name] === order[name]);
  return known !== null && same ? known.epoch : 0;
}

/** The step at which a fit is taken up. Throws RangeError where it is not the one that the checkpoint was taken in. */
export function placeIn(call: string, place: Place, fit: Order, steps: number): number {
  for (const name of ["rows", "batchSize", "shuffle", "seed"] as const) {
    if (place[name] === fit[name]) continue;
    throw new RangeError(
      `${call}: it takes up the fit of the checkpoint at step ${place.position}, where ${name} was ${place[name]}; here it is ${shown(fit[name])}. Give the same data and options, or begin anew: a trainer that load()s the weights.`,
    );
  }
  if (place.position >= steps) {
    throw new RangeError(
      `${call}: it takes up the fit of the checkpoint at step ${place.position}, and has only ${steps} steps; give more.`,
    );
  }
  return place.position;
}
