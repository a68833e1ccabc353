import {
  absoluteError,
  activation,
  adam,
  avgPool2d,
  batchNorm,
  binaryCrossEntropy,
  conv1d,
  conv2d,
  convTranspose2d,
  cosineDecay,
  dense,
  dropout,
  embedding,
  flatten,
  globalAveragePool,
  groupNorm,
  gru,
  huber,
  type Layer,
  type Loss,
  layerNorm,
  lstm,
  maxPool2d,
  multiHeadAttention,
  type Optimizer,
  positionEmbedding,
  residual,
  rmsNorm,
  rmsprop,
  sgd,
  softmaxCrossEntropy,
  squaredError,
  stepDecay,
  upsample2d,
} from "../index";
import { isObject, type Json, told } from "./json";

/**
 * What a function of the library is called with, as data: its name, or an object of its `name`, its arguments by their names, and its options
 * beside them. `dense(16, { activation: "relu" })` is `{ name: "dense", units: 16, activation: "relu" }`, and `flatten()` is "flatten".
 */
export type Named = string | { readonly name: string; readonly [option: string]: Json };

/** A function by the name that data call it: the names of its arguments before the options, and whether it has options. */
interface Row<T> {
  readonly takes: readonly string[];
  readonly options: boolean;
  make(...values: unknown[]): T;
}

// What it is called with is checked by the function itself.
function row<T>(make: (...values: never[]) => T, takes: readonly string[] = [], options = true): Row<T> {
  return { takes, options, make: make as (...values: unknown[]) => T };
}

export const LAYERS: Readonly<Record<string, Row<Layer>>> = {
  dense: row(dense, ["units"]),
  activation: row(activation, ["activation"], false),
  dropout: row(dropout, ["rate"], false),
  flatten: row(flatten, [], false),
  residual: row(residual, ["layers"], false),
  batchNorm: row(batchNorm),
  layerNorm: row(layerNorm),
  groupNorm: row(groupNorm, ["groups"]),
  rmsNorm: row(rmsNorm),
  conv1d: row(conv1d, ["filters", "kernel"]),
  conv2d: row(conv2d, ["filters", "kernel"]),
  convTranspose2d: row(convTranspose2d, ["filters", "kernel"]),
  maxPool2d: row(maxPool2d, ["size"]),
  avgPool2d: row(avgPool2d, ["size"]),
  globalAveragePool: row(globalAveragePool, [], false),
  upsample2d: row(upsample2d, ["factor"], false),
  multiHeadAttention: row(multiHeadAttention, ["heads"]),
  gru: row(gru, ["units"]),
  lstm: row(lstm, ["units"]),
  embedding: row(embedding, ["vocabulary", "size"]),
  positionEmbedding: row(positionEmbedding, [], false),
};

export const LOSSES: Readonly<Record<string, Row<Loss>>> = {
  squaredError: row(squaredError),
  absoluteError: row(absoluteError),
  huber: row(huber),
  softmaxCrossEntropy: row(softmaxCrossEntropy),
  binaryCrossEntropy: row(binaryCrossEntropy),
};

export const OPTIMIZERS: Readonly<Record<string, Row<Optimizer>>> = {
  sgd: row(sgd),
  adam: row(adam),
  rmsprop: row(rmsprop),
};

export const SCHEDULES: Readonly<Record<string, Row<(step: number) => number>>> = {
  cosineDecay: row(cosineDecay, ["lr", "steps"]),
  stepDecay: row(stepDecay, ["lr", "every", "factor"], false),
};

/** The layers of a description, those within others too. Throws TypeError, RangeError or ShapeError, with the path. */
export function layersOf(path: string, given: Json | undefined): Layer[] {
  if (!Array.isArray(given)) throw new TypeError(`${path} is ${told(given)}; it must be an array of layers.`);
  return given.map((each: Json, i) => {
    const at = `${path}[${i}]`;
    // A layer made of layers has them by this name.
    const parts = (name: string, value: Json) => (name === "layers" ? layersOf(`${at}.layers`, value) : value);
    return made(at, "layer", LAYERS, each, parts);
  });
}

export function lossOf(path: string, given: Json | undefined): Loss {
  return made(path, "loss", LOSSES, given);
}

export function optimizerOf(path: string, given: Json | undefined): Optimizer {
  const parts = (name: string, value: Json) =>
    name === "lr" && isObject(value) ? made(`${path}.lr`, "schedule", SCHEDULES, value) : value;
  return made(path, "optimizer", OPTIMIZERS, given, parts);
}

function made<T>(
  path: string,
  kind: string,
  rows: Readonly<Record<string, Row<T>>>,
  given: Json | undefined,
  part: (name: string, value: Json) => unknown = (_, value) => value,
): T {
  const described = typeof given === "string" ? { name: given } : given;
  const known = Object.keys(rows).join(", ");
  if (!isObject(described))
    throw new TypeError(`${path} is ${told(given)}; it must be the name of a ${kind}, or an object with its name.`);
  const { name, ...rest } = described;
  if (typeof name !== "string" || !Object.hasOwn(rows, name))
    throw new TypeError(`${path}.name is ${told(name)}; it must be one of ${known}.`);
  const { takes, options, make } = rows[name] as Row<T>;
  for (const argument of takes) {
    if (!Object.hasOwn(rest, argument))
      throw new TypeError(`${path} is ${name} without "${argument}"; it takes ${takes.join(", ")}.`);
  }
  const others = Object.entries(rest).filter(([other]) => !takes.includes(other));
  if (!options && others.length > 0) {
    const has = takes.length === 0 ? "it has none" : `what it has is ${takes.join(", ")}`;
    throw new TypeError(`${path}: ${name} has no "${others[0]?.[0].slice(0, 60)}"; ${has}.`);
  }
  const values = takes.map((argument) => part(argument, rest[argument] as Json));
  const own = Object.fromEntries(others.map(([option, value]) => [option, part(option, value)]));
  return within(path, () => make(...values, ...(options ? [own] : [])));
}

/** What is thrown in `work` says where in the description that is. */
export function within<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof Error) error.message = `${path}: ${error.message}`;
    throw error;
  }
}
