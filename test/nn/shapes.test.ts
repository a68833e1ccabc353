import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build, type Rollup } from "vite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writeOnnx } from "../../src/files/onnx";
import {
  batchNorm,
  type Device,
  defineLayer,
  dense,
  dropout,
  embedding,
  flatten,
  globalAveragePool,
  groupNorm,
  type Layer,
  layerNorm,
  open,
  positionEmbedding,
  randomState,
  readSafetensors,
  residual,
  rmsNorm,
  sequential,
  sgd,
  softmaxCrossEntropy,
  squaredError,
  trainer,
  upsample2d,
  writeSafetensors,
} from "../../src/index";
import { ShapeError } from "../../src/util/errors";
import { relativeError } from "../support/parity";

let device: Device;
beforeAll(async () => {
  device = await open({ backend: "cpu" });
});
afterAll(() => device.close());

const plain = { loss: squaredError(), optimizer: sgd({ lr: 0.1 }) };
const numbers = (seed: number, count: number) => Float32Array.from(randomState(seed).randn(count));

describe("an example's shape", () => {
  test("goes through the layers, and the summary and the model tell it", () => {
    const body = [layerNorm(), dense(8, { activation: "gelu" }), dropout(0.1), dense(4)];
    const model = sequential([6], [embedding(9, 4), positionEmbedding(), residual(body), layerNorm(), dense(9)]);
    expect(`\n${model.summary()}\n`).toBe(`
inputs [6]
   layer              output        parameters
0  embedding          [rows, 6, 4]          36
1  positionEmbedding  [rows, 6, 4]          24
2  residual of 4      [rows, 6, 4]          84
3  layerNorm          [rows, 6, 4]           8
4  dense linear       [rows, 6, 9]          45
total 197 parameters
`);
    expect([model.inputs, model.outputs, model.inputShape, model.outputShape]).toEqual([6, 54, [6], [6, 9]]);
    expect(Object.keys(model.parameters)).toEqual([
      "0.weight",
      "1.weight",
      "2.body.0.weight",
      "2.body.0.bias",
      "2.body.1.weight",
      "2.body.1.bias",
      "2.body.4.weight",
      "2.body.4.bias",
      "3.weight",
      "3.bias",
      "4.weight",
      "4.bias",
    ]);
  });

  test("an embedding begins with the deviation that is asked for, 1 where none is", async () => {
    const options = { loss: softmaxCrossEntropy(), optimizer: sgd({ lr: 0.5 }) };
    const first = async (layer: Layer) => {
      const net = await trainer(device, sequential([3], [layer, dense(5)], { seed: 1 }), options);
      const { "0.weight": weight = new Float32Array() } = await net.weights();
      net.dispose();
      return weight;
    };
    const [usual, small] = [await first(embedding(500, 4)), await first(embedding(500, 4, { deviation: 0.02 }))];
    expect(Math.sqrt(usual.reduce((sum, value) => sum + value ** 2, 0) / 2000)).toBeCloseTo(1, 1);
    expect(small).toEqual(Float32Array.from(randomState(1).randn(2000), (value) => 0.02 * value));
  });

  test("a sequence's positions are rows to the loss: a class each", async () => {
    const model = sequential([3], [embedding(5, 4), dense(5)], { seed: 1 });
    const flat = sequential([1], [embedding(5, 4), dense(5)], { seed: 1 });
    const options = { loss: softmaxCrossEntropy(), optimizer: sgd({ lr: 0.5 }) };
    const tokens = Int32Array.of(0, 1, 2, 3, 4, 0);
    const classes = [1, 2, 3, 4, 0, 1];
    const [whole, single] = [await trainer(device, model, options), await trainer(device, flat, options)];
    const histories = [];
    for (const each of [whole, single]) histories.push((await each.fit({ x: tokens, y: classes }, { steps: 5 })).loss);
    expect(relativeError(histories[0] as Float32Array, histories[1] as Float32Array)).toBeLessThan(1e-6);
    const [together, apart] = [await whole.predict(tokens), await single.predict(tokens)];
    expect(relativeError(together, apart)).toBeLessThan(1e-6);
    expect([...together].slice(0, 5).reduce((sum, value) => sum + value)).toBeCloseTo(1, 6);
    expect(await whole.evaluate({ x: tokens, y: classes })).toEqual({
      loss: expect.closeTo((await single.evaluate({ x: tokens, y: classes })).loss, 5),
      accuracy: (await single.evaluate({ x: tokens, y: classes })).accuracy,
    });
    await expect(whole.fit({ x: tokens, y: [1, 2] }, { steps: 1 })).rejects.toThrow(
      "y has 2 numbers for 2 rows of x; it must have 30 (15 a row), or 6 classes",
    );
    for (const token of [5, -1, 0.5]) {
      const wrong = () => whole.predict([0, 1, 2, 3, token, 0]);
      await expect(wrong()).rejects.toThrow(RangeError);
      await expect(wrong()).rejects.toThrow(
        `predict: the token in row 1, column 1, of x is ${token}; tokens are integers from 0 to 4.`,
      );
    }
  });
});

