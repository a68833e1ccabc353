import { grad } from "../graph/autodiff";
import type { Program } from "../graph/program";
import { input, iota, parameter, type Tensor } from "../graph/tensor";
import type { Shape } from "../util/shape";
import type { TargetKind } from "./dataset";
import type { Criterion } from "./losses";
import type { Sequential } from "./model";
import { ruleStep, slotName, type UpdateRule } from "./optimizer-step";
import type { Rule } from "./optimizers";

/** How often data are likely to be evaluated: compiling must repay itself within so many. */
const EVALUATIONS = 16;
/** Far below any share that a class may have. */
const LEAST_SHARE = 2 ** -100;

/** What a training program is compiled for. */
export interface TrainingShape {
  /** Rows of the data that the device holds. */
  readonly rows: number;
  /** Rows a step, picked from the data by the `order`; null where each step takes all as they stand. */
  readonly batch: number | null;
  /** Whether a batch may have fewer rows than `batch`: the order then has -1 for what is missing. */
  readonly ragged: boolean;
  readonly kind: TargetKind;
  /** Whether each row has a factor for its loss. */
  readonly weighted?: boolean;
  /** Steps that the tables of one run cover at most. */
  readonly steps: number;
}

/** What of a network is trained, and how, beyond loss and optimizer. */
export interface Trained {
  /** The norm that all gradients together are held to. */
  readonly clipNorm?: number | undefined;
  /** Whether what has this name stays as it is. */
  frozen(name: string): boolean;
  /** What differs from copy to copy of the program: inputs of their own. */
  readonly each?: { readonly halfL2?: Tensor | undefined; seed(given: number): Tensor };
}

const EVERYTHING: Trained = { frozen: () => false };

/** Names of the parameters that are trained. */
export function trainedNames(model: Sequential, { frozen }: Trained): string[] {
  return Object.keys(model.parameters).filter((name) => !frozen(name));
}

/** Shapes of weights, of the layers' state and of the optimizer's, by their names in a training program. */
export function stateShapes(model: Sequential, rule: Rule, trained = EVERYTHING): Record<string, Shape> {
  const shapes: Record<string, Shape> = mapValues(model.held, ({ shape }) => shape);
  for (const slot of rule.slots) {
    for (const name of trainedNames(model, trained)) shapes[slotName(slot, name)] = model.parameters[name] as Shape;
  }
  return shapes;
}

/**
 * One step of training. Parameters: the weights, the layers' state and the optimizer's, the data ("data.x", "data.y"), which stay as
 * they are, and "step", which counts the steps of a run from 0. Inputs are tables over the steps of a run: "order" of rows
 * [steps, batch] and the optimizer's scalars [steps]; "base" is the number of steps before the run, for dropout.
 * Output "loss" is that of the batch, before the update.
 */
export function trainingProgram(
  model: Sequential,
  loss: Criterion,
  rule: UpdateRule,
  shape: TrainingShape,
  trained = EVERYTHING,
): Program {
  const { rows, batch, ragged, kind, weighted, steps } = shape;
  const inputs: Record<string, Tensor> = {};
  const held = mapValues(model.held, ({ shape }) => parameter(shape));
  const step = parameter([]);
  const at = step.toInt32();
  const data: Record<string, Tensor> = dataParameters(model, rows, kind);
  if (weighted) data["data.weights"] = parameter([rows]);
  let [x, y, weights] = [data["data.x"] as Tensor, data["data.y"] as Tensor, data["data.weights"] ?? null];
  let present: Tensor | null = null;
  if (batch !== null) {
    inputs.order = input([steps, batch], "int32");
    const picked = inputs.order.take(at);
    x = x.take(picked);
    y = y.take(picked);
    weights = weights?.take(picked) ?? null;
    if (ragged) present = picked.ge(0);
  }
  const becomes: Record<string, Tensor> = {};
  let counter: Tensor | null = null;
  const outputs = model.forward(x, held, {
    counter() {
      if (counter === null) {
        inputs.base = input([], "int32");
        counter = inputs.base.add(at);
      }
      return counter;
    },
    present,
    ...(trained.each && { seed: trained.each.seed }),
    frozen: trained.frozen,
    becomes,
  });
  const { positions, units } = model;
  const wanted = targets(y, kind, units);
  let terms = loss.terms(asRows(outputs, units), wanted);
  if (weights !== null) terms = terms.mul(byPosition(weights, positions));
  let total = masked(terms, present, positions).sum();
  if (loss.divides(kind)) {
    // A batch of classes that count nothing has a loss of 0, not 0 / 0.
    total = total.div(masked(loss.shares(wanted), present, positions).sum().maximum(LEAST_SHARE));
  } else if (loss.reduction === "mean") {
    total =
      present === null
        ? total.mul(1 / loss.divisor((batch ?? rows) * positions, units))
        : total.div(present.sum().mul(positions * loss.elements(units)));
  }
  const penalty = model.penalty(held, trained.each?.halfL2);
  if (penalty !== null) total = total.add(penalty);

  const scalars = rule.tables.map((name) => {
    const table = input([steps]);
    inputs[name] = table;
    return table.take(at);
  });
  const names = trainedNames(model, trained);
  const weightsByName = Object.fromEntries(names.map((name) => [name, held[name] as Tensor]));
  const gradients = grad(total, Object.values(weightsByName));
  const { state, updates } = ruleStep(rule, weightsByName, gradients, scalars, trained.clipNorm);
  return {
    inputs,
    parameters: { ...held, ...state, ...data, step },
    outputs: { loss: total },
    updates: { step: step.add(1), ...becomes, ...updates },
  };
}

