import { readFileSync } from "node:fs";
import { unzipSync } from "fflate";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readOnnx } from "../../src/files/onnx";
import { encodeModel, type OnnxTensor } from "../../src/files/onnx-messages";
import {
  type Device,
  dense,
  FormatError,
  open,
  readSafetensors,
  reference,
  sequential,
  sgd,
  softmaxCrossEntropy,
  squaredError,
  trainer,
} from "../../src/index";
import { type Golden, readGolden } from "../support/golden";
import { toldOfModels } from "../support/onnx-case";
import { relativeError } from "../support/parity";
import { predictionOf, TORCH_NETWORKS, torchNetwork } from "../support/torch-networks";

let device: Device;
let golden: Golden;
beforeAll(async () => {
  device = await open({ backend: "cpu" });
  golden = await readGolden("torch-networks");
});
afterAll(() => device.close());

describe.each(TORCH_NETWORKS)("%s, as PyTorch exported it", (name) => {
  test("gives what PyTorch's float64 does, in float64 and on the CPU", async () => {
    const { x, y } = golden.group(name) as { x: Float32Array; y: Float64Array };
    const { program, weights } = predictionOf(await torchNetwork(name), 2);
    const judge = reference(program);
    judge.write(weights);
    // An epsilon is float32 in the file.
    expect(relativeError(judge.run({ x }).prediction as Float64Array, y)).toBeLessThan(1e-7);
    const session = await device.compile(program);
    session.write(weights);
    const { prediction } = await session.run({ x });
    expect(relativeError(prediction as Float32Array, y)).toBeLessThan(3e-6);
    session.dispose();
  });
});

test("parameters and state have PyTorch's names, each its own where PyTorch kept one of several that are equal", async () => {
  const model = readOnnx(await torchNetwork("resnet18"));
  expect(model.inputShape).toEqual([3, 32, 32]);
  expect(model.outputShape).toEqual([10]);
  expect(model.parameters).toMatchObject({
    "conv1.weight": [4, 3, 7, 7],
    "layer4.1.bn2.bias": [32],
    "fc.weight": [10, 32],
  });
  // In PyTorch's state_dict there are 122 arrays, 20 of them counters of steps.
  expect(Object.keys({ ...model.parameters, ...model.state })).toHaveLength(102);
  expect(Object.keys(model.state)).toHaveLength(40);
  expect(model.state["layer1.0.bn1.running_var"]).toEqual([4]);
  expect(model.summary()).toMatch(/layer4\.0\.downsample\.0 +Conv +\[rows, 32, 1, 1\] +512\n/);
});

test("a head on a network whose beginning is frozen is trained as by PyTorch", async () => {
  const { x, y, weight, bias, losses, predicted, running } = golden.group("resnet18.tuned") as Record<
    string,
    Float64Array
  >;
  const backbone = readOnnx(await torchNetwork("resnet18"), { before: "fc" });
  expect(backbone.outputShape).toEqual([32]);
  const model = sequential(backbone.inputShape, [backbone, dense(3)]);
  const frozen = ["conv1", "bn1", "layer1", "layer2", "layer3"].map((part) => `0.${part}`);
  const optimizer = sgd({ lr: 0.02, momentum: 0.9 });
  const net = await trainer(device, model, { loss: softmaxCrossEntropy(), optimizer, frozen });
  // In memory a dense weight is [inputs, units].
  const turned = Float32Array.from({ length: 32 * 3 }, (_, i) => weight?.[(i % 3) * 32 + Math.floor(i / 3)] as number);
  net.setWeights({ "1.weight": turned, "1.bias": bias as Float64Array });
  const before = await net.weights();
  const { loss } = await net.fit({ x: x as Float64Array, y: y as Float64Array }, { steps: 5 });
  expect(relativeError(loss, losses as Float64Array)).toBeLessThan(3e-5);
  expect(Math.abs((loss[0] as number) / (losses?.[0] as number) - 1)).toBeLessThan(3e-6);
  const after = await net.weights();
  expect(relativeError(after["0.layer4.0.bn1.running_var"] as Float32Array, running as Float64Array)).toBeLessThan(
    1e-5,
  );
  for (const name of ["0.layer3.1.conv2.weight", "0.layer3.1.bn2.running_mean", "0.bn1.bias"])
    expect(after[name]).toEqual(before[name]);
  expect(relativeError(await net.predict(x as Float64Array), predicted as Float64Array)).toBeLessThan(1e-4);
  net.dispose();
});