describe("batchNorm", () => {
  const layers = () => [dense(4), batchNorm(), dense(2)];

  test("takes its statistics of a smaller last batch from the rows that are there", async () => {
    const x = numbers(1, 7 * 3);
    const y = numbers(2, 7 * 2);
    const ragged = await trainer(device, sequential(3, layers()), { ...plain, batchSize: 4 });
    await ragged.fit({ x, y }, { epochs: 2, shuffle: false });
    const apart = await trainer(device, sequential(3, layers()), plain);
    for (const [from, to] of [
      [0, 4],
      [4, 7],
      [0, 4],
      [4, 7],
    ] as const)
      await apart.fit({ x: x.slice(from * 3, to * 3), y: y.slice(from * 2, to * 2) }, { steps: 1 });
    const [found, wanted] = [await ragged.weights(), await apart.weights()];
    for (const [name, values] of Object.entries(wanted))
      expect(relativeError(found[name] as Float32Array, values, 0.01), name).toBeLessThan(1e-5);
  });

  test("refuses batches that have no variance", async () => {
    const net = await trainer(device, sequential(3, layers()), { ...plain, batchSize: 4 });
    await expect(net.fit({ x: numbers(1, 15), y: numbers(2, 10) }, { epochs: 1 })).rejects.toThrow(
      "fit: 5 rows in batches of 4 make one of 1; batchNorm needs 2 to have a variance. Give the trainer another batchSize",
    );
  });

  test("resumes from a checkpoint bit for bit, running statistics included", async () => {
    const data = { x: numbers(3, 8 * 3), y: numbers(4, 8 * 2) };
    const make = () =>
      trainer(device, sequential(3, [...layers().slice(0, 2), dropout(0.2), dense(2)]), { ...plain, batchSize: 3 });
    const [one, first, second] = [await make(), await make(), await make()];
    await one.fit(data, { steps: 7 });
    const open = await first.begin(data);
    await open.advance(4);
    second.resume(await first.checkpoint());
    await second.begin(data).then((rest) => rest.advance(3));
    expect(await second.weights()).toEqual(await one.weights());
    expect(Object.keys(await one.weights())).toContain("1.running_var");
    expect(sequential(3, layers()).state).toEqual({ "1.running_mean": [4], "1.running_var": [4] });
    expect(Object.keys(sequential(3, layers()).parameters)).not.toContain("1.running_var");
  });
});

