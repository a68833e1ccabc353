import * as ort from "onnxruntime-web";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writeOnnx } from "../../src/files/onnx";
import {
  activation,
  batchNorm,
  type Device,
  dense,
  embedding,
  flatten,
  globalAveragePool,
  grad,
  groupNorm,
  input,
  type Layer,
  layerNorm,
  open,
  parameter,
  positionEmbedding,
  readSafetensors,
  reference,
  residual,
  rmsNorm,
  type Shape,
  sequential,
  sgd,
  squaredError,
  type Tensor,
  trainer,
  upsample2d,
  writeSafetensors,
} from "../../src/index";
import { Sequential } from "../../src/nn/model";
import { type Golden, readGolden } from "../support/golden";
import { relativeError } from "../support/parity";

/** The cases of test/golden/make_torch_layers.py, by their names there: an example's shape, and the layers. */
const CASES: Record<string, [number | Shape, Layer[]]> = {
  gelu: [3, [dense(4, { activation: "gelu" })]],
  silu: [3, [dense(4, { activation: "silu" })]],
  softplus: [3, [dense(4, { activation: "softplus" })]],
  elu: [3, [dense(4, { activation: "elu" })]],
  leakyRelu: [3, [dense(4), activation("leakyRelu")]],
  activation: [3, [dense(4), activation("tanh"), activation("relu")]],
  "dense-sequence": [
    [6, 3],
    [dense(4, { activation: "tanh" }), dense(2, { bias: false })],
  ],
  flatten: [
    [2, 3, 2],
    [flatten(), dense(2)],
  ],
  layerNorm: [6, [layerNorm(), dense(2)]],
  "layerNorm-sequence": [[3, 5], [layerNorm({ epsilon: 0.01 })]],
  rmsNorm: [6, [rmsNorm()]],
  "rmsNorm-sequence": [[3, 5], [rmsNorm({ epsilon: 0.1 })]],
  groupNorm: [[4, 3, 2], [groupNorm(2)]],
  "groupNorm-features": [6, [groupNorm(3, { epsilon: 0.1 })]],
  batchNorm: [3, [dense(5), batchNorm(), activation("tanh")]],
  "batchNorm-sequence": [[4, 5], [batchNorm({ momentum: 0.3 })]],
  "batchNorm-images": [[3, 4, 2], [batchNorm({ epsilon: 0.01 })]],
  embedding: [[5], [embedding(7, 3), positionEmbedding(), layerNorm()]],
  residual: [
    [5, 4],
    [residual([layerNorm(), dense(8, { activation: "gelu" }), dense(4)]), dense(2)],
  ],
  "residual-batchNorm": [3, [dense(4), residual([batchNorm(), activation("relu"), dense(4)])]],
  images: [
    [2, 3, 2],
    [upsample2d(3), batchNorm(), globalAveragePool(), dense(3)],
  ],
};

let golden: Golden;
let device: Device;
beforeAll(async () => {
  golden = await readGolden("torch-layers");
  device = await open({ backend: "cpu" });
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = "error";
});
afterAll(() => device.close());

function modelOf(name: string): Sequential {
  const [inputs, layers] = CASES[name] as (typeof CASES)[string];
  const model = sequential(inputs, layers);
  if (!(model instanceof Sequential)) throw new TypeError();
  return model;
}

/** The state_dict of a case as PyTorch's file of it, each array in turn by what `of` makes of its name. */
function stateDict(name: string, of: (key: string) => string = (key) => key): Uint8Array {
  const tensors = Object.entries(golden.group(`${name}.state`)).map(([key, values]) => {
    return [of(key), { shape: golden.shape(`${name}.state.${key}`), values }];
  });
  return writeSafetensors(Object.fromEntries(tensors));
}

test("every case of the golden file is held against a network, and the other way round", () => {
  const inFile = new Set(Object.keys(golden.group("batchNorm")).map((key) => key.split(".")[0]));
  expect(inFile).toEqual(new Set(["x", "g", "state", "y", "gradient", "after", "eval"]));
  for (const name of Object.keys(CASES)) expect(golden.values(`${name}.eval`).length).toBeGreaterThan(0);
});

