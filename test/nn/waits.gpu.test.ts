import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { adam, type Device, dense, moons, open, sequential, softmaxCrossEntropy, trainer } from "../../src/index";
import { type LateGpu, lateGpu } from "../support/late-gpu";

describe.each(["recorded", "persistent"] as const)("where news comes 100 ms late, on the %s route,", (route) => {
  let late: LateGpu;
  let device: Device;
  beforeAll(async () => {
    late = lateGpu(100);
    device = await open({ backend: "webgpu", gpu: late.gpu, route, tuning: null });
  });
  afterAll(() => device.close());

  const data = moons(256, { noise: 0.2, seed: 1 });
  async function network() {
    const model = sequential(2, [dense(8, { activation: "relu" }), dense(8, { activation: "relu" }), dense(2)]);
    const net = await trainer(device, model, {
      loss: softmaxCrossEntropy(),
      optimizer: adam({ lr: 0.01 }),
      batchSize: 32,
    });
    return net;
  }
  const waited = async (task: Promise<unknown>) => {
    late.waits();
    await task;
    return late.waits();
  };

  test("a short fit waits at most three times, and what follows it once", async () => {
    const net = await network();
    await net.fit(data, { steps: 1 }); // what a device does once when it is new
    expect(await waited(net.fit(data, { steps: 10 }))).toBeLessThanOrEqual(3);
    expect(await waited(net.predict(data.x))).toBe(1);
    expect(await waited(net.evaluate(data))).toBe(1);
    expect(await waited(net.save())).toBe(0);
    net.dispose();
  });

  test("so does the first fit of all", async () => {
    const net = await network();
    expect(await waited(net.fit(data, { steps: 10 }))).toBeLessThanOrEqual(3);
    net.dispose();
  });

  test("a validation after each of four epochs waits twice an epoch", async () => {
    const net = await network();
    await net.fit(data, { steps: 1 });
    await net.evaluate(data);
    expect(await waited(net.fit(data, { epochs: 4, validation: data }))).toBeLessThanOrEqual(8);
    net.dispose();
  });

  test("predictions of more rows than one run takes wait once", async () => {
    const net = await network();
    await net.predict(new Float32Array(2 * 9000));
    expect(await waited(net.predict(new Float32Array(2 * 9000)))).toBe(1);
    net.dispose();
  });
});
