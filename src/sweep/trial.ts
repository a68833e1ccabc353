import { type Layer, type Loss, type Model, type Optimizer, sequential } from "../index";
import type { Sequential } from "../nn/model";
import { sizeOf } from "../util/shape";
import { canonical, checkInteger, checkJson, checkNames, isObject, type Json, type JsonObject, told } from "./json";
import { layersOf, lossOf, type Named, optimizerOf, within } from "./named";

/** A network and how it is trained, as data: what a queue may hold. */
export interface TrialDescription {
  /** Of an example: a number of features, or a shape. Left out where the data say it. */
  inputs?: number | readonly number[];
  layers: readonly Named[];
  loss: Named;
  /** Its `lr` may be a schedule: `{ name: "cosineDecay", lr: 0.1, steps: 1000 }`. */
  optimizer: Named;
  /** All rows where left out. */
  batchSize?: number;
  /** Default true. */
  shuffle?: boolean;
  clipNorm?: number;
  classWeights?: readonly number[];
  /** Of the first weights, the dropout and the order of the batches; default 0. */
  seed?: number;
  epochs: number;
}

/** Checked, with what was left out filled in. */
export interface Trial extends TrialDescription {
  readonly inputs: number | readonly number[];
  readonly shuffle: boolean;
  readonly seed: number;
}

/** What a description makes. */
export interface MadeTrial {
  readonly model: Model;
  readonly loss: Loss;
  readonly optimizer: Optimizer;
}

const NAMES = [
  ...["inputs", "layers", "loss", "optimizer", "batchSize", "shuffle", "clipNorm", "classWeights", "seed", "epochs"],
];
/** What no machine is asked for by a queue: 256 MiB of weights, and as much for an example. */
const MOST_NUMBERS = 2 ** 26;
const MOST_EPOCHS = 1_000_000;
const MOST_ROWS = 2 ** 30;

/** Checks all of a description, down to the last layer's shape. Throws TypeError, RangeError or ShapeError, with the path and what would be right. */
export function checkTrial(path: string, given: unknown): { trial: Trial; made: MadeTrial } {
  const all = checkNames(path, checkJson(path, given), NAMES);
  const { inputs, shuffle = true, clipNorm, classWeights } = all;
  const seed = checkInteger(`${path}.seed`, all.seed ?? 0, 0, 0xffffffff);
  const epochs = checkInteger(`${path}.epochs`, all.epochs, 1, MOST_EPOCHS);
  if (all.batchSize !== undefined) checkInteger(`${path}.batchSize`, all.batchSize, 1, MOST_ROWS);
  if (typeof shuffle !== "boolean")
    throw new TypeError(`${path}.shuffle is ${told(shuffle)}; it must be true or false.`);
  if (clipNorm !== undefined && !(typeof clipNorm === "number" && clipNorm > 0))
    throw new RangeError(`${path}.clipNorm is ${told(clipNorm)}; it must be a number above 0.`);
  const isWeight = (weight: Json) => typeof weight === "number" && weight >= 0;
  if (classWeights !== undefined && !(Array.isArray(classWeights) && classWeights.every(isWeight)))
    throw new TypeError(`${path}.classWeights is ${told(classWeights)}; it must be an array of numbers of at least 0.`);
  if (inputs === undefined)
    throw new TypeError(`${path}.inputs is not given; it must be the number of features, or the shape of an example.`);
  const layers = layersOf(`${path}.layers`, all.layers);
  const loss = lossOf(`${path}.loss`, all.loss);
  const optimizer = optimizerOf(`${path}.optimizer`, all.optimizer);
  const model = within(path, () => sequential(inputs as number, layers, { seed }));
  checkSize(path, model, layers);
  return { trial: { ...all, seed, epochs, shuffle } as unknown as Trial, made: { model, loss, optimizer } };
}

function checkSize(path: string, model: Model, layers: readonly Layer[]): void {
  const weights = Object.values(model.parameters).reduce((sum, shape) => sum + sizeOf(shape), 0);
  const { widest } = model as Sequential;
  for (const [what, count] of [
    ["weights", weights],
    ["numbers between two of its layers", widest],
  ] as const) {
    if (count <= MOST_NUMBERS) continue;
    throw new RangeError(
      `${path}.layers: the ${layers.length} layers make a network of ${count} ${what}; ${MOST_NUMBERS} is the most that a trial may have.`,
    );
  }
}