test("saved and loaded it predicts the same, and the file has PyTorch's names and layouts", async () => {
  const options = { loss: squaredError(), optimizer: sgd({ lr: 0.01 }) };
  const file = await torchNetwork("squeezenet");
  const net = await trainer(device, readOnnx(file), options);
  const x = golden.values("squeezenet.x");
  const y = await net.predict(x);
  const { loss } = await net.evaluate({ x, y });
  expect(loss).toBe(0);
  const saved = await net.save();
  expect(readSafetensors(saved)["classifier.1.weight"]?.shape).toEqual([10, 48, 1, 1]);
  const names = Object.entries(await net.weights()).map(([name, values]): [string, Float32Array] => [
    name,
    values.map(() => 0),
  ]);
  net.setWeights(Object.fromEntries(names));
  expect(await net.predict(x)).not.toEqual(y);
  net.load(saved);
  expect(await net.predict(x)).toEqual(y);
  net.dispose();
});

test("cut off by the name of a value", async () => {
  const file = await torchNetwork("squeezenet");
  const model = readOnnx(file, { output: "/features/features.2/MaxPool_output_0" });
  expect(model.outputShape).toEqual([16, 7, 7]);
  expect(Object.keys(model.parameters)).toHaveLength(2);
  expect(() => readOnnx(file, { output: "there" })).toThrow(
    'readOnnx: output is "there", which no node makes; the values are ',
  );
  expect(() => readOnnx(file, { before: "head" })).toThrow(
    'readOnnx: before is "head", which is no parameter or beginning',
  );
  expect(() => sequential([3, 16, 16], [readOnnx(file), dense(2)])).toThrow(
    "takes [3, 32, 32], as its file says, and is given [3, 16, 16]",
  );
});

test("what PyTorch converted of its own modules is a model, save for what the list says", () => {
  const cases = unzipSync(readFileSync(new URL("../golden/onnx-conformance.zip", import.meta.url)));
  const list = readFileSync(new URL("../golden/onnx-conformance.md", import.meta.url), "utf8");
  const told = toldOfModels(cases);
  expect(list).toContain(told);
  expect(Number(/makes (\d+) a model/.exec(told)?.[1])).toBeGreaterThan(80);
});

test("what is no network of ours is refused with the node and its operator", () => {
  const x = { name: "x", shape: [2], type: "float32" } as const;
  const made = (op: string, tensors: OnnxTensor[] = [], more: string[] = []) =>
    encodeModel({
      name: "small",
      nodes: [{ op, inputs: ["x", ...more], outputs: ["y"], attributes: {}, encoded: [] }],
      tensors,
      input: x,
      output: { ...x, name: "y" },
      operatorSet: 17,
    });
  const refusal = (file: Uint8Array) => {
    try {
      readOnnx(file);
    } catch (error) {
      expect(error).toBeInstanceOf(FormatError);
      return (error as Error).message;
    }
    throw new Error("it was read");
  };
  expect(refusal(made("Det"))).toBe('onnx: Det "y" of operator set 17 is not known here.');
  expect(refusal(made("Add", [], ["z"]))).toBe('onnx: Add "y": its input 1 is missing');
  const table = { name: "w", shape: [3], values: Float32Array.of(1, Number.NaN, 2) };
  expect(refusal(made("Mul", [table], ["w"]))).toContain(
    'Mul "y" of [2, 2], [3]: mul: shapes [2, 2] and [3] do not broadcast',
  );
  expect(refusal(made("Mul", [{ ...table, shape: [3, 1, 1] }], ["w"]))).toBe(
    'onnx: the initializer "w" has NaN at index 1; it must be finite in float32.',
  );
  expect(refusal(made("ReduceSum", [{ name: "axes", shape: [1], values: BigInt64Array.of(0n) }], ["axes"]))).toBe(
    'onnx: "y" is [1, 2] for 2 rows; it must have a row for each. The first axis must be that of rows.',
  );
  expect(refusal(new Uint8Array(8))).toMatch(/^onnx: /);
  expect(() => readOnnx(made("Relu"), { head: 1 } as object)).toThrow('readOnnx: there is no option "head"');
});
