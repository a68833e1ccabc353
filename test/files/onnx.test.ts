import * as ort from "onnxruntime-web";
import { beforeAll, describe, expect, test } from "vitest";
import { stepBounds } from "../../src/cpu/bounds";
import { type OnnxLayer, type OnnxOptions, writeOnnx } from "../../src/files/onnx";
import {
  type Activation,
  binaryCrossEntropy,
  dense,
  dropout,
  input,
  type Layer,
  type Loss,
  open,
  parameter,
  randomState,
  sequential,
  sgd,
  softmaxCrossEntropy,
  squaredError,
  trainer,
} from "../../src/index";
import type { Sequential } from "../../src/nn/model";
import { ShapeError } from "../../src/util/errors";

beforeAll(() => {
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = "error";
});

/** What ONNX Runtime gives for these rows. */
async function run(file: Uint8Array, x: Float32Array, inputs: number): Promise<{ y: Float32Array; dims: number[] }> {
  const session = await ort.InferenceSession.create(file, { executionProviders: ["wasm"] });
  expect([session.inputNames, session.outputNames]).toEqual([["input"], ["output"]]);
  const { output } = await session.run({ input: new ort.Tensor("float32", x, [x.length / inputs, inputs]) });
  await session.release();
  return { y: output?.data as Float32Array, dims: [...(output?.dims ?? [])] };
}

const normal = (seed: number, count: number, scale = 1): Float32Array =>
  Float32Array.from(randomState(seed).randn(count), (value) => value * scale);

interface Case {
  inputs: number;
  layers: Layer[];
  loss: Loss;
  probabilities?: "softmax" | "sigmoid";
}

const each = (activation: Activation): Layer[] => [dense(17, { activation }), dense(5, { activation, bias: false })];
const cases: [string, Case][] = [
  ["one layer", { inputs: 3, layers: [dense(2)], loss: squaredError() }],
  ["relu", { inputs: 7, layers: [...each("relu"), dense(3)], loss: squaredError() }],
  ["tanh", { inputs: 7, layers: each("tanh"), loss: squaredError() }],
  ["sigmoid", { inputs: 7, layers: each("sigmoid"), loss: squaredError() }],
  ["linear", { inputs: 7, layers: each("linear"), loss: squaredError() }],
  [
    "classes, with dropout between",
    {
      inputs: 64,
      layers: [
        dropout(0.1),
        dense(100, { activation: "relu" }),
        dropout(0.5),
        dense(33, { activation: "tanh" }),
        dense(10),
      ],
      loss: softmaxCrossEntropy(),
      probabilities: "softmax",
    },
  ],
  [
    "yes or no",
    {
      inputs: 2,
      layers: [dense(8, { activation: "sigmoid" }), dense(1)],
      loss: binaryCrossEntropy(),
      probabilities: "sigmoid",
    },
  ],
];

