import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  adam,
  type Dataset,
  type Device,
  DeviceError,
  dense,
  dropout,
  embedding,
  type FitOptions,
  flatten,
  moons,
  open,
  rmsprop,
  ShapeError,
  sequential,
  sgd,
  softmaxCrossEntropy,
  squaredError,
  type Trainer,
  trainer,
  writeSafetensors,
} from "../../src/index";
import { wrong } from "../graph/refusals";

let device: Device;
let net: Trainer;
const model = sequential(2, [dense(3, { activation: "tanh" }), dense(2)]);
const options = { loss: softmaxCrossEntropy(), optimizer: adam() };
beforeAll(async () => {
  device = await open({ backend: "cpu" });
  net = await trainer(device, model, options);
});
afterAll(() => device.close());

/** The message of what a call throws, at once or later, and its kind. */
async function refusal(call: () => unknown): Promise<[unknown, string]> {
  try {
    await call();
  } catch (error) {
    return [(error as Error).constructor, (error as Error).message];
  }
  throw new Error("nothing was thrown");
}

const x = [1, 2, 3, 4];
const y = [0, 1];
const train = (data: unknown, how: unknown = { epochs: 1 }) => net.fit(data as Dataset, how as FitOptions);

describe("a mistake is named for what it is, and nothing changes", () => {
  test.each<[string, () => unknown, unknown, string]>([
    // What was forgotten.
    [
      "a loss that is not called",
      () => trainer(device, model, { ...options, loss: wrong(softmaxCrossEntropy) as never }),
      TypeError,
      "trainer: loss is a function that is not called; it must come from squaredError(), softmaxCrossEntropy() or another function that makes a loss.",
    ],
    [
      "an optimizer that is not called",
      () => trainer(device, model, { ...options, optimizer: wrong(adam) as never }),
      TypeError,
      "trainer: optimizer is a function that is not called; it must come from sgd(), adam() or rmsprop().",
    ],
    [
      "a layer that is not called",
      () => sequential(2, [dense as never]),
      TypeError,
      "sequential: layer 0 is a function that is not called; it must come from dense() or another function that makes a layer.",
    ],
    [
      "a device that is not awaited",
      () => trainer(open({ backend: "cpu" }) as never, model, options),
      TypeError,
      "trainer: the device is a Promise that is not awaited; it must come from open().",
    ],
    [
      "open that is not called",
      () => trainer(open as never, model, options),
      TypeError,
      "trainer: the device is a function that is not called; it must come from open().",
    ],
    [
      "weights that are not awaited",
      () => net.setWeights(net.weights() as never),
      TypeError,
      "setWeights: values must be an object of arrays by name, not a Promise that is not awaited",
    ],
    [
      "a file that is not awaited",
      () => net.load(net.save() as never),
      TypeError,
      "readSafetensors: the file must be a Uint8Array, not a Promise that is not awaited; of an ArrayBuffer, give new Uint8Array(buffer).",
    ],
    [
      "data that are not awaited",
      () => train(Promise.resolve({ x, y })),
      TypeError,
      "fit: the data are a Promise that is not awaited; they must be an object {x, y}.",
    ],
    [
      "no options",
      () => trainer(device, model, undefined as never),
      TypeError,
      "trainer: the options are undefined; they must be an object with loss, optimizer, batchSize, clipNorm, classWeights, frozen.",
    ],
    [
      "fit without options",
      () => train({ x, y }, null),
      TypeError,
      "fit: the options are null; they must be an object with epochs, steps, shuffle, seed, validation, sampleWeights, every, onProgress, onEpoch, earlyStopping, reduceOnPlateau, signal, recover.",
    ],
    // What stands in the wrong place.
    ["fit(x, y)", () => train(x, y), TypeError, "fit: the data are an array of 4; they must be an object {x, y}."],
    [
      "fit(x, y) of typed arrays",
      () => train(Float32Array.from(x), Int32Array.from(y)),
      TypeError,
      "fit: the data are a Float32Array; they must be an object {x, y}.",
    ],
    [
      "evaluate(x, y)",
      () => net.evaluate(x as never),
      TypeError,
      "evaluate: the data are an array of 4; they must be an object {x, y}.",
    ],
    [
      "predict({ x })",
      () => net.predict({ x } as never),
      TypeError,
      "predict: x is a Object; it must be a Float32Array, Float64Array, Int32Array or another array of numbers, row after row, or an array of rows.",
    ],
    [
      "epochs for the options",
      () => train({ x, y }, 5),
      TypeError,
      "fit: the options are 5; they must be an object with epochs, steps, shuffle, seed, validation, sampleWeights, every, onProgress, onEpoch, earlyStopping, reduceOnPlateau, signal, recover.",
    ],
    [
      "layers for the inputs",
      () => sequential([dense(2)] as never, []),
      RangeError,
      "sequential: inputs is an array of 1; it must be an integer of at least 1, or an example's shape of one to three of them.",
    ],
    [
      "a loss for the options",
      () => trainer(device, model, squaredError() as never),
      TypeError,
      'trainer: there is no option "name"; the options are loss, optimizer, batchSize, clipNorm, classWeights, frozen.',
    ],
    [
      "a model of another copy",
      () => trainer(device, new (class Model {})() as never, options),
      TypeError,
      "trainer: the model is a Model of another copy of this library (load it once); it must come from sequential().",
    ],
    // Text for numbers.
    [
      "a rate as text",
      () => sgd({ lr: wrong("0.1") }),
      RangeError,
      'sgd: lr is "0.1"; it must be a finite number of at least 0.',
    ],
    ["units as text", () => dense(wrong("8")), RangeError, 'dense: units is "8"; it must be an integer of at least 1.'],
    [
      "units as options",
      () => dense({ units: 8 } as never),
      RangeError,
      "dense: units is a Object; it must be an integer of at least 1.",
    ],
    [
      "a share as text",
      () => dropout(wrong("0.5")),
      RangeError,
      'dropout: rate is "0.5"; it must be at least 0 and less than 1.',
    ],
    [
      "a batch as text",
      () => trainer(device, model, { ...options, batchSize: wrong("16") }),
      RangeError,
      'trainer: batchSize is "16"; it must be an integer of at least 1.',
    ],
    [
      "epochs as text",
      () => train({ x, y }, { epochs: "3" }),
      RangeError,
      'fit: epochs is "3"; it must be an integer of at least 1.',
    ],
    [
      "negative steps",
      () => train({ x, y }, { steps: -1 }),
      RangeError,
      "fit: steps is -1; it must be an integer of at least 1.",
    ],
    [
      "NaN epochs",
      () => train({ x, y }, { epochs: Number.NaN }),
      RangeError,
      "fit: epochs is NaN; it must be an integer of at least 1.",
    ],
    [
      "a seed as text",
      () => train({ x, y }, { epochs: 1, seed: "1" }),
      RangeError,
      'fit: seed is "1"; it must be an integer from 0 to 4294967295 (2^32 - 1).',
    ],
    [
      "noise as text",
      () => moons(10, { noise: wrong("0.1") }),
      RangeError,
      'moons: noise is "0.1"; it must be a standard deviation, finite and not negative, or left out for none.',
    ],
    [
      "noise for the options",
      () => moons(10, 0.1 as never),
      TypeError,
      "moons: the options are 0.1; they must be an object.",
    ],
    // What is no signal.
    [
      "an object for a signal",
      () => train({ x, y }, { epochs: 1, signal: {} }),
      TypeError,
      "fit: signal is a Object; it must be the signal of an AbortController.",
    ],
    [
      "a controller for its signal",
      () => train({ x, y }, { epochs: 1, signal: new AbortController() }),
      TypeError,
      "fit: signal is a AbortController; it must be the signal of an AbortController.",
    ],
    // Values.
    [
      "text in x",
      () => train({ x: [1, 2, "3", 4], y }),
      TypeError,
      'fit: x has "3" in row 1, column 0; it must be a number: Number() makes one of text, of a boolean and of a bigint.',
    ],
    [
      "a boolean in y",
      () => train({ x, y: [0, true] }),
      TypeError,
      "fit: y has true in row 1, column 0; it must be a number: Number() makes one of text, of a boolean and of a bigint.",
    ],
    [
      "a bigint in x",
      () => train({ x: [1n, 2, 3, 4], y }),
      TypeError,
      "fit: x has 1n in row 0, column 0; it must be a number: Number() makes one of text, of a boolean and of a bigint.",
    ],
    [
      "null in x",
      () => train({ x: [1, null, 3, 4], y }),
      TypeError,
      "fit: x has null in row 0, column 1; it must be a number: Number() makes one of text, of a boolean and of a bigint.",
    ],
    [
      "bigints",
      () => train({ x: BigInt64Array.of(1n, 2n), y: [0] }),
      TypeError,
      "fit: x is a BigInt64Array; it must be a Float32Array, Float64Array, Int32Array or another array of numbers, row after row, or an array of rows.",
    ],
    [
      "rows of another width",
      () =>
        train({
          x: [
            [1, 2, 3],
            [4, 5, 6],
          ],
          y,
        }),
      ShapeError,
      "fit: x has 2 rows of 3 numbers; the network takes rows of 2.",
    ],
    [
      "rows of several widths",
      () => train({ x: [[1, 2], [3]], y }),
      ShapeError,
      "fit: row 1 of x is an array of 1, and row 0 an array of 2; all rows must have as many numbers.",
    ],
    [
      "a row that is none",
      () => train({ x: [[1, 2], 3], y }),
      ShapeError,
      "fit: row 1 of x is 3, and row 0 an array of 2; all rows must have as many numbers.",
    ],
    [
      "rows of another shape",
      () => train({ x: [[[1], [2], [3]]], y: [0] }),
      ShapeError,
      "fit: x has 1 rows of shape [3, 1]; the network takes rows of [2].",
    ],
    [
      "a row that is longer within",
      () =>
        train({
          x: [
            [[1], [2]],
            [[3], [4, 5]],
          ],
          y,
        }),
      ShapeError,
      "fit: row 1 of x has an array of 2 at [1], and row 0 an array of 1; all rows must be alike.",
    ],
    [
      "y of rows that are not alike",
      () => train({ x, y: [[0, 1], [1]] }),
      ShapeError,
      "fit: row 1 of y is an array of 1, and row 0 an array of 2; all rows must have as many numbers.",
    ],
    [
      "a class that float32 would round to one",
      () => train({ x, y: Float64Array.of(0, 1 + 2 ** -40) }),
      RangeError,
      "fit: the class in row 1 of y is 1.0000000000009095; classes are integers from 0 to 1, one for each output.",
    ],
    [
      "as many numbers in other rows",
      () => train({ x, y: [[0, 1]] }),
      ShapeError,
      "fit: y has 1 rows for 2 rows of x; it must have as many.",
    ],
    // Files.
    [
      "values without a shape",
      () => writeSafetensors({ a: Float32Array.of(1) as never }),
      TypeError,
      'writeSafetensors: tensor "a": the tensor is a Float32Array; it must be an object {shape, values}.',
    ],
    [
      "a shape without values",
      () => writeSafetensors({ a: { shape: [1] } as never }),
      ShapeError,
      'writeSafetensors: tensor "a": there are undefined values, and shape [1] has 1 elements; the two must be equal.',
    ],
    [
      "tensors that are not awaited",
      () => writeSafetensors(Promise.resolve({}) as never),
      TypeError,
      "writeSafetensors: tensors is a Promise that is not awaited; it must be an object by name.",
    ],
  ])("%s", async (_what, call, kind, message) => {
    const before = await net.weights();
    expect(await refusal(call)).toEqual([kind, message]);
    expect(await net.weights()).toEqual(before);
    expect(net.steps).toBe(0);
  });
});

