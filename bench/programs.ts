import {
  grad,
  input,
  type Model,
  type Program,
  parameter,
  reference,
  squaredError,
  type Tensor,
  type Values,
} from "../src/index";
import { Criterion } from "../src/nn/losses";
import { Sequential } from "../src/nn/model";
import { Rule } from "../src/nn/optimizers";
import { predictionProgram, trainingProgram } from "../src/nn/programs";
import { moons as moonsSeed, twoLayer as twoLayerSeed } from "../test/networks/seeds";
import { comparedRow } from "./library";
import { frozenModel, modelOf } from "./models";
import { headSteps, type NetworkTask } from "./networks";
import { classifierLayers, classifierSizes, type Data, dataOf, type Task } from "./tasks";

const rate = 0.001;
const beta1 = 0.9;
const beta2 = 0.999;
const epsilon = 1e-8;

/** The task as a program of wgrad. The classifier's Adam is written out, its corrections given as inputs at each step. */
export function programOf(task: Task): Program {
  switch (task.kind) {
    case "two-layer":
      return twoLayerProgram(task);
    case "moons":
    case "many-moons":
      return moonsSeed("handwritten", 3).program;
    case "classifier":
      return classifierProgram(task.batch);
    case "matmul": {
      const { size } = task;
      const [a, b, c] = [parameter([size, size]), parameter([size, size]), parameter([size, size])];
      return { inputs: {}, parameters: { a, b, c }, outputs: {}, updates: { c: a.matmul(b) } };
    }
    case "cnn":
    case "gpt":
    case "gru":
    case "head":
      return networkProgram(task, 1);
    default:
      return task satisfies never;
  }
}

/** The training step that a trainer compiles for the task, with tables for so many steps. */
function networkProgram(task: NetworkTask, steps: number): Program {
  const { model, loss, rule } = internals(task);
  const kind = task.kind === "gru" ? "values" : "classes";
  return trainingProgram(model, loss, rule, { rows: task.batch, batch: null, ragged: false, kind, steps });
}

function internals(task: NetworkTask): { model: Sequential; loss: Criterion; rule: Rule } {
  const { model, loss, optimizer } = modelOf(task);
  if (!(model instanceof Sequential && loss instanceof Criterion && optimizer instanceof Rule))
    throw new Error("internal: a network of another kind");
  return { model, loss: loss.settled(model.units), rule: optimizer };
}

function twoLayerProgram({ batch, inputs, hidden, outputs, rate }: Extract<Task, { kind: "two-layer" }>): Program {
  if (batch === 64 && inputs === 1000 && hidden === 100 && outputs === 10) return twoLayerSeed("handwritten").program;
  const x = input([batch, inputs]);
  const y = input([batch, outputs]);
  const w1 = parameter([inputs, hidden]);
  const w2 = parameter([hidden, outputs]);
  const loss = x.matmul(w1).relu().matmul(w2).sub(y).square().sum();
  const [g1, g2] = grad(loss, [w1, w2]) as [Tensor, Tensor];
  const updates = { w1: w1.sub(g1.mul(rate)), w2: w2.sub(g2.mul(rate)) };
  return { inputs: { x, y }, parameters: { w1, w2 }, outputs: { loss }, updates };
}

function classifierProgram(batch: number): Program {
  const x = input([batch, classifierSizes[0]]);
  const y = input([batch], "int32");
  const stepSize = input([]);
  const inverseRoot = input([]);
  const weights: Record<string, Tensor> = {};
  let h = x;
  for (const [layer, { weight, bias, inputs, units }] of classifierLayers().entries()) {
    const w = parameter([inputs, units]);
    const b = parameter([units]);
    weights[weight] = w;
    weights[bias] = b;
    if (layer > 0) h = h.relu();
    h = h.matmul(w).add(b);
  }
  const loss = h.logSoftmax().mul(y.oneHot(10)).sum().div(-batch);
  const names = Object.keys(weights);
  const gradients = grad(loss, Object.values(weights));
  const parameters: Record<string, Tensor> = { ...weights };
  const updates: Record<string, Tensor> = {};
  for (const [i, name] of names.entries()) {
    const [p, g] = [weights[name] as Tensor, gradients[i] as Tensor];
    const [m, v] = [parameter(p.shape), parameter(p.shape)];
    const nextM = m.mul(beta1).add(g.mul(1 - beta1));
    const nextV = v.mul(beta2).add(g.square().mul(1 - beta2));
    Object.assign(parameters, { [`m.${name}`]: m, [`v.${name}`]: v });
    const step = nextM.mul(stepSize).div(nextV.sqrt().mul(inverseRoot).add(epsilon));
    Object.assign(updates, { [name]: p.sub(step), [`m.${name}`]: nextM, [`v.${name}`]: nextV });
  }
  return { inputs: { x, y, stepSize, inverseRoot }, parameters, outputs: { loss }, updates };
}

