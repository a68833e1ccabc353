import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  absoluteError,
  activation,
  adam,
  batchNorm,
  binaryCrossEntropy,
  type Device,
  defineLoss,
  dense,
  huber,
  type Loss,
  open,
  readSafetensors,
  sequential,
  sgd,
  softmaxCrossEntropy,
  squaredError,
  type TrainerOptions,
  trainer,
  writeSafetensors,
} from "../../src/index";
import { type Golden, readGolden } from "../support/golden";
import { relativeError } from "../support/parity";

const layers = () => [dense(5, { activation: "tanh" }), dense(3)];
const classWeights = [0.5, 2, 0.25];

/** The cases of test/golden/make_torch_training.py, by their names there. */
const CASES: Record<string, { loss: Loss; kind: string; lr?: number } & Partial<TrainerOptions>> = {
  absolute: { loss: absoluteError(), kind: "values" },
  "absolute-sum": { loss: absoluteError({ reduction: "sum" }), kind: "values", lr: 0.02 },
  huber: { loss: huber(), kind: "values" },
  "huber-half": { loss: huber({ delta: 0.5, reduction: "sum" }), kind: "values", lr: 0.02 },
  weights: { loss: softmaxCrossEntropy(), kind: "classes", classWeights },
  "weights-sum": { loss: softmaxCrossEntropy({ reduction: "sum" }), kind: "classes", lr: 0.02, classWeights },
  "weights-probabilities": { loss: softmaxCrossEntropy(), kind: "probabilities", classWeights },
  clip: { loss: squaredError({ reduction: "sum" }), kind: "values", clipNorm: 0.7 },
  "clip-above": { loss: squaredError(), kind: "values", clipNorm: 100 },
  frozen: { loss: squaredError(), kind: "values", frozen: ["0"] },
  "frozen-bias": { loss: squaredError(), kind: "values", frozen: ["2.bias"], clipNorm: 0.2 },
};

let golden: Golden;
let device: Device;
beforeAll(async () => {
  golden = await readGolden("torch-training");
  device = await open({ backend: "cpu" });
});
afterAll(() => device.close());

const initial = () =>
  writeSafetensors(
    Object.fromEntries(
      Object.entries(golden.group("init")).map(([name, values]) => [
        name,
        { shape: golden.shape(`init.${name}`), values },
      ]),
    ),
  );

describe("12 steps of PyTorch", () => {
  test.each(Object.keys(CASES))("%s", async (name) => {
    const { kind, lr = 0.1, ...options } = CASES[name] as (typeof CASES)[string];
    const optimizer = sgd({ lr, momentum: 0.5 });
    const net = await trainer(device, sequential(4, layers()), { ...options, optimizer, batchSize: 5 });
    net.load(initial());
    const data = { x: golden.values("x"), y: golden.values(`y.${kind}`) };
    const before = await net.weights();
    const { loss } = await net.fit(data, { steps: 12, shuffle: false });
    expect(relativeError(loss, golden.values(`${name}.losses`))).toBeLessThan(2e-5);
    const saved = readSafetensors(await net.save());
    for (const [key, values] of Object.entries(golden.group(`${name}.final`)))
      expect(relativeError(saved[key]?.values as Float32Array, values), key).toBeLessThan(2e-5);
    const evaluated = await net.evaluate(data);
    expect(relativeError([evaluated.loss], golden.values(`${name}.evaluated`))).toBeLessThan(2e-5);
    // What is frozen keeps its bits, and has no place in a checkpoint's state of the optimizer.
    const after = await net.weights();
    const frozen = Object.keys(before).filter((key) => options.frozen?.some((start) => key.startsWith(start)));
    for (const key of frozen) expect(after[key], key).toEqual(before[key]);
    const kept = Object.keys(readSafetensors(await net.checkpoint()));
    expect(kept.filter((key) => key.startsWith("momentum."))).toHaveLength(4 - frozen.length);
    net.dispose();
  });
});