describe("a network in ONNX Runtime gives what the trained one predicts", () => {
  test.each(cases)("%s", async (_, { inputs, layers, loss, probabilities }) => {
    const model = sequential(inputs, layers, { seed: 3 });
    const rows = 64;
    const x = normal(1, rows * inputs);
    const y = probabilities
      ? Float32Array.from(randomState(2).rand(rows * model.outputs), (value) => value / model.outputs)
      : normal(2, rows * model.outputs);
    const classes = Int32Array.from(randomState(2).rand(rows), (value) => Math.floor(value * model.outputs));
    const device = await open({ backend: "cpu" });
    const trained = await trainer(device, model, { loss, optimizer: sgd({ lr: 0.05 }), batchSize: 16 });
    await trained.fit({ x, y: probabilities === "softmax" ? classes : y }, { epochs: 2 });
    const weights = await trained.weights();

    const options: OnnxOptions = probabilities === undefined ? {} : { probabilities };
    const file = writeOnnx(model, weights, options);
    const raw = writeOnnx(model, weights);
    for (const count of [1, 13]) {
      const given = normal(7 + count, count * inputs, 3);
      // Each is as near the float64 result as float32 lets any device be, the bound derived from these very numbers.
      const bounds = boundsOf(model as Sequential, weights, given, count, probabilities);
      const predicted = await trained.predict(given);
      const { y: found, dims } = await run(file, given, inputs);
      expect(dims).toEqual([count, model.outputs]);
      expect(found).toHaveLength(predicted.length);
      for (let i = 0; i < found.length; i++) {
        const bound = bounds.end.bounds[i] as number;
        expect(bound).toBeLessThan(1e-3);
        expect(Math.abs((found[i] as number) - (bounds.end.values[i] as number)), `${i}`).toBeLessThanOrEqual(bound);
        expect(Math.abs((found[i] as number) - (predicted[i] as number)), `${i}`).toBeLessThanOrEqual(2 * bound);
      }
      const { y: logits } = await run(raw, given, inputs);
      logits.forEach((value, i) => {
        const error = Math.abs(value - (bounds.logits.values[i] as number));
        expect(error).toBeLessThanOrEqual(bounds.logits.bounds[i] as number);
      });
    }
    trained.dispose();
    device.close();
  });
});

function boundsOf(
  model: Sequential,
  weights: Record<string, Float32Array>,
  x: Float32Array,
  rows: number,
  probabilities: "softmax" | "sigmoid" | undefined,
) {
  const parameters = Object.fromEntries(
    Object.entries(model.parameters).map(([name, shape]) => [name, parameter(shape)]),
  );
  const from = input([rows, model.inputs]);
  const logits = model.forward(from, parameters);
  const end = probabilities === undefined ? logits : logits[probabilities]();
  const { outputs } = stepBounds({ inputs: { x: from }, parameters, outputs: { end, logits } }, weights, { x });
  if (outputs.end === undefined || outputs.logits === undefined) throw new Error("no bounds");
  return { end: outputs.end, logits: outputs.logits };
}

