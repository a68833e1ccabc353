import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  adam,
  type Device,
  dense,
  dropout,
  type LearningRate,
  moons,
  open,
  sequential,
  sgd,
  softmaxCrossEntropy,
  trainer,
} from "../../src/index";
import { createTrainer } from "../../src/nn/trainer";
import { countingDevice } from "./counting-device";

let device: Device;
beforeEach(async () => {
  device = await open({ backend: "cpu" });
});
afterEach(() => device.close());

const model = () => sequential(2, [dense(8, { activation: "tanh" }), dropout(0.2), dense(2)], { seed: 3 });
const classifier = (lr: LearningRate = 0.02) =>
  trainer(device, model(), { loss: softmaxCrossEntropy(), optimizer: adam({ lr }), batchSize: 16 });
const data = moons(100, { noise: 0.1 }); // 7 steps an epoch, the last of 4 rows

describe("a fit taken some steps at a time", () => {
  test("has the bits of one fit of all its steps, whatever is looked at in between", async () => {
    const whole = await classifier();
    const { loss } = await whole.fit(data, { steps: 60, seed: 5 });
    const parts = await classifier();
    const fit = await parts.begin(data, { seed: 5 });
    const losses: number[] = [];
    for (const steps of [1, 10, 7, 30, 12]) {
      const from = fit.step;
      const history = await fit.advance(steps);
      expect([...history.step]).toEqual(Array.from({ length: steps }, (_, i) => from + i));
      losses.push(...history.loss);
      await parts.predict(data.x);
      await parts.evaluate(data);
    }
    expect(losses).toEqual([...loss]);
    expect(await parts.weights()).toEqual(await whole.weights());
    expect([fit.step, fit.stepsPerEpoch, parts.steps]).toEqual([60, 7, 60]);
  });

  test("so it has where the data go to the device in pieces", async () => {
    const small = () =>
      createTrainer(
        device,
        model(),
        { loss: softmaxCrossEntropy(), optimizer: sgd({ lr: 0.1 }), batchSize: 16 },
        { pieceBytes: 8 * 40 },
      );
    const whole = await small();
    const { loss } = await whole.fit(data, { steps: 40 });
    const fit = await (await small()).begin(data);
    const losses: number[] = [];
    while (fit.step < 40) losses.push(...(await fit.advance(5)).loss);
    expect(losses).toEqual([...loss]);
  });

  test("sees every row once an epoch", async () => {
    // One weight a row, and rows that are those of the identity: a step moves the weights of its rows and no other.
    const rows = 12;
    const x = Float32Array.from({ length: rows * rows }, (_, i) => Number(i % (rows + 1) === 0));
    const y = Int32Array.from({ length: rows }, (_, i) => i % 2);
    const net = await trainer(device, sequential(rows, [dense(2, { bias: false })]), {
      loss: softmaxCrossEntropy(),
      optimizer: sgd({ lr: 0.1 }),
      batchSize: 4,
    });
    const fit = await net.begin({ x, y }, { seed: 1 });
    const seen: number[] = [];
    for (let step = 0; step < 3; step++) {
      const before = Object.values(await net.weights())[0] as Float32Array;
      await fit.advance(1);
      const after = Object.values(await net.weights())[0] as Float32Array;
      for (let row = 0; row < rows; row++) if (before[2 * row] !== after[2 * row]) seen.push(row);
    }
    expect(seen.sort((a, b) => a - b)).toEqual([...Array(rows).keys()]);
  });

  test("compiles once, and takes the data to the device once", async () => {
    const counted = await countingDevice();
    const net = await trainer(counted, model(), { loss: softmaxCrossEntropy(), optimizer: adam(), batchSize: 16 });
    const fit = await net.begin(data);
    const before = counted.sessions.length;
    for (const steps of [1, 16, 256, 5000]) await fit.advance(steps);
    expect(counted.sessions.length).toBe(before);
    expect([counted.writtenBytes["data.x"], counted.writtenBytes["data.y"]]).toEqual([4 * 200, 4 * 100]);
    expect(fit.step).toBe(5273);
    counted.close();
  });

  test("asks for a rate in the call that takes its step", async () => {
    let rate = 0;
    const net = await classifier(() => rate);
    const fit = await net.begin(data);
    const start = await net.weights();
    await fit.advance(3);
    expect(await net.weights()).toEqual(start);
    rate = 0.02;
    await fit.advance(1);
    expect(await net.weights()).not.toEqual(start);
    rate = -1;
    await expect(fit.advance(1)).rejects.toThrow("the learning rate at step 4 is -1");
  });

  test("is taken up from a checkpoint, or begun anew there with everything but its order", async () => {
    const whole = await classifier();
    const fit = await whole.begin(data, { seed: 5 });
    await fit.advance(10);
    const checkpoint = await whole.checkpoint();
    const { loss } = await fit.advance(20);

    const other = await classifier();
    other.resume(checkpoint);
    const taken = await other.begin(data, { seed: 5 });
    expect(taken.step).toBe(10);
    expect((await taken.advance(20)).loss).toEqual(loss);

    other.resume(checkpoint);
    await expect(taken.advance(1)).rejects.toThrow("another fit has begun since, or a checkpoint was resumed");
    await expect(other.begin(data, { seed: 6 })).rejects.toThrow(
      "begin: it takes up the fit of the checkpoint at step 10",
    );
    const anew = await other.begin(data, { seed: 6, takeUp: false });
    expect([anew.step, other.steps]).toEqual([0, 10]);
    await anew.advance(1);
    expect(other.steps).toBe(11);
  });

  test("goes on after an abort, and ends where another fit begins", async () => {
    const net = await classifier();
    const fit = await net.begin(data);
    const abort = new AbortController();
    const stopped = fit.advance(1e9, { signal: abort.signal, onProgress: () => abort.abort(new Error("enough")) });
    await expect(net.begin(data)).rejects.toThrow("a fit of this trainer is running");
    await expect(stopped).rejects.toThrow("enough");
    const reached = fit.step;
    expect(reached).toBeGreaterThan(0);
    await fit.advance(2);
    expect(fit.step).toBe(reached + 2);
    await net.fit(data, { steps: 1 });
    await expect(fit.advance(1)).rejects.toThrow("another fit has begun since");
    await expect(fit.advance(0)).rejects.toThrow();
    net.dispose();
    await expect(fit.advance(1)).rejects.toThrow("disposed");
  });
});