describe("a loss of one's own", () => {
  const data = () => ({ x: golden.values("x"), y: golden.values("y.values") });
  const trained = async (loss: Loss, batchSize: number) => {
    const net = await trainer(device, sequential(4, layers()), { loss, optimizer: sgd({ lr: 0.1 }), batchSize });
    net.load(initial());
    const { loss: history } = await net.fit(data(), { epochs: 3, shuffle: false });
    return { history, evaluated: await net.evaluate(data()), weights: await net.weights() };
  };

  test.each([
    ["[rows]", defineLoss("mine", (p, t) => p.sub(t).square().mean(1))],
    ["[rows, 1]", defineLoss("mine", (p, t) => p.sub(t).square().mean(1, { keepDims: true }))],
  ])("gives %s: the mean of the rows, of a smaller last batch too", async (_, loss) => {
    const [own, known] = [await trained(loss, 5), await trained(squaredError(), 5)];
    expect(relativeError(own.history, known.history)).toBeLessThan(2e-6);
    expect(own.evaluated.loss).toBeCloseTo(known.evaluated.loss, 5);
    expect(own.evaluated).not.toHaveProperty("accuracy");
  });

  test("gives one number for all rows, where batches are full", async () => {
    const loss = defineLoss("mine", (p, t) => p.sub(t).square().mean());
    const [own, known] = [await trained(loss, 4), await trained(squaredError(), 4)];
    expect(relativeError(own.history, known.history)).toBeLessThan(2e-6);
    expect(own.evaluated.loss).toBeCloseTo(known.evaluated.loss, 5);
    await expect(trained(loss, 5)).rejects.toThrow(
      "fit: mine is one number for a batch, and 12 rows in batches of 5 leave a smaller one; give the trainer a batchSize that",
    );
    const net = await trainer(device, sequential(4, layers()), { loss, optimizer: adam() });
    await expect(net.fit(data(), { steps: 1, sampleWeights: new Array(12).fill(1) })).rejects.toThrow(TypeError);
  });
});

describe("sample weights", () => {
  test("multiply each row's loss: 0 leaves it out, 2 counts it twice", async () => {
    const options = { loss: squaredError({ reduction: "sum" }), optimizer: sgd({ lr: 0.02 }), batchSize: 3 };
    const make = async () => {
      const net = await trainer(device, sequential(4, layers()), options);
      net.load(initial());
      return net;
    };
    const [x, y] = [golden.values("x").slice(0, 16), golden.values("y.values").slice(0, 12)];
    const weighted = await make();
    await weighted.fit({ x, y }, { epochs: 2, shuffle: false, sampleWeights: [1, 0, 2, 1] });
    // The same without the row of 0, and with that of 2 as two.
    const rows = [0, 2, 2, 3];
    const part = (values: ArrayLike<number>, width: number) =>
      rows.flatMap((row) => Array.from({ length: width }, (_, i) => values[row * width + i] as number));
    const other = await make();
    await other.fit({ x: part(x, 4), y: part(y, 3) }, { epochs: 2, shuffle: false });
    const [found, wanted] = [await weighted.weights(), await other.weights()];
    for (const [key, values] of Object.entries(wanted))
      expect(relativeError(found[key] as Float32Array, values), key).toBeLessThan(2e-6);
    const bad = (sampleWeights: number[]) => weighted.fit({ x, y }, { steps: 1, sampleWeights });
    await expect(bad([1])).rejects.toThrow("sampleWeights has 1 numbers for 4 rows of x; it must have one a row");
    await expect(bad([1, 1, -1, 1])).rejects.toThrow("sampleWeights has -1 in row 2; it must be at least 0");
  });

  test("go along with rows that are shuffled, and that go to the device in pieces", async () => {
    const { createTrainer } = await import("../../src/nn/trainer");
    const histories = [];
    for (const pieceBytes of [2 ** 27, 16 * 6]) {
      const options = { loss: squaredError(), optimizer: sgd({ lr: 0.05 }), batchSize: 3 };
      const net = await createTrainer(device, sequential(4, layers()), options, { pieceBytes });
      net.load(initial());
      const sampleWeights = Array.from({ length: 12 }, (_, i) => i / 4);
      const data = { x: golden.values("x"), y: golden.values("y.values") };
      histories.push((await net.fit(data, { epochs: 3, sampleWeights })).loss);
    }
    expect(histories[1]).toEqual(histories[0]);
  });
});