describe("writeOnnx", () => {
  const layers: OnnxLayer[] = [
    { name: "dense", units: 3, activation: "relu" },
    { name: "dropout" },
    { name: "dense", units: 2, bias: false },
  ];
  const weights = { "0.weight": [1, 2, 3, 4, 5, 6], "0.bias": [0, 0, 1], "3.weight": [1, 0, 0, 1, -1, 1] };
  const model = { inputs: 2, layers };

  test("takes layers as plain data, with the defaults of dense", async () => {
    const { y } = await run(writeOnnx(model, weights), Float32Array.of(1, 1, -1, 0), 2);
    expect([...y]).toEqual([5 - 10, 7 + 10, 0 - 0, 0 + 0]); // relu([5, 7, 10]) and relu([-1, -2, -2])
  });

  test("standardises rows and restores numbers, and a mean that is large beside its deviation costs nothing", async () => {
    const mean = [2_000_000.123, -0.25];
    const deviation = [0.7, 3];
    const out = { mean: [1e6 + 0.1, -3], deviation: [0.01, 2] };
    const linear = { inputs: 2, layers: [{ name: "dense", units: 2, bias: false } as const] };
    const own = { "0.weight": [1, 0.5, -2, 1] };
    const x = Float32Array.of(2_000_000, 1, 2_000_001.25, -4, 1_999_999, 0);
    const { y } = await run(writeOnnx(linear, own, { standardize: { mean, deviation } }), x, 2);
    const { y: whole } = await run(writeOnnx(linear, own, { standardize: { mean, deviation }, restore: out }), x, 2);
    for (let row = 0; row < 3; row++) {
      const [a, b] = [0, 1].map((c) => ((x[row * 2 + c] as number) - (mean[c] as number)) / (deviation[c] as number));
      const expected = [(a as number) - 2 * (b as number), (a as number) / 2 + (b as number)];
      expected.forEach((value, c) => {
        expect(Math.abs((y[row * 2 + c] as number) - value)).toBeLessThan(1e-6);
        const restored = value * (out.deviation[c] as number) + (out.mean[c] as number);
        expect(Math.abs((whole[row * 2 + c] as number) - restored)).toBeLessThan(c === 0 ? 0.0626 : 1e-5); // a float32 near 1e6
      });
    }
  });

  test("refuses what cannot be standardised by, with the value", () => {
    const write = (options: OnnxOptions) => () => writeOnnx(model, weights, options);
    const fits = { mean: [0, 0], deviation: [1, 1] };
    expect(write({ standardize: { ...fits, mean: [0] } })).toThrow(ShapeError);
    expect(write({ standardize: { ...fits, mean: [0] } })).toThrow("standardize.mean has 1 values; it must have one a");
    expect(write({ restore: { ...fits, deviation: [1, 1, 1] } })).toThrow("restore.deviation has 3 values");
    for (const value of [0, -1, Number.NaN, 1e-60]) {
      expect(write({ standardize: { ...fits, deviation: [1, value] } })).toThrow(RangeError);
      expect(write({ standardize: { ...fits, deviation: [1, value] } })).toThrow(
        `value 1 is ${value}; it must be finite`,
      );
    }
    expect(write({ standardize: { ...fits, mean: [1e39, 0] } })).toThrow(
      "value 0 is 1e+39; it must be finite in float32",
    );
    expect(write({ restore: fits, probabilities: "softmax" })).toThrow(TypeError);
    expect(write({ standardize: null as never })).toThrow("standardize is null; it must be { mean, deviation }");
  });

  test("gives the same bytes for the same network", () => {
    expect(writeOnnx(model, weights)).toEqual(writeOnnx(model, weights));
    const text = new TextDecoder("latin1").decode(writeOnnx(model, weights, { name: "iris" }));
    for (const name of ["wgrad", "iris", "0.weight", "0.bias", "3.weight", "batch"]) expect(text).toContain(name);
  });

  test("refuses weights that do not fit, by name", () => {
    const write = (changed: Record<string, ArrayLike<number>>) => () => writeOnnx(model, { ...weights, ...changed });
    expect(write({ "0.bias": [1] })).toThrow(ShapeError);
    expect(write({ "0.bias": [1] })).toThrow('weights "0.bias" have 1 values; shape [3] has 3');
    expect(write({ "3.bias": [1, 2] })).toThrow('there are weights "3.bias", which the network has not');
    expect(() => writeOnnx(model, {})).toThrow('weights "0.weight" are missing; shape [2, 3] has 6');
    expect(() => writeOnnx(model, Object.create({ ...weights }))).toThrow(ShapeError);
    for (const value of [NaN, Infinity, 1e39]) {
      expect(write({ "0.bias": [0, value, 0] })).toThrow(RangeError);
      expect(write({ "0.bias": [0, value, 0] })).toThrow(`"0.bias": value 1 is ${value}`);
    }
  });

  test("refuses what is no network", () => {
    const write =
      (changed: object, options: object = {}) =>
      () =>
        writeOnnx({ ...model, ...changed }, weights, options);
    expect(write({ inputs: 0 })).toThrow(TypeError);
    expect(write({ layers: [] })).toThrow(TypeError);
    expect(() => writeOnnx({ inputs: 2, layers: [{ name: "dropout" }] }, {})).toThrow("none of the layers is dense");
    expect(write({ layers: [{ name: "conv" }] })).toThrow("it must be dense or dropout");
    expect(write({ layers: [{ name: "dense", units: 3, activation: "swish" }] })).toThrow("it must be one of relu");
    expect(write({ layers: [{ name: "dense", units: 0.5 }] })).toThrow("units of layer 0 is 0.5");
    expect(write({}, { probabilities: "argmax" })).toThrow(TypeError);
    expect(write({}, { name: "" })).toThrow(TypeError);
  });
});