/** What float64 finds, by the judge: the loss of step `after`, from 0, or the compared row of the product. */
export function expectedOf(task: Task, data: Data, after: number): number[] {
  if (task.kind === "matmul") return expectedRow(task.size, data);
  // The first of them is that one.
  if (task.kind === "many-moons") return expectedOf({ kind: "moons" }, dataOf({ kind: "moons" }), after);
  if (isNetwork(task)) return [lossOfNetwork(task, data, after)];
  const program = programOf(task);
  const judge = reference(program);
  const pick = (tensors: Record<string, Tensor>) =>
    Object.fromEntries(
      Object.entries(tensors).map(([name, { shape }]) => [
        name,
        data[name]?.values ?? new Float32Array(shape.reduce((n, length) => n * length, 1)),
      ]),
    );
  judge.write(pick(program.parameters));
  let last = Number.NaN;
  for (let step = 0; step <= after; step++) {
    const inputs = { ...pick(program.inputs), ...(task.kind === "classifier" ? corrections(step) : {}) };
    last = (judge.run(inputs).loss as Float64Array)[0] as number;
  }
  return [last];
}

function isNetwork(task: Task): task is NetworkTask {
  return task.kind === "cnn" || task.kind === "gpt" || task.kind === "gru" || task.kind === "head";
}

function lossOfNetwork(task: NetworkTask, data: Data, after: number): number {
  if (task.kind === "head") return lossOfHead(task, data);
  const { model, rule } = internals(task);
  const program = networkProgram(task, after + 1);
  // The loss of the first step asks for no update.
  const judge = reference(after === 0 ? { ...program, updates: {} } : program);
  judge.write({ ...startOf(model, data), "data.x": valuesOf(data, "x"), "data.y": valuesOf(data, "y") });
  const { loss } = judge.run(tablesOf(rule, after + 1), { steps: after + 1 });
  return loss?.[after] ?? Number.NaN;
}

function lossOfHead(task: Extract<NetworkTask, { kind: "head" }>, data: Data): number {
  const frozen = frozenModel(task);
  const criterion = squaredError();
  if (!(frozen instanceof Sequential && criterion instanceof Criterion))
    throw new Error("internal: a network of another kind");
  const seer = reference(predictionProgram(frozen, criterion, 1));
  seer.write(startOf(frozen, data, "frozen."));
  const { images, batch, epochs } = task;
  const { inputs, outputs } = frozen;
  const features = new Float64Array(images * outputs);
  const pixels = valuesOf(data, "x");
  for (let i = 0; i < images; i++) {
    const { prediction } = seer.run({ x: pixels.subarray(i * inputs, (i + 1) * inputs) });
    features.set(prediction ?? [], i * outputs);
  }
  const { model, loss, rule } = internals(task);
  const steps = headSteps(task);
  const shape = { rows: images, batch, ragged: false, kind: "classes", steps } as const;
  const judge = reference(trainingProgram(model, loss, rule, shape));
  judge.write({ ...startOf(model, data), "data.x": features, "data.y": valuesOf(data, "y") });
  const order = Int32Array.from({ length: steps * batch }, (_, i) => i % images);
  const history = judge.run({ ...tablesOf(rule, steps), order }, { steps }).loss;
  if (images % batch !== 0 || epochs < 1) throw new Error("internal: the head's batches are to be whole");
  return history?.[steps - 1] ?? Number.NaN;
}

/** The optimizer's numbers for each step, as the trainer hands them over. */
function tablesOf(rule: Rule, steps: number): Record<string, number[]> {
  const each = Array.from({ length: steps }, (_, step) => rule.scalars(step, rate));
  return Object.fromEntries(rule.tables.map((name, i) => [name, each.map((scalars) => scalars[i] as number)]));
}

function startOf(model: Model, data: Data, prefix = ""): Record<string, Values> {
  return Object.fromEntries(Object.keys(model.parameters).map((name) => [name, valuesOf(data, prefix + name)]));
}

function valuesOf(data: Data, name: string): Float32Array | Int32Array {
  const found = data[name];
  if (!found) throw new Error(`internal: the task has no "${name}"`);
  return found.values;
}

/** Adam's corrections of the moments' start at zero, at step `step` from 0. */
function corrections(step: number): Record<string, number[]> {
  return { stepSize: [rate / (1 - beta1 ** (step + 1))], inverseRoot: [1 / Math.sqrt(1 - beta2 ** (step + 1))] };
}

function expectedRow(size: number, data: Data): number[] {
  const [a, b] = [data.a?.values, data.b?.values] as [Float32Array, Float32Array];
  const row = comparedRow(size);
  const c = new Float64Array(size);
  for (let k = 0; k < size; k++) {
    const factor = a[row * size + k] as number;
    for (let j = 0; j < size; j++) c[j] = (c[j] as number) + factor * (b[k * size + j] as number);
  }
  return Array.from(c);
}