describe("numbers come as they are at hand", () => {
  const rows = [
    [1, 2],
    [3, -4],
    [0.5, 0.25],
  ];
  const flat = Float32Array.from(rows.flat());

  test("x as rows, or as rows that are typed arrays", async () => {
    const wanted = await net.predict(flat);
    expect(await net.predict(rows)).toEqual(wanted);
    expect(await net.predict(rows.map((row) => Float64Array.from(row)))).toEqual(wanted);
    const bytes = Uint8Array.of(1, 255, 7, 0);
    expect(await net.predict(bytes)).toEqual(await net.predict([...bytes]));
    for (const kind of [Int8Array, Uint8ClampedArray, Int16Array, Uint16Array, Uint32Array])
      expect(await net.predict(kind.of(3, 5))).toEqual(await net.predict([3, 5]));
  });

  test("images and sequences nested as they are, of typed arrays within too; in another order of axes they are refused", async () => {
    const image = sequential([2, 2, 3], [flatten(), dense(4)], { seed: 1 });
    const one = await trainer(device, image, { loss: softmaxCrossEntropy(), optimizer: adam() });
    const numbers = Array.from({ length: 24 }, (_, i) => i % 7);
    const pictures = [0, 1].map((n) =>
      [0, 1].map((c) => [0, 1].map((h) => numbers.slice(12 * n + 6 * c + 3 * h, 12 * n + 6 * c + 3 * h + 3))),
    );
    const wanted = await one.predict(numbers);
    expect(await one.predict(pictures)).toEqual(wanted);
    const bytes = pictures.map((picture) => picture.map((plane) => plane.map((line) => Uint8Array.from(line))));
    expect(await one.predict(bytes)).toEqual(wanted);
    const turned = pictures.map(() =>
      [0, 1, 2].map(() => [
        [1, 2],
        [3, 4],
      ]),
    ); // [3, 2, 2]: as many numbers
    await expect(one.predict(turned)).rejects.toThrow(
      "predict: x has rows of shape [3, 2, 2]; the network has [2, 2, 3]. Give them so, or each row's numbers in one array.",
    );

    const sequence = sequential([3], [embedding(5, 4), dense(5)], { seed: 1 });
    const two = await trainer(device, sequence, { loss: softmaxCrossEntropy(), optimizer: adam() });
    const data = { x: Int32Array.of(0, 1, 2, 3, 4, 0), y: Int32Array.of(1, 2, 3, 4, 0, 1) };
    const evaluated = await two.evaluate(data);
    expect(
      await two.evaluate({
        x: [
          [0, 1, 2],
          [3, 4, 0],
        ],
        y: [Uint8Array.of(1, 2, 3), [4, 0, 1]],
      }),
    ).toEqual(evaluated);
    const oneHot = [
      [1, 2, 3],
      [4, 0, 1],
    ].map((row) => row.map((k) => [0, 1, 2, 3, 4].map((i) => Number(i === k))));
    expect((await two.evaluate({ x: data.x, y: oneHot })).loss).toBeCloseTo(evaluated.loss, 6);
  });

  test("y as classes, as a class a row, as rows of probabilities", async () => {
    const classes = await net.evaluate({ x: flat, y: [0, 1, 1] });
    for (const y of [
      Uint8Array.of(0, 1, 1),
      [[0], [1], [1]],
      [
        [1, 0],
        [0, 1],
        [0, 1],
      ],
    ])
      expect(await net.evaluate({ x: rows, y })).toEqual(classes);
  });

  test("and fit trains on them as on any other", async () => {
    const results = [];
    for (const data of [
      { x: flat, y: [0, 1, 1] },
      {
        x: rows,
        y: [
          [1, 0],
          [0, 1],
          [0, 1],
        ],
      },
    ]) {
      const other = await trainer(device, model, options);
      results.push((await other.fit(data, { steps: 3 })).loss);
    }
    expect(results[1]).toEqual(results[0]);
  });
});