describe("load", () => {
  const file = writeSafetensors({
    "body.0.weight": { shape: [2, 3], values: [1, 2, 3, 4, 5, 6] },
    "body.0.bias": { shape: [2], values: [7, 8] },
    "body.1.num_batches_tracked": { shape: [], values: Int32Array.of(5) },
    "head.weight": { shape: [1], values: [9] },
  });

  test("takes what both have where it is not strict, from under a prefix", async () => {
    const net = await trainer(device, sequential(3, [dense(2), batchNorm(), dense(2)]), plain);
    const before = await net.weights();
    net.load(file, { strict: false, prefix: "body." });
    const after = await net.weights();
    expect([after["0.weight"], after["0.bias"]]).toEqual([Float32Array.of(1, 4, 2, 5, 3, 6), Float32Array.of(7, 8)]);
    expect(after["2.weight"]).toEqual(before["2.weight"]);
    const small = await trainer(device, sequential(3, [dense(2)]), plain);
    expect(() => small.load(file)).toThrow(ShapeError);
    expect(() => small.load(file, { strict: false })).toThrow("none of the file's tensors is one of the network's");
    expect(() => small.load(file, { prefix: "body." })).toThrow('the file has a tensor "1.num_batches_tracked"');
    const other = await trainer(device, sequential(4, [dense(2)]), plain);
    expect(() => other.load(file, { strict: false, prefix: "body." })).toThrow(
      'tensor "0.weight" of the file is [2, 3]',
    );
    expect(() => other.load(file, { strictly: false } as object)).toThrow('no option "strictly"');
    expect(() => other.load(file, { prefix: 1 as never })).toThrow("prefix is 1; it must be a string");
  });

  test("passes over what PyTorch counts in a batchNorm", async () => {
    const net = await trainer(device, sequential(2, [batchNorm(), residual([batchNorm()])]), plain);
    const saved = readSafetensors(await net.save());
    net.load(
      writeSafetensors({
        ...saved,
        "0.num_batches_tracked": { shape: [], values: Int32Array.of(3) },
        "1.body.0.num_batches_tracked": { shape: [], values: Int32Array.of(3) },
      }),
    );
    expect(readSafetensors(await net.save())).toEqual(saved);
  });
});

describe("a layer of one's own", () => {
  const scaled = (noise = 0): Layer =>
    defineLayer("scaled", {
      parameters: ([features]) => ({
        factor: { shape: [features as number], init: "ones" },
        mix: { shape: [features as number, 2] },
      }),
      apply(x, { factor, mix }, { training, uniform }) {
        const scaledUp = x.mul(factor as never).matmul(mix as never);
        return training && noise > 0 ? scaledUp.add(uniform(scaledUp.shape).mul(noise)) : scaledUp;
      },
    });

  test("trains, saves and loads as those of the library", async () => {
    const model = sequential(3, [scaled(0.1), dense(1)], { seed: 4 });
    expect(model.parameters).toEqual({ "0.factor": [3], "0.mix": [3, 2], "1.weight": [2, 1], "1.bias": [1] });
    expect(model.outputShape).toEqual([1]);
    const x = numbers(5, 30);
    const y = x.filter((_, i) => i % 3 === 0);
    const net = await trainer(device, model, plain);
    const { loss } = await net.fit({ x, y }, { steps: 200 });
    expect(loss.at(-1) as number).toBeLessThan(0.1 * (loss[0] as number));
    const other = await trainer(device, sequential(3, [scaled(0.1), dense(1)], { seed: 9 }), plain);
    other.load(await net.save());
    expect(await other.predict(x)).toEqual(await net.predict(x));
    expect(readSafetensors(await net.save())["0.mix"]?.shape).toEqual([3, 2]);
    const weights = await net.weights();
    expect(() => writeOnnx(model, weights)).toThrow(
      "writeOnnx: the layer scaled is of your own; there are no nodes for it.",
    );
  });

  test("is refused for what makes none", () => {
    expect(() => defineLayer("", { apply: (x) => x })).toThrow(TypeError);
    expect(() => defineLayer("a", {} as never)).toThrow("must be an object with apply(x, parameters, context)");
    const of = (apply: never) => sequential(2, [dense(2), defineLayer("odd", { apply })]);
    expect(() => of((() => 1) as never)).toThrow("odd: apply gave 1; it must be a float32 Tensor");
    expect(() => of(((x: { sum(): unknown }) => x.sum()) as never)).toThrow(ShapeError);
    expect(() => of(((x: { sum(): unknown }) => x.sum()) as never)).toThrow("apply made [] of 2 rows");
    const wild = defineLayer("wild", {
      parameters: () => ({ a: { shape: [1], init: "he" as never } }),
      apply: (x) => x,
    });
    expect(() => sequential(2, [wild])).toThrow('wild: init of "a" is "he"');
  });

  test("draws no numbers where it does not train", async () => {
    const noisy = defineLayer("noisy", { apply: (x, _, { uniform }) => x.add(uniform(x.shape)) });
    await expect(trainer(device, sequential(2, [dense(2), noisy]), plain)).rejects.toThrow(
      "asks for random numbers in a prediction; it may where `training` is true only",
    );
  });
});

