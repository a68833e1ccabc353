import { checkInteger, checkJson, checkNames, type Json, told } from "./json";
import { gridPoints, type Point, randomPoints, type Space } from "./space";
import type { Trial } from "./trial";

/**
 * Which trials there are, and how far each is trained.
 *
 * - "grid": all combinations of the space, to their end.
 * - random: `trials` points of the space, drawn by `seed` (default 0), to their end.
 * - halving: such points (all combinations, where `trials` is left out) are trained for `epochs` epochs; the best 1/`factor` of them (default 3) go on
 *   to `factor` times as many, and so on, until what is left is trained to its end. Source: Jamieson and Talwalkar 2016, algorithm 1, as Li
 *   et al. 2018 (Hyperband) have it.
 */
export type Strategy =
  | "grid"
  | { readonly name: "grid" }
  | { readonly name: "random"; readonly trials: number; readonly seed?: number }
  | {
      readonly name: "halving";
      readonly epochs: number;
      readonly factor?: number;
      readonly trials?: number;
      readonly seed?: number;
    };

/** A strategy, checked, for a space. */
export interface Plan {
  readonly points: readonly Point[];
  /** Of successive halving: epochs of the first rung, and by how much they grow and the trials become fewer. Null: every trial to its end. */
  readonly halving: { readonly epochs: number; readonly factor: number } | null;
}

const MOST_TRIALS = 100_000;

/** Throws TypeError or RangeError. */
export function planOf(space: Space, given: Strategy): Plan {
  const checked = checkJson("strategy", typeof given === "string" ? { name: given } : given);
  const { name } = checkNames("strategy", checked, ["name", "trials", "seed", "epochs", "factor"]);
  const own = (names: readonly string[]) => checkNames("strategy", checked, ["name", ...names]);
  const drawn = (trials: Json | undefined, seed: Json = 0) =>
    randomPoints(
      space,
      checkInteger("strategy.trials", trials, 1, MOST_TRIALS),
      checkInteger("strategy.seed", seed, 0, 0xffffffff),
    );
  switch (name) {
    case "grid":
      own([]);
      return { points: gridPoints(space), halving: null };
    case "random": {
      const { trials, seed } = own(["trials", "seed"]);
      return { points: drawn(trials, seed), halving: null };
    }
    case "halving": {
      const { trials, seed, epochs, factor = 3 } = own(["trials", "seed", "epochs", "factor"]);
      const halving = {
        epochs: checkInteger("strategy.epochs", epochs, 1, 1_000_000),
        factor: checkInteger("strategy.factor", factor, 2, 1000),
      };
      return { points: trials === undefined ? gridPoints(space) : drawn(trials, seed), halving };
    }
    default:
      throw new TypeError(`strategy.name is ${told(name)}; it must be grid, random or halving.`);
  }
}

/** How far trials are trained at a rung, and how many of them. */
export interface Rung {
  /** From the beginning; null: each trial's own. */
  readonly epochs: number | null;
  readonly trials: number;
}

/** The rungs of a plan. Throws RangeError where trials that are compared would end at different epochs. */
export function rungsOf({ halving }: Plan, trials: readonly Trial[]): Rung[] {
  if (halving === null) return [{ epochs: null, trials: trials.length }];
  const [first = 1] = trials.map(({ epochs }) => epochs);
  const other = trials.find(({ epochs }) => epochs !== first);
  if (other !== undefined)
    throw new RangeError(
      `strategy: halving compares trials of as many epochs; there are some of ${first} and some of ${other.epochs}. Give all the same.`,
    );
  if (halving.epochs > first)
    throw new RangeError(`strategy.epochs is ${halving.epochs}; the trials have only ${first}. Give it fewer.`);
  const rungs: Rung[] = [];
  let count = trials.length;
  for (let epochs = halving.epochs; ; epochs *= halving.factor) {
    rungs.push({ epochs: Math.min(epochs, first), trials: count });
    if (epochs >= first) return rungs;
    count = Math.max(1, Math.floor(count / halving.factor));
  }
}
