import { describe, expect, test } from "vitest";
import {
  binaryCrossEntropy,
  dense,
  dropout,
  grad,
  type Layer,
  type Loss,
  randomState,
  reference,
  sequential,
  sgd,
  softmaxCrossEntropy,
  squaredError,
  type Tensor,
  type Values,
} from "../../src/index";
import { Criterion } from "../../src/nn/losses";
import { Sequential } from "../../src/nn/model";
import { Rule } from "../../src/nn/optimizers";
import { type TrainingShape, trainingProgram } from "../../src/nn/programs";

const INPUTS = 3;
const OUTPUTS = 4;
const ROWS = 7;
const STEP = 1e-6;

const NETWORKS: Record<string, Layer[]> = {
  "dense linear": [dense(5), dense(OUTPUTS)],
  "dense relu": [dense(5, { activation: "relu" }), dense(OUTPUTS)],
  "dense tanh": [dense(5, { activation: "tanh" }), dense(OUTPUTS)],
  "dense sigmoid": [dense(5, { activation: "sigmoid" }), dense(OUTPUTS, { activation: "sigmoid" })],
  "dense without bias": [dense(5, { activation: "tanh", bias: false }), dense(OUTPUTS, { bias: false })],
  "dense with l2": [dense(5, { activation: "tanh", l2: 0.3 }), dense(OUTPUTS, { l2: 0.1 })],
  dropout: [
    dense(8, { activation: "tanh" }),
    dropout(0.4),
    dense(8, { activation: "tanh" }),
    dropout(0.2),
    dense(OUTPUTS),
  ],
};
const LOSSES: Record<string, Loss> = {
  "squared error, mean": squaredError(),
  "squared error, sum": squaredError({ reduction: "sum" }),
  "softmax cross entropy, mean": softmaxCrossEntropy(),
  "softmax cross entropy, sum": softmaxCrossEntropy({ reduction: "sum" }),
  "binary cross entropy, mean": binaryCrossEntropy(),
  "binary cross entropy, sum": binaryCrossEntropy({ reduction: "sum" }),
};

/** The loss of a training step and its gradients as outputs, in float64; `order` picks the rows of a batch. */
function stepOf(layers: Layer[], loss: Loss, shape: TrainingShape) {
  const model = sequential(INPUTS, layers, { seed: 5 });
  const rule = sgd({ lr: 1 });
  if (!(model instanceof Sequential) || !(loss instanceof Criterion) || !(rule instanceof Rule)) throw new TypeError();
  const { inputs, parameters, outputs } = trainingProgram(model, loss, rule, shape);
  const names = Object.keys(model.parameters);
  const weights = names.map((name) => parameters[name] as Tensor);
  grad(outputs.loss as Tensor, weights).forEach((gradient, i) => {
    outputs[`gradient of ${names[i]}`] = gradient;
  });
  const { rate: _rate, ...used } = inputs;
  const session = reference({ inputs: used, parameters, outputs });
  const state: Record<string, Float64Array> = {};
  for (const [name, values] of Object.entries(model.initial()))
    state[name] = Float64Array.from(values, (v) => v + 0.01);
  return { session, names, state };
}

function dataOf(kind: "classes" | "values"): Record<string, Values> {
  const random = randomState(3);
  const y = kind === "classes" ? random.randint(0, OUTPUTS, ROWS) : random.randint(0, 2, ROWS * OUTPUTS);
  return { "data.x": random.randn(ROWS * INPUTS), "data.y": y };
}

function expectGradients({ session, names, state }: ReturnType<typeof stepOf>, inputs: Record<string, Values>): void {
  const lossAt = (): number => {
    session.write(state);
    return session.run(inputs).loss?.[0] as number;
  };
  lossAt();
  const gradients = names.map((name) => session.read(`gradient of ${name}`));
  let largest = 0;
  names.forEach((name, n) => {
    const values = state[name] as Float64Array;
    values.forEach((value, i) => {
      values[i] = value + STEP;
      const above = lossAt();
      values[i] = value - STEP;
      const difference = (above - lossAt()) / (2 * STEP);
      values[i] = value;
      const gradient = gradients[n]?.[i] as number;
      largest = Math.max(largest, Math.abs(gradient));
      // The second term: rounding of the two losses, divided by the step.
      const bound = 1e-6 * Math.abs(difference) + 1e-8 * Math.max(1, above);
      expect(Math.abs(gradient - difference), `${name} at ${i}`).toBeLessThan(bound);
    });
  });
  expect(largest).toBeGreaterThan(1e-3);
}

describe.each(Object.keys(NETWORKS))("%s", (network) => {
  test.each(Object.keys(LOSSES))("gradients of %s are its differences", (name) => {
    const loss = LOSSES[name] as Loss;
    const kind = name.startsWith("softmax") ? "classes" : "values";
    const shape = { rows: ROWS, batch: null, ragged: false, kind, steps: 1 } as const;
    const base: Record<string, Values> = network === "dropout" ? { base: [11] } : {};
    const step = stepOf(NETWORKS[network] as Layer[], loss, shape);
    step.session.write(dataOf(kind));
    expectGradients(step, base);
  });
});

test.each(Object.keys(LOSSES))(
  "%s of a batch that is cut short: differences, and no trace of the rows not in it",
  (name) => {
    const kind = name.startsWith("softmax") ? "classes" : "values";
    const shape = { rows: ROWS, batch: 4, ragged: true, kind, steps: 1 } as const;
    const step = stepOf(NETWORKS["dense with l2"] as Layer[], LOSSES[name] as Loss, shape);
    const data = dataOf(kind);
    step.session.write(data);
    expectGradients(step, { order: [5, 2, -1, -1] });
    const before = step.session.run({ order: [5, 2, -1, -1] }).loss?.[0];
    // -1 is held to row 0 when rows are taken, so row 0 is the one that could leak.
    step.session.write({ "data.x": Float64Array.from(data["data.x"] as Values, (v, i) => (i < INPUTS ? 1e3 : v)) });
    expect(step.session.run({ order: [5, 2, -1, -1] }).loss?.[0]).toBe(before);
  },
);

test("binary cross entropy at an output of exactly 0 has the derivative σ(0) - y", () => {
  const shape = { rows: 1, batch: null, ragged: false, kind: "values", steps: 1 } as const;
  const step = stepOf([dense(1, { init: "zeros" })], binaryCrossEntropy(), shape);
  step.session.write({ "0.weight": [0, 0, 0], "0.bias": [0], "data.x": [1, 2, 3], "data.y": [1] });
  step.session.run({});
  expect([...step.session.read("gradient of 0.bias")]).toEqual([-0.5]);
  expect([...step.session.read("gradient of 0.weight")]).toEqual([-0.5, -1, -1.5]);
});

test.each([
  ["softmax cross entropy", softmaxCrossEntropy(), [1e4, -1e4], [1], 2e4],
  ["binary cross entropy", binaryCrossEntropy({ reduction: "sum" }), [1e4, -1e4], [0, 1], 2e4],
] as const)("%s of very large outputs is finite and right", (_name, loss, outputs, y, expected) => {
  const kind = loss.name === "softmaxCrossEntropy" ? "classes" : "values";
  const step = stepOf([dense(2)], loss, { rows: 1, batch: null, ragged: false, kind, steps: 1 });
  step.session.write({ "0.weight": [0, 0, 0, 0, 0, 0], "0.bias": outputs, "data.x": [1, 2, 3], "data.y": y });
  expect(step.session.run({}).loss?.[0]).toBe(expected);
  expect(step.session.read("gradient of 0.bias").every(Number.isFinite)).toBe(true);
});