describe("an update that divides by 0", () => {
  // The second column is 0 in each row, and so is the gradient of its weight.
  const data = { x: [1, 0, 2, 0], y: [1, 2] };
  const cause = (name: string) =>
    `the cause is ${name}'s epsilon of 0: at index 1 the gradient was 0 so far, or its square is in float32, and the update divides by 0; give an epsilon such as 1e-8.`;

  test.each([adam, rmsprop])("is not blamed on the rate", async (rule) => {
    const trained = await trainer(device, sequential(2, [dense(1, { init: "zeros" })]), {
      loss: squaredError(),
      optimizer: rule({ lr: 0.01, epsilon: 0 }),
    });
    const [kind, message] = await refusal(() => trained.fit(data, { steps: 5 }));
    expect(kind).toBe(RangeError);
    expect(message).toMatch(/^fit: the update of step 0 makes "0\.weight" non-finite/);
    expect(message.endsWith(cause(rule.name))).toBe(true);
  });

  test("a rate that float32 has not, once it is corrected, is refused before the first step", async () => {
    const trained = await trainer(device, sequential(1, [dense(1)]), {
      loss: squaredError(),
      optimizer: adam({ lr: 3e38 }),
    });
    const [kind, message] = await refusal(() => trained.fit({ x: [1, 2], y: [1, 2] }, { steps: 5 }));
    expect(kind).toBe(RangeError);
    expect(message).toMatch(
      /^fit: the learning rate at step 0 is 3e\+38; it makes adam's stepSize [23]\.\d+e\+39, which float32 has not\. Lower it\.$/,
    );
    expect(trained.steps).toBe(0);
  });

  test("while a rate that is too large is, with epsilon 0 too", async () => {
    const trained = await trainer(device, sequential(1, [dense(1, { init: "zeros" })]), {
      loss: squaredError(),
      optimizer: adam({ lr: 3e37, epsilon: 0 }),
    });
    const [, message] = await refusal(() => trained.fit({ x: [1, 2], y: [1, 2] }, { steps: 5 }));
    expect(message).toMatch(/a learning rate that is too large, here 3e\+37/);
  });
});

test("a trainer that is disposed during a call says so, and by the name of the call", async () => {
  const own = await open({ backend: "cpu" });
  const calls: [string, (it: Trainer) => Promise<unknown>][] = [
    ["fit: the trainer was disposed during the fit.", (it) => it.fit(moons(50), { steps: 100_000 })],
    ["predict: the trainer was disposed during the call.", (it) => it.predict(new Float32Array(20_000))],
    ["evaluate: the trainer was disposed during the call.", (it) => it.evaluate(moons(10_000))],
  ];
  for (const [message, call] of calls) {
    const it = await trainer(own, model, options);
    const running = call(it);
    it.dispose();
    expect(await refusal(() => running)).toEqual([DeviceError, message]);
  }
  const it = await trainer(own, model, options);
  const fitting = it.fit(moons(50), { steps: 1_000_000, onProgress: () => it.dispose() });
  expect(await refusal(() => fitting)).toEqual([DeviceError, "fit: the trainer was disposed during the fit."]);
  expect(own.memory().bytes).toBe(0);
  own.close();
});
