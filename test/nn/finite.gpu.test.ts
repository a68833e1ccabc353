import { afterEach, describe, expect, test } from "vitest";
import {
  type Device,
  dense,
  grad,
  input,
  type OpenOptions,
  open,
  parameter,
  sequential,
  sgd,
  softmaxCrossEntropy,
  squaredError,
  trainer,
} from "../../src/index";

/** Of 1e20 twice the first layer makes infinity twice, of which the second takes the difference. */
const apart = { "0.weight": [1e20, 0, 0, 1e20], "0.bias": [0, 0], "1.weight": [1, -1], "1.bias": [0] };

let device: Device | undefined;
afterEach(() => device?.close());

describe.each<[string, OpenOptions]>([
  ["recorded", { backend: "webgpu", route: "recorded" }],
  ["persistent", { backend: "webgpu", route: "persistent" }],
  ["on the CPU", { backend: "cpu" }],
])("what is not finite shows, %s", (_name, options) => {
  test("a hidden layer that overflows stops training at step 0", async () => {
    device = await open(options);
    const model = sequential(2, [dense(2), dense(1, { activation: "relu" }), dense(1)]);
    const trained = await trainer(device, model, { loss: squaredError(), optimizer: sgd({ lr: 0.1 }) });
    trained.setWeights({ ...apart, "3.weight": [1], "3.bias": [0] });
    await expect(trained.fit({ x: [1e20, 1e20], y: [3] }, { steps: 3 })).rejects.toThrow(/the loss of step 0 is NaN/);
    expect((await trained.weights())["3.bias"]).toEqual(Float32Array.of(0));
    trained.dispose();
  });

  test("a prediction and an evaluation of NaN are NaN, its accuracy too", async () => {
    device = await open(options);
    const model = sequential(2, [dense(2), dense(1, { activation: "sigmoid" }), dense(2)]);
    const trained = await trainer(device, model, { loss: softmaxCrossEntropy(), optimizer: sgd({ lr: 0.1 }) });
    trained.setWeights({ ...apart, "3.weight": [1, 2], "3.bias": [0, 0] });
    const data = { x: [1, 1, 1e20, 1e20], y: [0, 0] };
    expect(await trained.evaluate(data)).toEqual({ loss: Number.NaN, accuracy: Number.NaN });
    const predicted = await trained.predict(data.x);
    expect(Array.from(predicted, Number.isFinite)).toEqual([true, true, false, false]);
    trained.dispose();
  });

  test("a class that is certain costs nothing, however far the others are below", async () => {
    device = await open(options);
    const model = sequential(1, [dense(3, { bias: false })]);
    const trained = await trainer(device, model, { loss: softmaxCrossEntropy(), optimizer: sgd({ lr: 0.1 }) });
    const weights = Float32Array.of(3e38, -3e38, 0);
    trained.setWeights({ "0.weight": weights });
    expect(await trained.evaluate({ x: [1], y: [0] })).toEqual({ loss: 0, accuracy: 1 });
    expect((await trained.fit({ x: [1], y: [0] }, { steps: 2 })).loss).toEqual(Float32Array.of(0, 0));
    expect((await trained.weights())["0.weight"]).toEqual(weights);
    // And a class that cannot be costs infinity.
    expect((await trained.evaluate({ x: [1], y: [1] })).loss).toBe(Number.POSITIVE_INFINITY);
    trained.dispose();
  });

  test("a gradient that is clipped by its norm of 0 breaks the weights, and does not move them", async () => {
    device = await open(options);
    const [x, w] = [input([2]), parameter([2])];
    const g = grad(x.mul(w).sum(), [w])[0] as typeof w;
    const clipped = g.mul(g.div(g.square().sum().sqrt()).minimum(1));
    const program = { inputs: { x }, parameters: { w }, outputs: {}, updates: { w: w.sub(clipped) } };
    const session = await device.compile(program);
    session.write({ w: [1, 2] });
    await session.run({ x: [0, 0] });
    expect(await session.read("w")).toEqual(Float32Array.of(Number.NaN, Number.NaN));
    session.dispose();
  });
});
