import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  adam,
  binaryCrossEntropy,
  type Device,
  dense,
  dropout,
  type Loss,
  moons,
  type Optimizer,
  open,
  rmsprop,
  sequential,
  sgd,
  softmaxCrossEntropy,
  squaredError,
  stepDecay,
  type Trainer,
  trainer,
} from "../../src/index";
import { createTrainer } from "../../src/nn/trainer";
import { type Golden, readGolden } from "../support/golden";
import { relativeError } from "../support/parity";

let device: Device;
beforeAll(async () => {
  device = await open({ backend: "webgpu" });
});
afterAll(() => device.close());

const DATA = moons(50, { noise: 0.2 });
const network = () => sequential(2, [dense(6, { activation: "relu", l2: 0.01 }), dropout(0.3), dense(2)], { seed: 3 });
const make = (optimizer: Optimizer = adam({ lr: stepDecay(0.02, 15, 0.5) })) =>
  trainer(device, network(), { loss: softmaxCrossEntropy(), optimizer, batchSize: 8 });

describe("60 steps in float32 are within 2e-5 of PyTorch's in float64", () => {
  let golden: Golden;
  beforeAll(async () => {
    golden = await readGolden("torch-optimizers");
  });
  test.each<[string, Loss, string, Optimizer]>([
    ["ce.sgd", softmaxCrossEntropy(), "classes", sgd({ lr: 0.1 })],
    [
      "mse.nesterov-decay",
      squaredError(),
      "values",
      sgd({ lr: 0.05, momentum: 0.8, nesterov: true, weightDecay: 0.01 }),
    ],
    ["ce-probabilities.adam", softmaxCrossEntropy(), "probabilities", adam({ lr: 0.01 })],
    [
      "bce.adamw",
      binaryCrossEntropy(),
      "probabilities",
      adam({ lr: 0.02, beta1: 0.8, beta2: 0.95, epsilon: 1e-6, weightDecay: 0.1 }),
    ],
    [
      "bce-sum.rmsprop-momentum",
      binaryCrossEntropy({ reduction: "sum" }),
      "probabilities",
      rmsprop({ lr: 0.003 / 16, decay: 0.9, epsilon: 1e-6, momentum: 0.7 }),
    ],
  ])("%s", async (run, loss, kind, optimizer) => {
    const layers = [dense(6, { activation: "relu" }), dense(5, { activation: "tanh" }), dense(3)];
    const trained = await trainer(device, sequential(4, layers), { loss, optimizer });
    trained.setWeights(golden.group("init"));
    const data = { x: golden.values("x"), y: golden.values(`y.${kind}`) };
    const { loss: history } = await trained.fit(data, { steps: 60 });
    expect(relativeError(history, golden.values(`${run}.losses`))).toBeLessThan(2e-5);
    const weights = await trained.weights();
    for (const [name, values] of Object.entries(golden.group(`${run}.final`))) {
      expect(relativeError(weights[name] as Float32Array, values), name).toBeLessThan(1e-4);
    }
    trained.dispose();
  });

  test("batches with a smaller last one, l2, a falling rate", async () => {
    const batches = await readGolden("torch-batches");
    const layers = [dense(8, { activation: "sigmoid", l2: 0.01 }), dense(4, { l2: 0.01 })];
    const optimizer = adam({ lr: stepDecay(0.02, 20, 0.5) });
    const trained = await trainer(device, sequential(3, layers), {
      loss: softmaxCrossEntropy(),
      optimizer,
      batchSize: 5,
    });
    trained.setWeights(batches.group("init"));
    const data = { x: batches.values("x"), y: batches.values("y") };
    const { loss } = await trained.fit(data, { steps: 60, shuffle: false });
    expect(relativeError(loss, batches.values("losses"))).toBeLessThan(2e-5);
    trained.dispose();
  });
});

test("a fit with dropout, shuffling and l2 goes as on the CPU; validation, predictions, evaluation too", async () => {
  const cpu = await open({ backend: "cpu" });
  const runs = [];
  for (const on of [device, cpu]) {
    const optimizer = adam({ lr: 0.01 });
    const trained = await trainer(on, network(), { loss: softmaxCrossEntropy(), optimizer, batchSize: 8 });
    const history = await trained.fit(DATA, { epochs: 5, seed: 7, validation: moons(33, { seed: 1 }) });
    runs.push({
      history,
      evaluated: await trained.evaluate(DATA),
      predicted: await trained.predict(DATA.x.subarray(0, 34)),
    });
    trained.dispose();
  }
  const [gpu, reference] = runs as [(typeof runs)[0], (typeof runs)[0]];
  expect(relativeError(gpu.history.loss, reference.history.loss)).toBeLessThan(2e-5);
  expect(
    relativeError(gpu.history.validationLoss as Float32Array, reference.history.validationLoss as Float32Array),
  ).toBeLessThan(2e-5);
  expect(gpu.history.validationAccuracy).toEqual(reference.history.validationAccuracy);
  expect(gpu.evaluated.loss / reference.evaluated.loss).toBeCloseTo(1, 5);
  expect(gpu.evaluated.accuracy).toBe(reference.evaluated.accuracy);
  expect(relativeError(gpu.predicted, reference.predicted)).toBeLessThan(2e-5);
});

