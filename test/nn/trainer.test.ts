import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  adam,
  binaryCrossEntropy,
  type Dataset,
  type Device,
  DeviceError,
  dense,
  dropout,
  type FitOptions,
  type Loss,
  moons,
  open,
  randomState,
  sequential,
  sgd,
  softmaxCrossEntropy,
  squaredError,
  type Trainer,
  type TrainerOptions,
  trainer,
  type Values,
} from "../../src/index";
import { createTrainer } from "../../src/nn/trainer";
import { countingDevice } from "./counting-device";

let device: Device;
beforeEach(async () => {
  device = await open({ backend: "cpu" });
});
afterEach(() => device.close());

const twoClasses = () => sequential(2, [dense(8, { activation: "tanh" }), dropout(0.2), dense(2)], { seed: 3 });
const classifier = (options: Partial<TrainerOptions> = {}) =>
  trainer(device, twoClasses(), {
    loss: softmaxCrossEntropy(),
    optimizer: adam({ lr: 0.02 }),
    batchSize: 16,
    ...options,
  });
/** y = 2 a - b + 1/2, on points of a plane. */
function plane(rows: number, seed = 0): { x: Float32Array; y: Float32Array } {
  const x = Float32Array.from(randomState(seed).randn(2 * rows));
  return {
    x,
    y: Float32Array.from({ length: rows }, (_, i) => 2 * (x[2 * i] as number) - (x[2 * i + 1] as number) + 0.5),
  };
}

