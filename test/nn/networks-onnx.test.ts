import * as ort from "onnxruntime-web";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readOnnx, writeOnnx } from "../../src/files/onnx";
import {
  avgPool2d,
  conv1d,
  conv2d,
  convTranspose2d,
  type Device,
  dense,
  flatten,
  gru,
  type Layer,
  lstm,
  maxPool2d,
  multiHeadAttention,
  open,
  type Shape,
  sequential,
  sgd,
  squaredError,
  trainer,
} from "../../src/index";
import { normal } from "../graph/numbers";
import { NETWORKS } from "../support/golden-networks";
import { relativeError } from "../support/parity";
import { torchNetwork } from "../support/torch-networks";

/** Networks whose files ONNX Runtime must read as we do: PyTorch's golden ones, and what they leave out. */
const CASES: Record<string, [number | Shape, () => Layer[]]> = {
  ...Object.fromEntries(Object.entries(NETWORKS).map(([name, { inputs, layers }]) => [name, [inputs, layers]])),
  "conv1d in groups": [[4, 9], () => [conv1d(6, 2, { groups: 2, dilation: 2, padding: 1, activation: "tanh" })]],
  "conv2d, stride, pools": [
    [2, 9, 8],
    () => [conv2d(3, [3, 2], { stride: [2, 1], padding: 1 }), maxPool2d(3, { stride: 1, padding: 1 }), flatten()],
  ],
  "a mean and a transposed convolution": [
    [4, 5, 4],
    () => [avgPool2d(2, { stride: 1, padding: 1 }), convTranspose2d(2, 3, { stride: 3, groups: 2, outputPadding: 1 })],
  ],
  "attention without a mask": [[6, 8], () => [multiHeadAttention(4)]],
  "recurrence over all outputs": [[5, 3], () => [lstm(4, { sequences: true }), gru(3, { sequences: true })]],
};

let device: Device;
beforeAll(async () => {
  device = await open({ backend: "cpu" });
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = "error";
});
afterAll(() => device.close());

test.each(Object.keys(CASES))("%s: ONNX Runtime predicts what we do, and so does the file read back", async (name) => {
  const [inputs, layers] = CASES[name] as [number | Shape, () => Layer[]];
  const model = sequential(inputs, layers(), { seed: 5 });
  const trained = await trainer(device, model, { loss: squaredError(), optimizer: sgd({ lr: 0.01 }), batchSize: 3 });
  const file = writeOnnx(model, await trained.weights());
  const session = await ort.InferenceSession.create(file, { executionProviders: ["wasm"] });
  const back = await trainer(device, readOnnx(file), { loss: squaredError(), optimizer: sgd({ lr: 0.01 }) });
  for (const count of [1, 3]) {
    const size = count * model.inputs;
    const tokens = name === "gpt";
    const x = tokens ? Int32Array.from({ length: size }, (_, i) => (i * 7) % 17) : normal(size, count);
    const fed = new ort.Tensor(tokens ? "int32" : "float32", x, [count, ...model.inputShape]);
    const { output } = await session.run({ input: fed });
    expect(output?.dims).toEqual([count, ...model.outputShape]);
    const predicted = await trained.predict(x);
    expect(relativeError(output?.data as Float32Array, predicted)).toBeLessThan(2e-5);
    expect(relativeError(await back.predict(x), predicted), "read back").toBeLessThan(2e-5);
  }
  await session.release();
  trained.dispose();
  back.dispose();
});

test("a network that was read goes out again, with its new head", async () => {
  const backbone = readOnnx(await torchNetwork("shufflenet"), { before: "fc" });
  const model = sequential(backbone.inputShape, [backbone, dense(3)], { seed: 2 });
  const trained = await trainer(device, model, { loss: squaredError(), optimizer: sgd({ lr: 0.01 }) });
  const weights = await trained.weights();
  trained.setWeights({ "0.conv1.0.weight": (weights["0.conv1.0.weight"] as Float32Array).map((value) => 1.5 * value) });
  const session = await ort.InferenceSession.create(writeOnnx(model, await trained.weights()), {
    executionProviders: ["wasm"],
  });
  for (const count of [1, 3]) {
    const x = normal(count * model.inputs, count);
    const { output } = await session.run({ input: new ort.Tensor("float32", x, [count, 3, 32, 32]) });
    expect(relativeError(output?.data as Float32Array, await trained.predict(x))).toBeLessThan(2e-5);
  }
  await session.release();
  trained.dispose();
});
