import { beforeAll, describe, expect, test } from "vitest";
import {
  adam,
  binaryCrossEntropy,
  cosineDecay,
  type Dataset,
  type Device,
  dense,
  grad,
  type Loss,
  type Model,
  type Optimizer,
  open,
  type Program,
  reference,
  rmsprop,
  sequential,
  sgd,
  softmaxCrossEntropy,
  squaredError,
  stepDecay,
  trainer,
  type Values,
} from "../../src/index";
import { Criterion } from "../../src/nn/losses";
import { Sequential } from "../../src/nn/model";
import { Rule } from "../../src/nn/optimizers";
import { trainingProgram } from "../../src/nn/programs";
import { type Golden, readGolden } from "../support/golden";
import { relativeError, trajectoryBounds } from "../support/parity";

const LOSSES: Record<string, [Loss, "values" | "classes" | "probabilities"]> = {
  mse: [squaredError(), "values"],
  "mse-sum": [squaredError({ reduction: "sum" }), "values"],
  ce: [softmaxCrossEntropy(), "classes"],
  "ce-sum": [softmaxCrossEntropy({ reduction: "sum" }), "classes"],
  "ce-probabilities": [softmaxCrossEntropy(), "probabilities"],
  bce: [binaryCrossEntropy(), "probabilities"],
  "bce-sum": [binaryCrossEntropy({ reduction: "sum" }), "probabilities"],
};
/** `scale` is 1 / 16 for summed losses. */
const OPTIMIZERS: Record<string, (scale: number) => Optimizer> = {
  sgd: (scale) => sgd({ lr: 0.1 * scale }),
  momentum: (scale) => sgd({ lr: 0.05 * scale, momentum: 0.9 }),
  "nesterov-decay": (scale) => sgd({ lr: 0.05 * scale, momentum: 0.8, nesterov: true, weightDecay: 0.01 }),
  adam: (scale) => adam({ lr: 0.01 * scale }),
  adamw: (scale) => adam({ lr: 0.02 * scale, beta1: 0.8, beta2: 0.95, epsilon: 1e-6, weightDecay: 0.1 }),
  rmsprop: (scale) => rmsprop({ lr: 0.01 * scale }),
  "rmsprop-momentum": (scale) => rmsprop({ lr: 0.003 * scale, decay: 0.9, epsilon: 1e-6, momentum: 0.7 }),
};
const STEPS = 60;
const model = (): Model =>
  sequential(4, [dense(6, { activation: "relu" }), dense(5, { activation: "tanh" }), dense(3)]);

let losses: Golden;
let runs: Golden;
let device: Device;
beforeAll(async () => {
  losses = await readGolden("torch-losses");
  runs = await readGolden("torch-optimizers");
  device = await open({ backend: "cpu" });
});

/** Each one's error, in units of itself. */
function relativeErrors(got: ArrayLike<number>, expected: ArrayLike<number>): Float64Array {
  expect(got.length).toBe(expected.length);
  return Float64Array.from(expected, (value, i) => Math.abs((got[i] as number) / value - 1));
}

function parts(network: Model, loss: Loss, optimizer: Optimizer): [Sequential, Criterion, Rule] {
  if (!(network instanceof Sequential) || !(loss instanceof Criterion) || !(optimizer instanceof Rule))
    throw new TypeError();
  return [network, loss, optimizer];
}

/** The training program of full batches, its tables in float64, so that nothing at all is in float32. */
function float64Run(network: Model, loss: Loss, optimizer: Optimizer, data: Dataset, init: Record<string, Values>) {
  const [net, criterion, rule] = parts(network, loss, optimizer);
  const kind =
    loss.name === "softmaxCrossEntropy" && data.y.length === data.x.length / net.inputs ? "classes" : "values";
  const shape = { rows: data.x.length / net.inputs, batch: null, ragged: false, kind, steps: STEPS } as const;
  const session = reference(trainingProgram(net, criterion, rule, shape));
  session.write({ ...init, "data.x": data.x, "data.y": data.y });
  const lr = rule.lr as number;
  const tables = rule.tables.map((name, t): [string, Float64Array] => [
    name,
    Float64Array.from({ length: STEPS }, (_, step) => rule.scalars(step, lr)[t] as number),
  ]);
  const { loss: history } = session.run(Object.fromEntries(tables), { steps: STEPS });
  return { history: history as Float64Array, read: (name: string) => session.read(name) };
}