describe("fit", () => {
  test("learns: two moons to over 95 %, a plane to nothing", async () => {
    const network = sequential(2, [dense(16, { activation: "relu" }), dense(2)], { seed: 1 });
    const classes = await trainer(device, network, {
      loss: softmaxCrossEntropy(),
      optimizer: adam({ lr: 0.02 }),
      batchSize: 32,
    });
    await classes.fit(moons(200, { noise: 0.1 }), { epochs: 60 });
    expect((await classes.evaluate(moons(200, { noise: 0.1, seed: 1 }))).accuracy).toBeGreaterThan(0.95);

    const flat = await trainer(device, sequential(2, [dense(1)]), {
      loss: squaredError(),
      optimizer: sgd({ lr: 0.1 }),
    });
    const { loss } = await flat.fit(plane(50), { steps: 300 });
    expect(loss[299]).toBeLessThan(1e-10);
    const { "0.weight": weight, "0.bias": bias } = await flat.weights();
    expect(weight?.[0]).toBeCloseTo(2, 4);
    expect(weight?.[1]).toBeCloseTo(-1, 4);
    expect(bias?.[0]).toBeCloseTo(0.5, 4);
  });

  test.each([1, 7, 13, 20, 50])("batches of %s of 20 rows: each epoch takes every row once", async (batchSize) => {
    // With a rate of 0 and an output of 0, the loss of a batch is the mean of its targets squared.
    const model = sequential(1, [dense(1, { init: "zeros" })]);
    const still = await trainer(device, model, { loss: squaredError(), optimizer: sgd({ lr: 0 }), batchSize });
    const y = Float32Array.from({ length: 20 }, (_, i) => Math.sqrt(2 ** (i % 10)) * (i < 10 ? 1 : 32));
    const { step, loss } = await still.fit({ x: y, y }, { epochs: 3, seed: 9 });
    const perEpoch = Math.ceil(20 / batchSize);
    expect([...step]).toEqual([...Array(3 * perEpoch).keys()]);
    const order = randomState(9);
    for (let epoch = 0; epoch < 3; epoch++) {
      const rows = order.permutation(20);
      for (let batch = 0; batch < perEpoch; batch++) {
        const taken = [...rows.subarray(batch * batchSize, (batch + 1) * batchSize)];
        const mean = taken.reduce((sum, row) => sum + (y[row] as number) ** 2, 0) / taken.length;
        expect((loss[epoch * perEpoch + batch] as number) / mean).toBeCloseTo(1, 6);
      }
    }
  });

  test("one seed, one result to the bit; another seed, another", async () => {
    const run = async (seed: number) => {
      const trained = await classifier();
      const history = await trained.fit(moons(50, { noise: 0.2 }), { epochs: 4, seed });
      return { loss: history.loss, weights: await trained.weights() };
    };
    const once = await run(5);
    expect(await run(5)).toEqual(once);
    expect((await run(6)).loss).not.toEqual(once.loss);
  });

  test("dropout draws anew in each step, over all fits", async () => {
    const trained = await classifier({ optimizer: sgd({ lr: 0 }), batchSize: 100 });
    const losses = [];
    for (let fits = 0; fits < 2; fits++) losses.push(...(await trained.fit(moons(20), { steps: 3 })).loss);
    expect(new Set(losses).size).toBe(6);
    // The masks belong to the model's seed: another trainer of it draws the same.
    const other = await classifier({ optimizer: sgd({ lr: 0 }), batchSize: 100 });
    expect([...(await other.fit(moons(20), { steps: 6 })).loss]).toEqual(losses);
  });

  test("the data go to the device once, whatever the number of runs", async () => {
    const counting = await countingDevice();
    const trained = await trainer(counting, twoClasses(), {
      loss: softmaxCrossEntropy(),
      optimizer: adam(),
      batchSize: 16,
    });
    await trained.fit(moons(100), { epochs: 40 });
    expect(counting.writtenBytes["data.x"]).toBe(100 * 2 * 4);
    expect(counting.writtenBytes.step as number).toBeGreaterThan(8);
  });

  test.each(["classes", "values"])(
    "data larger than a buffer go there in pieces, and give the same bits: %s",
    async (kind) => {
      const loss: Loss = kind === "classes" ? softmaxCrossEntropy() : binaryCrossEntropy();
      const results = [];
      for (const pieceBytes of [2 ** 27, 2 * 4 * 25]) {
        const counting = await countingDevice();
        const trained = await createTrainer(
          counting,
          twoClasses(),
          { loss, optimizer: adam({ lr: 0.01 }), batchSize: 8 },
          { pieceBytes },
        );
        const { x, y } = moons(83, { noise: 0.2 });
        const data = { x, y: kind === "classes" ? y : Float32Array.from(x, (value) => Number(value > 0)) };
        const { loss: history, validationLoss } = await trained.fit(data, { epochs: 3, validation: data, seed: 2 });
        // 25 rows fit, 24 are three batches: 83 rows are four pieces an epoch, and each is full length.
        expect(counting.writtenBytes["data.x"]).toBeGreaterThanOrEqual(pieceBytes === 2 ** 27 ? 83 * 8 : 12 * 24 * 8);
        results.push({
          history,
          weights: await trained.weights(),
          validationLoss,
          evaluated: await trained.evaluate(data),
        });
      }
      const [whole, pieces] = results;
      expect(pieces?.history).toEqual(whole?.history);
      expect(pieces?.weights).toEqual(whole?.weights);
      // Sums over chunks of another size.
      expect(pieces?.evaluated.loss).toBeCloseTo(whole?.evaluated.loss as number, 6);
      expect(pieces?.evaluated.accuracy).toBe(whole?.evaluated.accuracy);
      expect(pieces?.validationLoss?.length).toBe(3);
    },
  );

  test("a batch that no buffer holds is refused with the size that one holds", async () => {
    const options = { loss: squaredError(), optimizer: adam() };
    const trained = await createTrainer(device, sequential(2, [dense(1)]), options, { pieceBytes: 80 });
    await expect(trained.fit(plane(11), { epochs: 1 })).rejects.toThrow(
      "fit: a batch of 11 rows is 88 bytes, and a buffer has room for 80; give the trainer a batchSize of at most 10.",
    );
  });

  test("the learning rate goes by the steps of the trainer, over all its fits, and is asked before training", async () => {
    const asked: number[] = [];
    const lr = (step: number) => {
      asked.push(step);
      return step < 5 ? 0.1 : 0;
    };
    const trained = await trainer(device, sequential(2, [dense(1)]), { loss: squaredError(), optimizer: sgd({ lr }) });
    const { loss } = await trained.fit(plane(9), { steps: 8 });
    expect(asked).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(loss[4]).toBeGreaterThan(loss[5] as number);
    expect(loss[5]).toBe(loss[7]);
    await trained.fit(plane(9), { steps: 2 });
    expect(asked.slice(8)).toEqual([8, 9]);
    expect(trained.steps).toBe(10);
  });

  test("every thins the history, over the bounds of runs too, and steps and epochs come to the same", async () => {
    const whole = await (await classifier()).fit(moons(40), { epochs: 100 });
    const thin = await (await classifier()).fit(moons(40), { steps: 300, every: 7 });
    const steps = Array.from({ length: 43 }, (_, i) => 7 * i);
    expect([...thin.step]).toEqual(steps);
    expect([...thin.loss]).toEqual(steps.map((step) => whole.loss[step]));
  });

  test("validation has a value an epoch, the last cut short counted, and each is what evaluate would have said", async () => {
    const data = moons(40, { noise: 0.2 });
    const validation = moons(30, { noise: 0.2, seed: 1 });
    const trained = await classifier();
    const { validationLoss, validationAccuracy } = await trained.fit(data, { steps: 8, validation });
    expect([validationLoss?.length, validationAccuracy?.length]).toEqual([3, 3]);
    const last = await trained.evaluate(validation);
    expect(validationLoss?.[2]).toBe(Math.fround(last.loss));
    expect(validationAccuracy?.[2]).toBe(Math.fround(last.accuracy as number));
    const other = await classifier();
    await other.fit(data, { epochs: 1 });
    expect(validationLoss?.[0]).toBeCloseTo((await other.evaluate(validation)).loss, 6);
  });

  test("progress tells step, epoch, loss, pace and time left, and ends with the last step", async () => {
    const told: Parameters<NonNullable<FitOptions["onProgress"]>>[0][] = [];
    const trained = await classifier();
    const validation = moons(20);
    const { loss } = await trained.fit(moons(40), {
      epochs: 30,
      validation,
      onProgress: (progress) => told.push(progress),
    });
    expect(told.length).toBeGreaterThan(1);
    for (const { step, steps, epoch, loss: of, stepsPerSecond, secondsLeft } of told) {
      expect(steps).toBe(90);
      expect(epoch).toBe(Math.floor((step - 1) / 3));
      expect(of).toBe(loss[step - 1]);
      expect(stepsPerSecond).toBeGreaterThan(0);
      expect(secondsLeft).toBeCloseTo((90 - step) / stepsPerSecond, 6);
    }
    const last = told[told.length - 1];
    expect(last?.step).toBe(90);
    expect(last?.validationAccuracy).toBeTypeOf("number");
    expect(told.filter(({ step }) => step === 90).length).toBe(1);
  });

  test("an abort stops at a whole step, and training can go on", async () => {
    const trained = await classifier({ optimizer: sgd({ lr: 0.01 }) });
    const stop = new AbortController();
    const reason = new Error("enough");
    let at = 0;
    const run = trained.fit(moons(100), {
      epochs: 100_000,
      signal: stop.signal,
      onProgress({ step }) {
        at = step;
        if (step > 100) stop.abort(reason);
      },
    });
    await expect(run).rejects.toBe(reason);
    expect(trained.steps).toBeGreaterThanOrEqual(at);
    expect(trained.steps).toBeLessThan(700_000);

    // The weights are those of that many steps.
    const again = await classifier({ optimizer: sgd({ lr: 0.01 }) });
    await again.fit(moons(100), { steps: trained.steps });
    expect(await again.weights()).toEqual(await trained.weights());
    await trained.fit(moons(100), { epochs: 1 });

    const before = await trained.weights();
    await expect(trained.fit(moons(100), { epochs: 1, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(await trained.weights()).toEqual(before);
  });

  test("what onProgress throws ends the fit, and the trainer stays usable", async () => {
    const trained = await classifier();
    const onProgress = () => {
      throw new Error("drawing failed");
    };
    await expect(trained.fit(moons(40), { epochs: 3, onProgress })).rejects.toThrow("drawing failed");
    await trained.fit(moons(40), { epochs: 1 });
  });

  test("while it runs, predict and weights answer, and what would change weights is refused", async () => {
    const trained = await classifier();
    // Long enough to run whatever the others take.
    const stop = new AbortController();
    const run = trained.fit(moons(40), { epochs: 200_000, signal: stop.signal });
    expect((await trained.predict([0, 0])).length).toBe(2);
    expect(Object.keys(await trained.weights())).toEqual(["0.weight", "0.bias", "3.weight", "3.bias"]);
    expect(() => trained.setWeights({})).toThrow("setWeights: a fit of this trainer is running");
    await expect(trained.fit(moons(40), { epochs: 1 })).rejects.toThrow("a fit of this trainer is running");
    stop.abort(new Error("enough"));
    await expect(run).rejects.toThrow("enough");
  });
});

describe("bad data are refused by row and column, and nothing changes", () => {
  const nan = Float32Array.of(1, 2, 3, 4, Number.NaN, 6);
  test.each<[string, Dataset | unknown, object, RegExp]>([
    ["x", { x: [1, 2, 3], y: [0] }, {}, /x has 3 numbers; the network takes rows of 2, so that it must have 2, 4, …/],
    ["no rows", { x: [], y: [] }, {}, /x has 0 numbers/],
    [
      "y",
      { x: [1, 2, 3, 4], y: [0, 1, 0] },
      {},
      /y has 3 numbers for 2 rows of x; it must have 4 \(2 a row\), or 2 classes/,
    ],
    ["a value", { x: nan, y: [0, 1, 0] }, {}, /x has NaN in row 2, column 0; it must be a number that is finite/],
    ["a size", { x: [1, 1e39], y: [0] }, {}, /x has 1e\+39 in row 0, column 1/],
    ["a string", { x: [1, "2"] as unknown as Values, y: [0] }, {}, /x has "2" in row 0, column 1/],
    ["x's type", { x: "1, 2", y: [0] }, {}, /x is "1, 2"; it must be a Float32Array/],
    ["a class", { x: [1, 2, 3, 4], y: [0, 2] }, {}, /class in row 1 of y is 2; classes are integers from 0 to 1/],
    ["half a class", { x: [1, 2, 3, 4], y: [0, 0.5] }, {}, /class in row 1 of y is 0\.5/],
    [
      "a probability",
      { x: [1, 2], y: [1.5, -0.5] },
      {},
      /y has 1\.5 in row 0, column 0; targets of softmaxCrossEntropy/,
    ],
    ["their sum", { x: [1, 2], y: [0.5, 0.25] }, {}, /probabilities in row 0 of y sum to 0\.75; they must sum to 1/],
    ["the validation", { x: [1, 2], y: [0] }, { validation: { x: [1], y: [0] } }, /fit: validation: x has 1 numbers/],
    ["no data", undefined, {}, /the data are undefined; they must be an object \{x, y\}/],
    [
      "no length",
      { x: [1, 2], y: [0] },
      { epochs: undefined },
      /epochs is undefined and steps undefined; give one of the two/,
    ],
    ["both lengths", { x: [1, 2], y: [0] }, { steps: 3 }, /epochs is 1 and steps 3/],
    ["epochs", { x: [1, 2], y: [0] }, { epochs: 0 }, /epochs is 0; it must be an integer of at least 1/],
    ["every", { x: [1, 2], y: [0] }, { every: 0.5 }, /every is 0\.5/],
    ["the seed", { x: [1, 2], y: [0] }, { seed: 1.5 }, /seed is 1\.5/],
    ["shuffle", { x: [1, 2], y: [0] }, { shuffle: "no" }, /shuffle is "no"; it must be true or false/],
    ["an option", { x: [1, 2], y: [0] }, { epoch: 3 }, /there is no option "epoch"; the options are epochs, steps/],
    ["onProgress", { x: [1, 2], y: [0] }, { onProgress: 1 }, /onProgress is 1; it must be a function/],
  ])("%s", async (_what, data, options, message) => {
    const trained = await classifier();
    const before = await trained.weights();
    await expect(trained.fit(data as Dataset, { epochs: 1, ...options })).rejects.toThrow(message);
    expect(await trained.weights()).toEqual(before);
    await trained.fit(moons(10), { epochs: 1 });
  });

  test("a learning rate that is none, before the first step", async () => {
    const trained = await classifier({ optimizer: sgd({ lr: (step) => 0.1 / (3 - step) }) });
    await expect(trained.fit(moons(40), { epochs: 2 })).rejects.toThrow("the learning rate at step 3 is Infinity");
    expect(trained.steps).toBe(0);
  });

  test("targets of -1 and 1 for the binary cross entropy", async () => {
    const trained = await trainer(device, sequential(2, [dense(1)]), { loss: binaryCrossEntropy(), optimizer: adam() });
    await expect(trained.evaluate({ x: [1, 2], y: [-1] })).rejects.toThrow(
      /y has -1 in row 0, column 0; targets of binaryCross/,
    );
  });
});

describe("predict and evaluate", () => {
  let trained: Trainer;
  beforeEach(async () => {
    trained = await classifier();
    await trained.fit(moons(60, { noise: 0.2 }), { epochs: 3 });
  });

  test.each([1, 2, 5, 16, 17, 255, 300])("%s rows at once are the rows one by one", async (rows) => {
    const { x } = moons(rows, { noise: 0.3, seed: 4 });
    const all = await trained.predict(x);
    expect(all.length).toBe(2 * rows);
    for (const row of [0, rows >> 1, rows - 1]) {
      const one = await trained.predict(x.subarray(2 * row, 2 * row + 2));
      expect([...one]).toEqual([...all.subarray(2 * row, 2 * row + 2)]);
    }
    expect((all[0] as number) + (all[1] as number)).toBeCloseTo(1, 6);
  });

  test("more rows than one chunk has", async () => {
    const { x, y } = moons(4500, { noise: 0.3, seed: 4 });
    const probabilities = await trained.predict(x);
    let loss = 0;
    let right = 0;
    y.forEach((which, row) => {
      loss -= Math.log(probabilities[2 * row + which] as number) / y.length;
      right += Number((probabilities[2 * row + which] as number) > 0.5);
    });
    const evaluated = await trained.evaluate({ x, y });
    expect(evaluated.loss).toBeCloseTo(loss, 5);
    expect(evaluated.accuracy).toBe(right / y.length);
    // Some rows only, by the same session: what lies behind them does not count.
    const few = await trained.evaluate({ x: x.subarray(0, 2 * 4100), y: y.subarray(0, 4100) });
    expect(few.accuracy).toBeGreaterThan(0.5);
    expect(few.accuracy).not.toBe(evaluated.accuracy);
  });

  test("evaluate has the reduction and the penalty of the loss, and no dropout", async () => {
    const model = sequential(2, [dense(3, { l2: 0.5 }), dropout(0.5)]);
    const weights = { "0.weight": [1, 0, 0, 0, 1, 0], "0.bias": [0, 0, 1] };
    for (const [reduction, expected] of [
      ["mean", (1 + 4 + 4 + 0) / 6],
      ["sum", 9],
    ] as const) {
      const other = await trainer(device, model, { loss: squaredError({ reduction }), optimizer: adam() });
      other.setWeights(weights);
      const data = { x: [1, 2, 2, 0], y: [0, 0, 1, 0, 0, 1] };
      expect(await other.evaluate(data)).toEqual({ loss: Math.fround(expected) + 0.25 * 2 });
    }
  });

  test("binary accuracy is the share of elements on the right side of one half", async () => {
    const options = { loss: binaryCrossEntropy(), optimizer: adam() };
    const other = await trainer(device, sequential(1, [dense(2)]), options);
    other.setWeights({ "0.weight": [1, -1], "0.bias": [0, 0] });
    const data = { x: [1, -2, 3], y: Int32Array.of(1, 0, 0, 1, 0, 1) };
    expect((await other.evaluate(data)).accuracy).toBe(4 / 6);
    expect([...(await other.predict([0]))]).toEqual([0.5, 0.5]);
  });

  test("weights are copies, and setWeights takes some or all, or changes nothing", async () => {
    const before = await trained.weights();
    before["3.bias"]?.fill(7);
    expect((await trained.weights())["3.bias"]).not.toEqual(before["3.bias"]);
    trained.setWeights({ "3.bias": [1, 2] });
    expect([...((await trained.weights())["3.bias"] as Float32Array)]).toEqual([1, 2]);
    for (const wrong of [{ "3.bias": [5, 6], bias: [1] }, { "3.bias": [5] }, { "3.bias": [5, Number.NaN] }]) {
      expect(() => trained.setWeights(wrong as Record<string, Values>)).toThrow(/setWeights: /);
    }
    expect([...((await trained.weights())["3.bias"] as Float32Array)]).toEqual([1, 2]);
    const [first] = await trained.predict([0.5, 0.5]);
    trained.setWeights({ "3.bias": [2, 1] });
    expect((await trained.predict([0.5, 0.5]))[0]).not.toBe(first);
  });

  test("its session is the one that trains; after dispose everything says so", async () => {
    expect(trained.session.explain()).toMatch(/3\.weight/);
    expect(trained.session.explain()).toMatch(/stepSize/);
    trained.dispose();
    await expect(trained.predict([1, 2])).rejects.toThrow("predict: the trainer was disposed");
    expect(() => trained.setWeights({})).toThrow("setWeights: the trainer was disposed");
    expect(device.memory().bytes).toBe(0);
  });

  test("bad rows", async () => {
    await expect(trained.predict([1])).rejects.toThrow("predict: x has 1 numbers; the network takes rows of 2");
    await expect(trained.predict([1, Infinity])).rejects.toThrow("x has Infinity in row 0, column 1");
  });
});

test.each(["fit", "predict", "evaluate"] as const)("disposed in the middle of %s it holds nothing", async (call) => {
  const data = moons(100);
  for (const turns of [0, 1, 3, 9]) {
    const trained = await classifier();
    const calls = {
      fit: () => trained.fit(data, { steps: 1e6, every: 1000 }),
      predict: () => trained.predict(data.x.subarray(0, 20)),
      evaluate: () => trained.evaluate(data),
    };
    const asked = calls[call]().catch((error) => expect(error).toBeInstanceOf(DeviceError));
    for (let i = 0; i < turns; i++) await new Promise((resolve) => setTimeout(resolve));
    trained.dispose();
    await asked;
    expect(device.memory()).toMatchObject({ bytes: 0, buffers: 0 });
  }
});

test("another data set compiles another step and keeps weights and optimizer's state; the same one compiles none", async () => {
  const counting = await countingDevice();
  const options = { loss: squaredError(), optimizer: sgd({ lr: 0.05, momentum: 0.9 }) };
  const trained = await trainer(counting, sequential(2, [dense(1)]), options);
  await trained.fit(plane(20), { steps: 8 });
  const compiled = counting.sessions.length;
  await trained.fit(plane(20), { steps: 8 });
  await trained.fit(plane(20, 1), { steps: 100 }); // no longer than short fits have room for
  expect(counting.sessions.length).toBe(compiled);
  await trained.fit(plane(30), { steps: 3 });
  expect(counting.sessions.length).toBe(compiled + 1);

  // Momentum, carried over: the same steps with one trainer for each fit go elsewhere.
  const anew = await trainer(counting, sequential(2, [dense(1)]), options);
  anew.setWeights(await trained.weights());
  const [went, started] = [await trained.fit(plane(30), { steps: 2 }), await anew.fit(plane(30), { steps: 2 })];
  expect(went.loss[0]).toBe(started.loss[0]);
  expect(went.loss[1]).not.toBe(started.loss[1]);
});
