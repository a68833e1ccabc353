import { describe, expect, test } from "vitest";
import {
  adam,
  binaryCrossEntropy,
  cosineDecay,
  dense,
  dropout,
  embedding,
  type Initializer,
  iota,
  type Layer,
  type Optimizer,
  open,
  reference,
  rmsprop,
  sequential,
  sgd,
  softmaxCrossEntropy,
  squaredError,
  stepDecay,
  type Tensor,
  trainer,
} from "../../src/index";
import { Part } from "../../src/nn/layers/layer";
import type { Sequential } from "../../src/nn/model";
import { LayerPass, type Step } from "../../src/nn/pass";

describe("sequential", () => {
  test("numbers parameters as the PyTorch Sequential, where activations and dropouts are modules", () => {
    const layers = [
      dense(3, { activation: "tanh" }),
      dropout(0.5),
      dense(4),
      dense(5, { activation: "relu", bias: false }),
      dense(2),
    ];
    expect(sequential(7, layers).parameters).toEqual({
      "0.weight": [7, 3],
      "0.bias": [3],
      "3.weight": [3, 4],
      "3.bias": [4],
      "4.weight": [4, 5],
      "6.weight": [5, 2],
      "6.bias": [2],
    });
  });

  test("tells its layers, with what was left out filled in", () => {
    const layers = [dense(3, { activation: "relu", l2: 0.1 }), dropout(0.5), dense(2, { bias: false })];
    expect(sequential(4, layers).layers).toEqual([
      { name: "dense", units: 3, activation: "relu", bias: true, l2: 0.1, init: "heNormal" },
      { name: "dropout", rate: 0.5 },
      { name: "dense", units: 2, activation: "linear", bias: false, l2: 0, init: "glorotUniform" },
    ]);
  });

  test("the summary has a line a layer and the total", () => {
    const model = sequential(4, [dense(16, { activation: "relu" }), dropout(0.2), dense(3)]);
    expect(`\n${model.summary()}\n`).toBe(`
inputs [4]
   layer         output      parameters
0  dense relu    [rows, 16]          80
2  dropout 0.2   [rows, 16]           0
3  dense linear  [rows, 3]           51
total 131 parameters
`);
  });

  test("one seed, one set of weights; another seed, others", () => {
    const of = (seed: number) => (sequential(4, [dense(3), dense(2)], { seed }) as Sequential).initial();
    expect(of(1)).toEqual(of(1));
    expect(of(1)["0.weight"]).not.toEqual(of(2)["0.weight"]);
  });

  test.each<[Initializer, number, number]>([
    ["glorotUniform", Math.sqrt(2 / (200 + 300)), Math.sqrt(6 / (200 + 300))],
    ["heNormal", Math.sqrt(2 / 200), Infinity],
    ["lecunNormal", Math.sqrt(1 / 200), Infinity],
    ["normal", 1, Infinity],
    ["zeros", 0, 0],
  ])("%s has its deviation and limits", (init, deviation, limit) => {
    const model = sequential(200, [dense(300, { init })], { seed: 3 }) as Sequential;
    const { "0.weight": weight, "0.bias": bias } = model.initial() as {
      "0.weight": Float32Array;
      "0.bias": Float32Array;
    };
    const mean = weight.reduce((sum, value) => sum + value, 0) / weight.length;
    const variance = weight.reduce((sum, value) => sum + (value - mean) ** 2, 0) / weight.length;
    // 60,000 draws: the mean is within 4 deviations of its own, the deviation within 2 per cent.
    expect(Math.abs(mean)).toBeLessThanOrEqual((4 * deviation) / Math.sqrt(weight.length));
    expect(Math.abs(Math.sqrt(variance) - deviation)).toBeLessThanOrEqual(0.02 * deviation);
    expect(Math.max(...weight.map(Math.abs))).toBeLessThanOrEqual(limit);
    expect(bias.every((value) => value === 0)).toBe(true);
  });

  test("the default initializer is heNormal for relu, glorotUniform for the others", () => {
    const first = (layer: Layer) => (sequential(9, [layer], { seed: 8 }) as Sequential).initial();
    expect(first(dense(5, { activation: "relu" }))).toEqual(first(dense(5, { init: "heNormal" })));
    expect(first(dense(5, { activation: "tanh" }))).toEqual(first(dense(5, { init: "glorotUniform" })));
  });
});

const stepOf = (counter: Tensor): Step => ({ counter: () => counter, present: null, frozen: () => false, becomes: {} });