/**
 * What trials must have in common to be trained side by side, as copies of one network: all but the seed, the learning rate and the weight
 * decay. Null for one that an ensemble has no way to train.
 */
export function shapeOf({ seed: _, ...trial }: Trial): string | null {
  if (trial.clipNorm !== undefined || trial.classWeights !== undefined) return null;
  const optimizer = typeof trial.optimizer === "string" ? { name: trial.optimizer } : trial.optimizer;
  const own = Object.entries(optimizer).map(([name, value]) => [name, isOwn(name, value) ? "each" : value]);
  return canonical({ ...trial, optimizer: Object.fromEntries(own) } as unknown as JsonObject);
}

/** Whether an optimizer's option is a number that each copy may have for itself. A weight decay of 0 is none, which makes another step. */
function isOwn(name: string, value: Json): boolean {
  return typeof value === "number" && (name === "lr" || (name === "weightDecay" && value > 0));
}

/** What each of the trials of one shape has for itself, and the optimizer that they have in common. */
export function eachOf(trials: readonly Trial[]): {
  each: { lr?: number[]; weightDecay?: number[] };
  optimizer: Optimizer;
} {
  const optimizers = trials.map(({ optimizer }) => (typeof optimizer === "string" ? { name: optimizer } : optimizer));
  const [first = { name: "" }] = optimizers;
  const own = Object.keys(first).filter((name) => isOwn(name, (first as JsonObject)[name] as Json));
  const each = Object.fromEntries(
    own.map((name) => [name, optimizers.map((optimizer) => (optimizer as JsonObject)[name] as number)]),
  );
  const { weightDecay, ...others } = first as JsonObject;
  const common = own.includes("weightDecay") ? others : first;
  return { each, optimizer: optimizerOf("optimizer", common as Json) };
}

/** What a trial is written with: a description with "$name" where a value of the point belongs; or a function that gives one of a point. */
export type TrialTemplate = JsonObject | ((point: Readonly<Record<string, Json>>) => TrialDescription);

/** What the data say of a trial besides its point; each has its name in a description, as "$outputs". */
export interface Given {
  /** Of an example. */
  readonly inputs?: number | readonly number[];
  /** Classes, or numbers to be predicted. */
  readonly outputs?: number;
  readonly rows: number;
}

/** Names that the data have, or that are made of the trial itself. */
export const GIVEN_NAMES = ["inputs", "outputs", "rows", "steps"];

/** The trial of a point, every "$name" replaced. Throws TypeError, RangeError or ShapeError. */
export function trialAt(template: TrialTemplate, point: Readonly<Record<string, Json>>, given: Given): Trial {
  const described = typeof template === "function" ? template(point) : template;
  const plain = checkJson("trial", described);
  if (!isObject(plain)) throw new TypeError(`trial is ${told(plain)}; it must be an object with ${NAMES.join(", ")}.`);
  const values: Record<string, Json | undefined> = { ...(given as unknown as JsonObject), ...point };
  const [epochs, batchSize = given.rows] = ["epochs", "batchSize"].map((name) =>
    plain[name] === undefined ? undefined : filled(`trial.${name}`, plain[name], values),
  );
  // Of the whole training, for a schedule.
  if (typeof epochs === "number" && typeof batchSize === "number" && batchSize >= 1)
    values.steps = epochs * Math.ceil(given.rows / batchSize);
  const whole = filled("trial", plain, values) as JsonObject;
  const inputs = given.inputs === undefined ? {} : { inputs: given.inputs as Json };
  return checkTrial("trial", { ...inputs, ...whole }).trial;
}

function filled(path: string, value: Json, values: Readonly<Record<string, Json | undefined>>): Json {
  if (typeof value === "string") {
    if (!value.startsWith("$")) return value;
    const found = Object.hasOwn(values, value.slice(1)) ? values[value.slice(1)] : undefined;
    if (found !== undefined) return found;
    const known = Object.keys(values).filter((name) => values[name] !== undefined);
    throw new TypeError(
      `${path} is ${told(value)}, and there is no such value here; there are ${known.map((name) => `$${name}`).join(", ")}.`,
    );
  }
  if (Array.isArray(value)) return value.map((each, i) => filled(`${path}[${i}]`, each, values));
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [name, filled(`${path}.${name}`, each, values)]),
  );
}