test("one seed, one result to the bit", async () => {
  const run = async () => {
    const trained = await make();
    const { loss } = await trained.fit(DATA, { epochs: 6, seed: 5 });
    const weights = await trained.weights();
    trained.dispose();
    return { loss, weights };
  };
  expect(await run()).toEqual(await run());
});

test("a run that was interrupted and resumed equals one that was not, bit for bit", async () => {
  const first = await make();
  const stop = new AbortController();
  const onProgress = ({ step }: { step: number }) => {
    if (step >= 20) stop.abort("interrupted");
  };
  await expect(first.fit(DATA, { epochs: 3000, seed: 4, signal: stop.signal, onProgress })).rejects.toBe("interrupted");
  const { steps } = first;
  const file = await first.checkpoint();

  const whole = await make();
  const uninterrupted = await whole.fit(DATA, { steps: steps + 24, seed: 4 });
  const second = await make();
  second.resume(file);
  const rest = await second.fit(DATA, { steps: steps + 24, seed: 4 });
  expect(rest.loss).toEqual(uninterrupted.loss.subarray(steps));
  expect(await second.checkpoint()).toEqual(await whole.checkpoint());
  for (const each of [first, whole, second]) each.dispose();
});

test("data in pieces give the same bits as data held whole", async () => {
  const results = [];
  for (const pieceBytes of [2 ** 27, 2 * 4 * 17]) {
    const options = { loss: softmaxCrossEntropy(), optimizer: adam({ lr: 0.01 }), batchSize: 8 };
    const trained = await createTrainer(device, network(), options, { pieceBytes });
    const { loss } = await trained.fit(DATA, { epochs: 3, seed: 2 });
    results.push({ loss, weights: await trained.weights() });
    trained.dispose();
  }
  expect(results[1]).toEqual(results[0]);
});

test("save, load, predict: the same numbers", async () => {
  const [trained, other]: Trainer[] = [await make(), await make()];
  await trained?.fit(DATA, { epochs: 2 });
  other?.load((await trained?.save()) as Uint8Array);
  expect(await other?.predict(DATA.x)).toEqual(await trained?.predict(DATA.x));
  trained?.dispose();
  other?.dispose();
});

test("what becomes non-finite stops training with step, tensor and rate, and leaves what was finite", async () => {
  const make = (lr: (step: number) => number) =>
    trainer(device, sequential(1, [dense(1, { init: "zeros" })]), {
      loss: squaredError(),
      optimizer: sgd({ lr }),
      batchSize: 2,
    });
  const data = { x: [1, 2, 3, 4], y: [2, 4, 6, 8] };
  const broken = await make((step) => (step === 300 ? 3e38 : 1e-4));
  await expect(broken.fit(data, { steps: 800, seed: 1 })).rejects.toThrow(
    /^fit: the update of step 300 makes "0\.weight" non-finite/,
  );
  const other = await make(() => 1e-4);
  await other.fit(data, { steps: 300, seed: 1 });
  expect(await broken.weights()).toEqual(await other.weights());
  broken.dispose();
  other.dispose();
});

test("a session of a fit is within its bounds, and 5,000 steps of Adam take no more memory than the first", async () => {
  const model = sequential(2, [dense(16, { activation: "tanh" }), dense(2)]);
  const trained = await trainer(device, model, { loss: softmaxCrossEntropy(), optimizer: adam({ lr: 1e-3 }) });
  await trained.fit(DATA, { steps: 4000 });
  const report = await trained.session.verify({
    stepSize: new Float32Array(4096).fill(1e-3),
    inverseRoot: new Float32Array(4096).fill(1),
  });
  expect(report.ok, String(report)).toBe(true);
  const { bytes, buffers } = device.memory();
  const { loss } = await trained.fit(DATA, { steps: 5000 - 4000 });
  expect(loss[999]).toBeLessThan(0.5);
  expect(device.memory()).toMatchObject({ bytes, buffers });
  trained.dispose();
});

test("what a frozen part makes of the rows is computed once, and a fit on it has the losses of one that computes it at every step", async () => {
  const layers = () => [dense(6, { activation: "tanh" }), dense(2)];
  const options = { loss: softmaxCrossEntropy(), optimizer: adam({ lr: 0.02 }), batchSize: 8, frozen: ["0"] };
  const make = () => trainer(device, sequential(2, layers(), { seed: 3 }), options);
  const [once, each] = [await make(), await make()];
  const { loss } = await once.fit(DATA, { epochs: 3, seed: 4 });
  const fit = await each.begin(DATA, { seed: 4 }); // has no end, and so no number of epochs to compute ahead for
  const { loss: expected } = await fit.advance(loss.length);
  // What the step of the first holds is the head alone.
  await expect(once.session.read("0.weight")).rejects.toThrow();
  await expect(each.session.read("0.weight")).resolves.toHaveLength(12);
  expect(relativeError(loss, expected)).toBeLessThan(1e-6);
  expect(await once.predict(DATA.x)).toHaveLength(2 * 50); // by the whole network
  for (const net of [once, each]) net.dispose();
});