describe("dropout", () => {
  const ones = (rate: number, seed: number, counter: number, rows = 100, width = 1000) => {
    const x = iota(rows * width)
      .toFloat32()
      .mul(0)
      .add(1)
      .reshape([rows, width]) as Tensor;
    const layer = dropout(rate);
    if (!(layer instanceof Part)) throw new TypeError();
    const counts = iota(counter + 1).take(iota(1).add(counter));
    const y = layer.apply(x, {}, new LayerPass(stepOf(counts), 2 * seed));
    const session = reference({ inputs: {}, parameters: {}, outputs: { y } });
    return session.run({}).y as Float64Array;
  };

  test.each([0.1, 0.5, 0.9])("drops a share of %s, scales what is kept, and so keeps the mean", (rate) => {
    const values = ones(rate, 4, 0);
    const dropped = values.filter((value) => value === 0).length / values.length;
    // 100,000 draws: 5 deviations of a binomial share.
    expect(Math.abs(dropped - rate)).toBeLessThan(5 * Math.sqrt((rate * (1 - rate)) / values.length));
    expect(values.every((value) => value === 0 || Math.abs(value - 1 / (1 - rate)) < 1e-12)).toBe(true);
  });

  test("drops no row or column more than others", () => {
    const values = ones(0.5, 4, 0);
    const rows = new Float64Array(100);
    const columns = new Float64Array(1000);
    values.forEach((value, i) => {
      rows[Math.floor(i / 1000)] = (rows[Math.floor(i / 1000)] as number) + value / 2;
      columns[i % 1000] = (columns[i % 1000] as number) + value / 2;
    });
    const within = (counts: Float64Array, n: number) =>
      counts.every((count) => Math.abs(count - n / 2) < 5 * Math.sqrt(n / 4));
    expect(within(rows, 1000)).toBe(true);
    expect(within(columns, 100)).toBe(true);
  });

  test("one seed and step, one mask; another seed or step, another, half of it the same", () => {
    const mask = ones(0.5, 4, 7);
    expect(ones(0.5, 4, 7)).toEqual(mask);
    for (const other of [ones(0.5, 5, 7), ones(0.5, 4, 8)]) {
      const same = mask.filter((value, i) => value === other[i]).length / mask.length;
      expect(Math.abs(same - 0.5)).toBeLessThan(5 * Math.sqrt(0.25 / mask.length));
    }
  });

  test("two dropouts of one network have different masks, in training only; rate 0 changes nothing", async () => {
    const model = sequential(1, [dense(50), dropout(0.5), dropout(0.5)], { seed: 2 }) as Sequential;
    const x = iota(1).toFloat32().add(1).reshape([1, 1]);
    const weights = { "0.weight": x.broadcastTo([1, 50]), "0.bias": x.reshape([1]).broadcastTo([50]) };
    const counter = iota(1);
    const outputs = { training: model.forward(x, weights, stepOf(counter)), otherwise: model.forward(x, weights) };
    const results = reference({ inputs: {}, parameters: {}, outputs }).run({});
    const kept = results.training?.filter((value) => value > 0).length as number;
    // With one mask twice a half would be left, with two a quarter.
    expect(kept).toBeLessThan(20);
    expect(results.otherwise?.every((value) => value === 2)).toBe(true);
    const asked = (layer: Layer) => {
      let asks = false;
      const counts = () => {
        asks = true;
        return counter;
      };
      const step = { ...stepOf(counter), counter: counts };
      (sequential(1, [dense(1), layer]) as Sequential).forward(x, weights, step);
      return asks;
    };
    expect([asked(dropout(0)), asked(dropout(0.1))]).toEqual([false, true]);
  });
});

test("a layer's numbers are uniform and normal, each draw its own, and anew at each step", () => {
  const counters = [0, 1].map((counter) => iota(2).take(iota(1).add(counter)));
  const draw = (counter: Tensor) => {
    const pass = new LayerPass(stepOf(counter), 7);
    return [pass.uniform([20_000]), pass.normal([20_000]), pass.normal([20_000])] as const;
  };
  const [[uniform, first, second], [, later]] = counters.map(draw) as [
    ReturnType<typeof draw>,
    ReturnType<typeof draw>,
  ];
  const drawn = reference({ inputs: {}, parameters: {}, outputs: { uniform, first, second, later } }).run({});
  const mean = (values: ArrayLike<number>) => Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;
  const [u, a, b, c] = ["uniform", "first", "second", "later"].map((name) => drawn[name] as Float64Array) as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  // 20,000 draws: 5 deviations of each moment's own.
  const within = 5 / Math.sqrt(20_000);
  expect(Math.abs(mean(u) - 0.5)).toBeLessThan(within / Math.sqrt(12));
  for (const values of [a, b, c]) {
    expect(Math.abs(mean(values))).toBeLessThan(within);
    expect(Math.abs(mean(values.map((value) => value ** 2)) - 1)).toBeLessThan(within * Math.SQRT2);
    expect(Math.abs(mean(values.map((value) => value ** 4)) - 3)).toBeLessThan(within * Math.sqrt(96));
  }
  for (const other of [b, c])
    expect(Math.abs(mean(a.map((value, i) => value * (other[i] as number))))).toBeLessThan(within);
});

