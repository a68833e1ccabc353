import { grad } from "../graph/autodiff";
import type { Program } from "../graph/program";
import { input, iota, parameter, type Tensor } from "../graph/tensor";
import type { Shape } from "../util/shape";
import type { TargetKind } from "./dataset";
import type { Criterion } from "./losses";
import type { Sequential } from "./model";
import type { Rule } from "./optimizers";

/** How often data are likely to be evaluated: compiling must repay itself within so many. */
const EVALUATIONS = 16;

/** What a training program is compiled for. */
export interface TrainingShape {
  /** Rows of the data that the device holds. */
  readonly rows: number;
  /** Rows a step, picked from the data by the `order`; null where each step takes all as they stand. */
  readonly batch: number | null;
  /** Whether a batch may have fewer rows than `batch`: the order then has -1 for what is missing. */
  readonly ragged: boolean;
  readonly kind: TargetKind;
  /** Steps that the tables of one run cover at most. */
  readonly steps: number;
}

/** The name of an optimizer's state of one parameter. */
export function slotName(slot: string, parameter: string): string {
  return `${slot}.${parameter}`;
}

/** Shapes of weights, of the layers' state and of the optimizer's, by their names in a training program. */
export function stateShapes(model: Sequential, rule: Rule): Record<string, Shape> {
  const shapes: Record<string, Shape> = mapValues(model.held, ({ shape }) => shape);
  for (const slot of rule.slots) {
    for (const [name, shape] of Object.entries(model.parameters)) shapes[slotName(slot, name)] = shape;
  }
  return shapes;
}

/**
 * One step of training. Parameters: the weights, the layers' state and the optimizer's, the data ("data.x", "data.y"), which stay as
 * they are, and "step", which counts the steps of a run from 0. Inputs are tables over the steps of a run: "order" of rows
 * [steps, batch] and the optimizer's scalars [steps]; "base" is the number of steps before the run, for dropout.
 * Output "loss" is that of the batch, before the update.
 */
export function trainingProgram(model: Sequential, loss: Criterion, rule: Rule, shape: TrainingShape): Program {
  const { rows, batch, ragged, kind, steps } = shape;
  const inputs: Record<string, Tensor> = {};
  const held = mapValues(model.held, ({ shape }) => parameter(shape));
  const step = parameter([]);
  const at = step.toInt32();
  const data = dataParameters(model, rows, kind);
  let [x, y] = [data["data.x"], data["data.y"]];
  let present: Tensor | null = null;
  if (batch !== null) {
    inputs.order = input([steps, batch], "int32");
    const picked = inputs.order.take(at);
    x = x.take(picked);
    y = y.take(picked);
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
    frozen: () => false,
    becomes,
  });
  const { positions, units } = model;
  const terms = loss.terms(asRows(outputs, units), targets(y, kind, units));
  let total = masked(terms, present, positions).sum();
  if (loss.reduction === "mean") {
    total =
      present === null
        ? total.mul(1 / loss.divisor((batch ?? rows) * positions, units))
        : total.div(present.sum().mul(positions * loss.elements(units)));
  }
  const penalty = model.penalty(held);
  if (penalty !== null) total = total.add(penalty);

  const scalars = rule.tables.map((name) => {
    const table = input([steps]);
    inputs[name] = table;
    return table.take(at);
  });
  const slots: Record<string, Tensor> = {};
  const updates: Record<string, Tensor> = { step: step.add(1), ...becomes };
  const names = Object.keys(model.parameters);
  const weights = names.map((name) => held[name] as Tensor);
  const gradients = grad(total, weights);
  weights.forEach((weight, i) => {
    const name = names[i] as string;
    const own = rule.slots.map(() => parameter(weight.shape));
    const next = rule.update(weight, gradients[i] as Tensor, own, scalars);
    updates[name] = next.value;
    rule.slots.forEach((slot, s) => {
      slots[slotName(slot, name)] = own[s] as Tensor;
      updates[slotName(slot, name)] = next.slots[s] as Tensor;
    });
  });
  return { inputs, parameters: { ...held, ...slots, ...data, step }, outputs: { loss: total }, updates };
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
 * predictions are right; "penalty", that of the whole network.
 */
export function evaluationProgram(
  model: Sequential,
  loss: Criterion,
  rows: number,
  chunk: number,
  kind: TargetKind,
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

  const results: Record<string, Tensor> = { terms: masked(loss.terms(outputs, wanted), present, positions).sum() };
  if (loss.hits !== null) results.hits = masked(loss.hits(outputs, wanted), present, positions).sum();
  const penalty = model.penalty(held);
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
  if (present === null) return x;
  const rows = present.shape[0] as number;
  const each = present.reshape([rows, 1]);
  return x.mask(positions === 1 ? each : each.broadcastTo([rows, positions]).reshape([rows * positions, 1]));
}

function mapValues<A, B>(record: Record<string, A>, change: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, change(value)]));
}