test("shapes that do not fit are refused with both", () => {
  const of =
    (inputs: number | readonly number[], ...layers: Layer[]) =>
    () =>
      sequential(inputs, layers);
  for (const [call, message] of [
    [
      of([1, 4, 4], dense(2)),
      "layer 0: dense takes [features] or [T, features], and is given [1, 4, 4]; put flatten() before",
    ],
    [
      of([3, 2, 2], flatten(), globalAveragePool()),
      "layer 1: globalAveragePool takes images, [C, H, W], and is given [12]",
    ],
    [of([4, 4], upsample2d(2)), "upsample2d takes images"],
    [of([4, 2], groupNorm(3)), "groupNorm: [4, 2] has 4 channels, which 3 groups do not part evenly"],
    [of(4, positionEmbedding()), "positionEmbedding takes [T, features], and is given [4]"],
    [of([4, 2], embedding(3, 2)), "embedding takes [T] tokens, and is given [4, 2]"],
    [
      of(4, residual([dense(3)])),
      "layer 0: residual: its layers make [3] of [4]; to be added the two must be the same",
    ],
    [of(4, residual([layerNorm(), globalAveragePool()])), "globalAveragePool takes images"],
  ] as const) {
    expect(call).toThrow(ShapeError);
    expect(call).toThrow(message);
  }
  for (const [call, message] of [
    [of(4, dense(4), embedding(3, 2)), "layer 1 is embedding, which takes tokens; it must be the first"],
    [() => residual([embedding(3, 2)]), "residual: embedding takes tokens"],
    [of([1, 2, 3, 4], flatten()), "inputs is [1, 2, 3, 4]; it must be"],
    [of([], dense(1)), "inputs is []; it must be"],
    [of([2, 0.5], dense(1)), "inputs is [2, 0.5]; it must be"],
    [() => embedding(2 ** 25, 1), "at most 16777216 tokens"],
    [() => embedding(4, 2, { deviation: -1 }), "embedding: deviation is -1"],
    [() => layerNorm({ epsilon: 0 }), "layerNorm: epsilon is 0; it must be at least 2^-126"],
    [() => rmsNorm({ epsilon: -1 }), "rmsNorm: epsilon is -1"],
    [() => groupNorm(0), "groups is 0"],
    [() => batchNorm({ momentum: 2 }), "momentum is 2; it must be from 0 to 1"],
    [() => upsample2d(0.5), "factor is 0.5"],
  ] as const) {
    expect(call).toThrow(RangeError);
    expect(call).toThrow(message);
  }
});

test("a page brings the layers that it imports, and no other", async () => {
  const entry = "the page";
  const source = fileURLToPath(new URL("../../src/index.ts", import.meta.url));
  const code = async (names: string): Promise<string> => {
    const bundle = (await build({
      configFile: false,
      logLevel: "silent",
      plugins: [
        {
          name: "page",
          resolveId: (id) => (id === entry ? id : null),
          load: (id) => (id === entry ? `export { ${names} } from ${JSON.stringify(source)};` : null),
        },
      ],
      build: { write: false, minify: false, rolldownOptions: { input: entry, preserveEntrySignatures: "strict" } },
    })) as Rollup.RollupOutput;
    return bundle.output.map((file) => (file.type === "chunk" ? file.code : "")).join("");
  };
  const all = "sequential, dense, batchNorm, layerNorm, groupNorm, embedding, upsample2d, residual, defineLayer";
  const [few, every] = [await code("sequential, dense"), await code(all)];
  for (const part of [
    "running_mean",
    "LayerNormalization",
    "InstanceNormalization",
    "Gather",
    "Resize",
    "body.",
    "of your own",
  ]) {
    expect(every, part).toContain(part);
    expect(few, part).not.toContain(part);
  }
  expect(JSON.parse(await readFile(new URL("../../package.json", import.meta.url), "utf8")).sideEffects).toBe(false);
});