describe("bad arguments are refused with the value and what would be right", () => {
  test.each<[() => unknown, typeof RangeError | typeof TypeError, RegExp]>([
    [() => dense(0), RangeError, /dense: units is 0; it must be an integer of at least 1/],
    [() => dense(2.5), RangeError, /units is 2\.5/],
    [
      () => dense(2, { activation: "swish" as "relu" }),
      TypeError,
      /activation is "swish"; it must be one of "relu", "tanh"/,
    ],
    [() => dense(2, { l2: -1 }), RangeError, /l2 is -1/],
    [() => dense(2, { l2: Number.NaN }), RangeError, /l2 is NaN/],
    [() => dense(2, { bias: 0 as unknown as boolean }), TypeError, /bias is 0; it must be true or false/],
    [() => dense(2, { init: "he" as "heNormal" }), TypeError, /init is "he"; it must be one of "glorotUniform"/],
    [() => dense(2, { activaton: "relu" } as object), TypeError, /no option "activaton"; the options are activation/],
    [() => dropout(1), RangeError, /rate is 1; it must be at least 0 and less than 1/],
    [() => sequential(0, [dense(1)]), RangeError, /inputs is 0/],
    [() => sequential(2, []), RangeError, /none of the 0 layers has weights/],
    [() => sequential(2, [dropout(0.5)]), RangeError, /none of the 1 layers has weights/],
    [
      () => sequential(2, [{ name: "dense" }]),
      TypeError,
      /layer 0 is a Object; it must come from dense\(\) or another function/,
    ],
    [() => sequential(2, dense(1) as unknown as Layer[]), TypeError, /layers is a Layer; it must be an array/],
    [() => sequential(2, [dense(1)], { seed: -1 }), RangeError, /seed is -1/],
    [
      () => squaredError({ reduction: "none" as "sum" }),
      TypeError,
      /reduction is "none"; it must be one of "mean", "sum"/,
    ],
    [() => sgd({ lr: -0.1 }), RangeError, /sgd: lr is -0\.1/],
    [() => sgd({ lr: 0.1, momentum: 1 }), RangeError, /momentum is 1/],
    [() => sgd({ lr: 0.1, nesterov: true }), RangeError, /nesterov with momentum 0/],
    [() => sgd({} as { lr: number }), RangeError, /lr is undefined/],
    [() => adam({ beta2: 1 }), RangeError, /beta2 is 1/],
    [() => adam({ epsilon: Infinity }), RangeError, /epsilon is Infinity/],
    [() => rmsprop({ decay: -0.5 }), RangeError, /decay is -0\.5/],
    [() => cosineDecay(0.1, 0), RangeError, /steps is 0/],
    [() => cosineDecay(0.1, 10, { warmup: 10 }), RangeError, /warmup is 10; it must be an integer from 0 to 9/],
    [() => stepDecay(0.1, 0, 0.5), RangeError, /every is 0/],
  ])("%s", (call, kind, message) => {
    expect(call).toThrow(kind);
    expect(call).toThrow(message);
  });

  test("trainer", async () => {
    const device = await open({ backend: "cpu" });
    const model = sequential(2, [dense(1)]);
    const optimizer = adam();
    const loss = squaredError();
    await expect(trainer(device, model, { loss: softmaxCrossEntropy(), optimizer })).rejects.toThrow(
      /of 1 output is always 0/,
    );
    await expect(trainer(device, model, { loss, optimizer, batchSize: 0 })).rejects.toThrow(/batchSize is 0/);
    await expect(trainer(device, model, { loss: { name: "huber" }, optimizer })).rejects.toThrow(
      /must come from squaredError/,
    );
    await expect(trainer(device, model, { loss, optimizer: { name: "lion" } as Optimizer })).rejects.toThrow(
      /must come from sgd/,
    );
    await expect(trainer(device, {} as Sequential, { loss, optimizer })).rejects.toThrow(/must come from sequential/);
    await expect(trainer({} as typeof device, model, { loss: binaryCrossEntropy(), optimizer })).rejects.toThrow(
      /must come from open/,
    );
  });
});

test("warmup rises in equal parts to the rate, and the cosine ends at final and stays there", () => {
  const rate = cosineDecay(0.4, 20, { warmup: 4, final: 0.1 });
  expect([0, 1, 2, 3, 4].map((step) => Number(rate(step).toFixed(12)))).toEqual([0.1, 0.2, 0.3, 0.4, 0.4]);
  expect(rate(12)).toBeCloseTo(0.25, 12);
  expect([rate(20), rate(1000)]).toEqual([0.1, 0.1]);
});

test("a model is a layer of another, as a Sequential within a Sequential", async () => {
  const first = sequential(4, [dense(3, { activation: "relu" }), dropout(0.5)]);
  const model = sequential(4, [first, dense(2)]);
  expect(model.parameters).toEqual({ "0.0.weight": [4, 3], "0.0.bias": [3], "1.weight": [3, 2], "1.bias": [2] });
  expect(model.summary()).toMatch(/^0 +sequential of 2 +\[rows, 3\] +15$/m);
  expect(() => sequential(5, [dense(5), sequential(4, [embedding(3, 2)])])).toThrow(
    "layer 1 is sequential, which takes tokens",
  );
});
