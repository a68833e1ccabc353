import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { adam, type Device, dense, open, sequential, sgd, squaredError, type Trainer, trainer } from "../../src/index";

let device: Device;
beforeAll(async () => {
  device = await open({ backend: "cpu" });
});
afterAll(() => device.close());

const X = Float32Array.of(1, 2, 3, 4);
const Y = Float32Array.of(2, 4, 6, 8);
const make = (lr: number | ((step: number) => number), batchSize?: number): Promise<Trainer> =>
  trainer(device, sequential(1, [dense(1, { init: "zeros" })]), {
    loss: squaredError(),
    optimizer: sgd({ lr }),
    ...(batchSize !== undefined && { batchSize }),
  });

async function message(run: Promise<unknown>): Promise<string> {
  const error = await run.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(RangeError);
  return (error as Error).message;
}

describe("what becomes non-finite stops training", () => {
  test("an exploding loss: its step, the rate, and the last finite weights to the bit", async () => {
    const trained = await make(10);
    const text = await message(trained.fit({ x: X, y: Y }, { steps: 1000 }));
    const [, step, loss, kept] =
      /^fit: the loss of step (\d+) is (\S+)\. The weights are those before step (\d+)/.exec(text) ?? [];
    expect(loss).toBe("Infinity");
    expect(Number(kept)).toBe(Number(step) - 1);
    expect(text).toMatch(/likely cause is a learning rate that is too large, here 10; lower it, or scale the data\.$/);
    expect(trained.steps).toBe(Number(kept));

    // As many steps and no more are fine, and end with the same weights.
    const other = await make(10);
    const { loss: losses } = await other.fit({ x: X, y: Y }, { steps: Number(kept) });
    expect(losses.every(Number.isFinite)).toBe(true);
    expect(await trained.weights()).toEqual(await other.weights());
    // And training can go on from there, once the cause is gone.
    trained.setWeights({ "0.weight": [0], "0.bias": [0] });
    await trained.fit({ x: X, y: Y }, { steps: 2 });
  });

  test.each([7, 300, 700])("an update that breaks a weight at step %s names the step and the tensor", async (at) => {
    const lr = (step: number) => (step === at ? 3e38 : 1e-4);
    const trained = await make(lr, 2);
    const text = await message(trained.fit({ x: X, y: Y }, { steps: 800, seed: 1 }));
    expect(text).toMatch(new RegExp(`^fit: the update of step ${at} makes "0\\.weight" non-finite; its loss is \\d`));
    expect(text).toMatch(/here 3e\+38; lower it/);
    const other = await make(1e-4, 2);
    await other.fit({ x: X, y: Y }, { steps: at, seed: 1 });
    expect(await trained.weights()).toEqual(await other.weights());
  });

  test("weights whose loss overflows are not kept: those before the update that made them are", async () => {
    const trained = await make((step) => (step === 300 ? 1e25 : 1e-4), 2);
    const text = await message(trained.fit({ x: X, y: Y }, { steps: 800, seed: 1 }));
    expect(text).toMatch(
      /^fit: the loss of step 301 is Infinity\. The weights are those before step 300, .* here 1e\+25/,
    );
    const other = await make(1e-4, 2);
    await other.fit({ x: X, y: Y }, { steps: 300, seed: 1 });
    expect(await trained.weights()).toEqual(await other.weights());
  });

  test("a loss that is not finite at the first step is no rate's fault", async () => {
    const trained = await make(0.1);
    trained.setWeights({ "0.weight": [1e30] });
    expect(await message(trained.fit({ x: X, y: Y }, { steps: 3 }))).toMatch(
      /the loss of step 0 is Infinity\. The weights are those before step 0, .* data or weights that are too large; scale them/,
    );
  });

  test("at the very last step, whose loss no step sees any more", async () => {
    const trained = await make((step) => (step === 9 ? 3e38 : 0.001));
    expect(await message(trained.fit({ x: X, y: Y }, { steps: 10 }))).toMatch(/update of step 9 makes "0\.weight"/);
    expect(trained.steps).toBe(9);
  });

  test("in the optimizer's state, which hides it from the loss", async () => {
    const options = { loss: squaredError({ reduction: "sum" }), optimizer: adam({ lr: 1e-3, beta2: 0 }) };
    const trained = await trainer(device, sequential(1, [dense(1, { init: "zeros" })]), options);
    const data = { x: [1], y: [1.5e19] };
    expect(await message(trained.fit(data, { steps: 5 }))).toMatch(/update of step 0 makes "v\.0\.weight" non-finite/);
    expect([...((await trained.weights())["0.weight"] as Float32Array)]).toEqual([0]);
  });

  test("a checkpoint of then goes on from the last finite step", async () => {
    const trained = await make((step) => (step === 5 ? 3e38 : 0.001));
    await message(trained.fit({ x: X, y: Y }, { steps: 10 }));
    const other = await make(0.001);
    other.resume(await trained.checkpoint());
    const { step } = await other.fit({ x: X, y: Y }, { steps: 10 });
    expect([...step]).toEqual([5, 6, 7, 8, 9]);
  });
});