describe.each(Object.keys(LOSSES))("%s", (lossName) => {
  const [loss, kind] = LOSSES[lossName] as (typeof LOSSES)[string];

  test("its value and all gradients at the first weights are PyTorch's", () => {
    const [net, criterion, rule] = parts(model(), loss, sgd({ lr: 1 }));
    const targets = kind === "classes" ? "classes" : "values";
    const shape = { rows: 16, batch: null, ragged: false, kind: targets, steps: 1 } as const;
    const program = trainingProgram(net, criterion, rule, shape);
    const names = Object.keys(net.parameters);
    const weights = names.map((name) => program.parameters[name] as NonNullable<Program["parameters"][string]>);
    const gradients = grad(program.outputs.loss as NonNullable<Program["outputs"][string]>, weights);
    const outputs = {
      ...program.outputs,
      ...Object.fromEntries(names.map((name, i) => [`gradient.${name}`, gradients[i]])),
    };
    const session = reference({ ...program, outputs: outputs as Program["outputs"] });
    session.write({ ...losses.group("init"), "data.x": losses.values("x"), "data.y": losses.values(`y.${kind}`) });
    const results = session.run({ rate: [1] });
    expect(relativeError(results.loss as Float64Array, losses.values(`${lossName}.loss`))).toBeLessThan(1e-12);
    for (const name of names) {
      const expected = losses.values(`${lossName}.gradient.${name}`);
      expect(relativeError(results[`gradient.${name}`] as Float64Array, expected), name).toBeLessThan(1e-12);
    }
  });

  test.each(Object.keys(OPTIMIZERS))("60 steps of %s are PyTorch's", async (optimizerName) => {
    const scale = lossName.endsWith("-sum") ? 1 / 16 : 1;
    const optimizer = (OPTIMIZERS[optimizerName] as (scale: number) => Optimizer)(scale);
    const data = { x: runs.values("x"), y: runs.values(`y.${kind}`) };
    const init = runs.group("init");
    const expected = runs.values(`${lossName}.${optimizerName}.losses`);
    const final = runs.group(`${lossName}.${optimizerName}.final`);

    const exact = float64Run(model(), loss, optimizer, data, init);
    expect(relativeError(exact.history, expected)).toBeLessThan(1e-10);
    for (const [name, values] of Object.entries(final)) {
      expect(relativeError(exact.read(name), values), name).toBeLessThan(1e-10);
    }

    // As a user trains, in float32: within 8 times what float32 has cost PyTorch.
    const bounds = trajectoryBounds(relativeErrors(runs.values(`${lossName}.${optimizerName}.f32_losses`), expected));
    const finalErrors = runs.values(`${lossName}.${optimizerName}.f32_final_errors`);
    const trained = await trainer(device, model(), { loss, optimizer });
    trained.setWeights(init);
    const { loss: history } = await trained.fit(data, { steps: STEPS });
    relativeErrors(history, expected).forEach((error, step) => {
      expect(error, `loss of step ${step}`).toBeLessThanOrEqual(bounds[step] as number);
    });
    const weights = await trained.weights();
    Object.keys(weights).forEach((name, i) => {
      const [bound] = trajectoryBounds([finalErrors[i] as number]);
      const error = relativeError(weights[name] as Float32Array, final[name] as Float64Array);
      expect(error, name).toBeLessThanOrEqual(bound as number);
    });
    trained.dispose();
  });
});

describe("other golden runs", () => {
  test.each([
    ["torch-adam-ce", adam({ lr: 0.003 }), softmaxCrossEntropy()],
    ["torch-momentum-mse-sum", sgd({ lr: 0.0001, momentum: 0.5 }), squaredError({ reduction: "sum" })],
  ])("%s: losses, weights and predictions", async (name, optimizer, loss) => {
    const golden = await readGolden(name);
    const { sizes, acts } = JSON.parse(golden.metadata.case as string) as {
      sizes: number[];
      acts: ("relu" | "tanh")[];
    };
    const layers = sizes.slice(1).map((units, i) => dense(units, acts[i] ? { activation: acts[i] } : {}));
    const trained = await trainer(device, sequential(sizes[0] as number, layers), { loss, optimizer });
    trained.setWeights(golden.group("init"));
    const { loss: history } = await trained.fit({ x: golden.values("x"), y: golden.values("y") }, { epochs: STEPS });
    expect(relativeError(history, golden.values("losses"))).toBeLessThan(2e-5);
    const weights = await trained.weights();
    for (const [key, values] of Object.entries(golden.group("final"))) {
      expect(relativeError(weights[key] as Float32Array, values), key).toBeLessThan(2e-5);
    }
    const predicted = await trained.predict(golden.values("x"));
    expect(relativeError(predicted, golden.values("prediction"))).toBeLessThan(2e-5);
  });

  test("a smaller last batch counts with its own size, with l2 in the loss and a rate that falls", async () => {
    const golden = await readGolden("torch-batches");
    const layers = [dense(8, { activation: "sigmoid", l2: 0.01 }), dense(4, { l2: 0.01 })];
    const optimizer = adam({ lr: stepDecay(0.02, 20, 0.5) });
    const trained = await trainer(device, sequential(3, layers), {
      loss: softmaxCrossEntropy(),
      optimizer,
      batchSize: 5,
    });
    trained.setWeights(golden.group("init"));
    const data = { x: golden.values("x"), y: golden.values("y") };
    const { loss: history } = await trained.fit(data, { steps: STEPS, shuffle: false });
    expect(relativeError(history, golden.values("losses"))).toBeLessThan(2e-5);
    const weights = await trained.weights();
    for (const [key, values] of Object.entries(golden.group("final"))) {
      expect(relativeError(weights[key] as Float32Array, values), key).toBeLessThan(2e-5);
    }
  });

  test("cosineDecay and stepDecay are CosineAnnealingLR and StepLR", async () => {
    const golden = await readGolden("torch-schedules");
    const steps = Array.from({ length: 51 }, (_, step) => step);
    expect(relativeError(steps.map(cosineDecay(0.1, 50, { final: 0.01 })), golden.values("cosine"))).toBeLessThan(
      1e-12,
    );
    expect(relativeError(steps.map(stepDecay(0.1, 7, 0.3)), golden.values("step"))).toBeLessThan(1e-12);
  });
});