/** The network's prediction of `rows` rows: input "x" [rows, inputs], output "prediction" [rows, outputs]. */
export function predictionProgram(model: Sequential, loss: Criterion, rows: number): Program {
  const held = mapValues(model.held, ({ shape }) => parameter(shape));
  const x = input([rows, model.inputs]);
  const outputs = asRows(model.forward(x, held), model.units);
  return {
    inputs: { x },
    parameters: held,
    outputs: { prediction: loss.predicted(outputs).reshape([rows, model.outputs]) },
  };
}

/**
 * Loss and hits of data on the device, `chunk` rows a step: run for ceil(count / chunk) steps from "step" 0. Input "count"
 * says how many rows there are. Outputs, each over the chunk: "terms", the loss before its reduction; "hits", how many
 * predictions are right; "shares", what a mean is divided by where classes have factors; "penalty", that of the whole network.
 */
export function evaluationProgram(
  model: Sequential,
  loss: Criterion,
  rows: number,
  chunk: number,
  kind: TargetKind,
  halfL2?: Tensor,
): Program {
  const held = mapValues(model.held, ({ shape }) => parameter(shape));
  const step = parameter([]);
  const count = input([], "int32");
  const data = dataParameters(model, rows, kind);
  const picked = iota(chunk).add(step.toInt32().mul(chunk));
  const present = picked.lt(count);
  const { positions, units } = model;
  const outputs = asRows(model.forward(data["data.x"].take(picked), held), units);
  const wanted = targets(data["data.y"].take(picked), kind, units);

  const counted = (terms: Tensor) => masked(terms, loss.whole ? null : present, positions).sum();
  const results: Record<string, Tensor> = { terms: counted(loss.terms(outputs, wanted)) };
  const hits = loss.hits(outputs, wanted);
  if (hits !== null) results.hits = counted(hits);
  if (loss.divides(kind)) results.shares = counted(loss.shares(wanted));
  const penalty = model.penalty(held, halfL2);
  if (penalty !== null) results.penalty = penalty;
  return {
    inputs: { count },
    parameters: { ...held, ...data, step },
    outputs: results,
    updates: { step: step.add(1) },
    steps: EVALUATIONS * Math.ceil(rows / chunk),
  };
}

function dataParameters(model: Sequential, rows: number, kind: TargetKind) {
  const x = parameter([rows, model.inputs]);
  const { positions } = model;
  const y = parameter(kind === "values" ? [rows, model.outputs] : positions === 1 ? [rows] : [rows, positions]);
  return { "data.x": x, "data.y": y };
}

/** What a network makes of examples, a row for each of their positions: [rows * positions, units]. */
function asRows(outputs: Tensor, units: number): Tensor {
  return outputs.reshape([-1, units]);
}

/** Targets [rows * positions, units]; a class becomes a row of 0 and one 1. float32 holds classes exactly, up to 2^24. */
function targets(y: Tensor, kind: TargetKind, units: number): Tensor {
  return kind === "classes" ? y.reshape([-1]).toInt32().oneHot(units) : y.reshape([-1, units]);
}

/** `x` [rows * positions, ·] with 0 for rows that are not present. */
function masked(x: Tensor, present: Tensor | null, positions: number): Tensor {
  return present === null ? x : x.mask(byPosition(present, positions));
}

/** A number a row, [rows], for each of its positions: [rows * positions, 1]. */
function byPosition(x: Tensor, positions: number): Tensor {
  const rows = x.shape[0] as number;
  const each = x.reshape([rows, 1]);
  return positions === 1 ? each : each.broadcastTo([rows, positions]).reshape([rows * positions, 1]);
}

function mapValues<A, B>(record: Record<string, A>, change: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, change(value)]));
}