test("what loss, network and options cannot be together is refused with the reason", async () => {
  const make = (options: Partial<TrainerOptions>, ...last: Parameters<typeof sequential>[1][]) =>
    trainer(device, sequential(4, [dense(3), ...last.flat()]), {
      loss: softmaxCrossEntropy(),
      optimizer: sgd({ lr: 1 }),
      ...options,
    });
  const twice =
    "takes logits and makes probabilities of them by its own softmax; after the last layer's sigmoid they would be made twice. Leave that out";
  await expect(make({}, [activation("sigmoid")])).rejects.toThrow(twice);
  await expect(make({}, [dense(2, { activation: "sigmoid" })])).rejects.toThrow(twice);
  await expect(make({ loss: binaryCrossEntropy() }, [activation("sigmoid")])).rejects.toThrow("by its own sigmoid");
  (await make({ loss: squaredError() }, [activation("sigmoid")])).dispose();
  await expect(
    trainer(device, sequential([2, 2, 2], [batchNorm()]), { loss: softmaxCrossEntropy(), optimizer: sgd({ lr: 1 }) }),
  ).rejects.toThrow(
    "takes [classes] or [T, classes], and the network gives [2, 2, 2]; end it in flatten() and dense()",
  );
  await expect(make({ classWeights: [1, 2] })).rejects.toThrow("there are 2 classWeights for 3 classes");
  await expect(make({ classWeights: [1, 2, -1] })).rejects.toThrow("the weight of class 2 is -1");
  await expect(make({ classWeights: [0, 0, 0] })).rejects.toThrow("all classWeights are 0");
  await expect(make({ classWeights: 1 as never })).rejects.toThrow("classWeights is 1; it must be an array");
  await expect(make({ loss: squaredError(), classWeights: [1, 1, 1] })).rejects.toThrow("are for softmaxCrossEntropy");
  await expect(make({ clipNorm: 0 })).rejects.toThrow("clipNorm is 0");
  await expect(make({ clipNorm: -1 })).rejects.toThrow("clipNorm is -1");
  await expect(make({ frozen: ["1"] })).rejects.toThrow(
    'frozen has "1", which is no name or beginning of one; the names are 0.weight, 0.bias',
  );
  await expect(make({ frozen: "0" as never })).rejects.toThrow('frozen is "0"; it must be an array');
  await expect(make({ frozen: ["0."] })).rejects.toThrow("all parameters are frozen");
  expect(() => huber({ delta: 0 })).toThrow("delta is 0");
  expect(() => absoluteError({ reduction: "max" as "sum" })).toThrow('reduction is "max"');
  expect(() => defineLoss("", (p) => p)).toThrow("name is");
  expect(() => defineLoss("mine", 1 as never)).toThrow("it must be a function of prediction and target");
  await expect(make({ loss: defineLoss("mine", (p, t) => p.sub(t)) })).rejects.toThrow(
    "mine: it made [2, 3] of predictions [2, 3]; it must give a value a row, [2], or one number, []",
  );
  await expect(make({ loss: defineLoss("mine", () => 1 as never) })).rejects.toThrow("it must give a float32 Tensor");
});

test("a batchNorm whose statistics are frozen normalises by them in training too", async () => {
  const model = sequential(4, [batchNorm(), dense(3)]);
  const net = await trainer(device, model, { loss: squaredError(), optimizer: sgd({ lr: 0 }), frozen: ["0"] });
  const data = { x: golden.values("x"), y: golden.values("y.values") };
  const { loss } = await net.fit(data, { steps: 2 });
  expect(loss[0]).toBeCloseTo((await net.evaluate(data)).loss, 6);
  expect((await net.weights())["0.running_mean"]).toEqual(new Float32Array(4));
});