describe.each(Object.keys(CASES))("%s", (name) => {
  test("in float64: PyTorch's output, gradients and running statistics", () => {
    const model = modelOf(name);
    const rows = golden.shape(`${name}.x`)[0] as number;
    const held = Object.fromEntries(Object.entries(model.held).map(([key, { shape }]) => [key, parameter(shape)]));
    const x = parameter([rows, model.inputs]);
    const becomes: Record<string, Tensor> = {};
    const step = { counter: () => input([], "int32"), present: null, frozen: () => false, becomes };
    const y = model.forward(x, held, step);
    expect(y.shape.slice(1)).toEqual(model.outputShape);
    const g = input(y.shape);
    // Arrays as PyTorch has them: a weight of a dense layer the other way round.
    const named = Object.entries(model.parameters).map(([key]) => ({ key, tensor: held[key] as Tensor }));
    if (model.vocabulary === null) named.push({ key: "x", tensor: x });
    const gradients = grad(
      y.mul(g).sum(),
      named.map(({ tensor }) => tensor),
    );
    const outputs: Record<string, Tensor> = { y };
    named.forEach(({ key }, i) => {
      const gradient = gradients[i] as Tensor;
      outputs[`gradient.${key}`] = model.held[key]?.turned ? gradient.T : gradient;
    });
    for (const [key, tensor] of Object.entries(becomes)) outputs[`after.${key}`] = tensor;
    const session = reference({ inputs: { g }, parameters: { ...held, x }, outputs });
    const state = golden.group(`${name}.state`);
    for (const [key, { shape, turned }] of Object.entries(model.held)) {
      const values = state[key] as Float32Array;
      const [rowsOfIt = 0, columns = 0] = shape;
      session.write({
        [key]: turned
          ? values.map((_, at) => values[(at % columns) * rowsOfIt + Math.floor(at / columns)] as number)
          : values,
      });
    }
    session.write({ x: golden.values(`${name}.x`) });
    const results = session.run({ g: golden.values(`${name}.g`) });
    const expected = Object.keys(golden.group(name)).filter((key) => /^(y$|gradient|after)/.test(key));
    expect(Object.keys(results).sort()).toEqual(expected.sort());
    for (const key of expected)
      expect(relativeError(results[key] as Float64Array, golden.values(`${name}.${key}`), 1), key).toBeLessThan(1e-9);
  });

  test("PyTorch's file in, the same out; predictions, and those of ONNX Runtime", async () => {
    const model = modelOf(name);
    const trained = await trainer(device, model, { loss: squaredError(), optimizer: sgd({ lr: 0 }) });
    const x = golden.values(`${name}.x`);
    const rows = golden.shape(`${name}.x`)[0] as number;
    // One step of rate 0 moves the running statistics only, as the one pass in PyTorch did.
    trained.load(stateDict(name));
    const file = readSafetensors(await trained.save());
    const given = readSafetensors(stateDict(name));
    expect(file).toEqual(given);
    await trained.fit({ x, y: new Float32Array(rows * model.outputs) }, { steps: 1 });
    const expected = golden.values(`${name}.eval`);
    expect(relativeError(await trained.predict(x), expected)).toBeLessThan(2e-5);
    for (const [key, values] of Object.entries(golden.group(`${name}.after`)))
      expect(relativeError((await trained.weights())[key] as Float32Array, values), key).toBeLessThan(2e-6);

    const onnx = writeOnnx(model, await trained.weights());
    const session = await ort.InferenceSession.create(onnx, { executionProviders: ["wasm"] });
    for (const count of [1, rows]) {
      const part = x.slice(0, count * model.inputs) as Float32Array | Int32Array;
      const shape = [count, ...model.inputShape];
      const fed =
        part instanceof Int32Array ? new ort.Tensor("int32", part, shape) : new ort.Tensor("float32", part, shape);
      const { output } = await session.run({ input: fed });
      expect(output?.dims).toEqual([count, ...model.outputShape]);
      const wanted = expected.slice(0, count * model.outputs);
      expect(relativeError(output?.data as Float32Array, wanted)).toBeLessThan(2e-5);
    }
    await session.release();
    trained.dispose();
  });
});
