import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readSafetensors, safetensorsMetadata, writeSafetensors } from "../../src/files/safetensors";
import {
  adam,
  type Device,
  dense,
  dropout,
  FormatError,
  moons,
  type Optimizer,
  open,
  rmsprop,
  ShapeError,
  sequential,
  sgd,
  softmaxCrossEntropy,
  squaredError,
  stepDecay,
  type Trainer,
  trainer,
} from "../../src/index";
import { createTrainer } from "../../src/nn/trainer";

let device: Device;
beforeAll(async () => {
  device = await open({ backend: "cpu" });
});
afterAll(() => device.close());

const DATA = moons(50, { noise: 0.2 });
const network = () => sequential(2, [dense(6, { activation: "relu", l2: 0.01 }), dropout(0.3), dense(2)], { seed: 3 });
const make = (optimizer: Optimizer = adam({ lr: stepDecay(0.02, 15, 0.5) })) =>
  trainer(device, network(), { loss: softmaxCrossEntropy(), optimizer, batchSize: 8 });

/** Fits, and stops once `step` steps are done, or soon after. */
async function interrupted(trained: Trainer, step: number, options = {}): Promise<void> {
  const stop = new AbortController();
  const onProgress = (progress: { step: number }) => {
    if (progress.step >= step) stop.abort("interrupted");
  };
  await expect(
    trained.fit(DATA, { epochs: 20_000, seed: 4, ...options, signal: stop.signal, onProgress }),
  ).rejects.toBe("interrupted");
}

describe("a run that was interrupted and resumed equals one that was not, bit for bit", () => {
  test.each<[string, Optimizer]>([
    ["sgd with momentum", sgd({ lr: stepDecay(0.05, 9, 0.7), momentum: 0.9, nesterov: true })],
    ["adam", adam({ lr: stepDecay(0.02, 100, 0.5), weightDecay: 0.01 })],
    ["rmsprop with momentum", rmsprop({ lr: 0.002, momentum: 0.5 })],
  ])("%s, stopped within an epoch", async (_name, optimizer) => {
    const first = await make(optimizer);
    await interrupted(first, 20);
    const { steps } = first;
    expect(steps).toBeGreaterThanOrEqual(20);
    const total = steps + 24;
    const file = await first.checkpoint();

    const whole = await make(optimizer);
    const uninterrupted = await whole.fit(DATA, { steps: total, seed: 4 });
    const second = await make(optimizer);
    second.resume(file);
    expect(second.steps).toBe(steps);
    const rest = await second.fit(DATA, { steps: total, seed: 4 });
    expect([...rest.step]).toEqual(Array.from({ length: 24 }, (_, i) => steps + i));
    expect(rest.loss).toEqual(uninterrupted.loss.subarray(steps));
    expect(await second.weights()).toEqual(await whole.weights());
    expect(await second.checkpoint()).toEqual(await whole.checkpoint());
    // The rest was that of one fit; the next begins at its own step 0.
    expect((await second.fit(DATA, { steps: 2 })).step[0]).toBe(0);
  });

  test("taken while a fit runs, which goes on; and in pieces of the data", async () => {
    const options = { loss: softmaxCrossEntropy(), optimizer: adam({ lr: 0.01 }), batchSize: 8 };
    for (const [pieceBytes, epochs] of [
      [2 ** 27, 6000],
      [2 * 4 * 17, 200],
    ] as const) {
      const first = await createTrainer(device, network(), options, { pieceBytes });
      let taken: Promise<Uint8Array> | undefined;
      await first.fit(DATA, {
        epochs,
        seed: 1,
        onProgress({ step }) {
          if (step > 25) taken ??= first.checkpoint();
        },
      });
      const second = await createTrainer(device, network(), options, { pieceBytes });
      second.resume((await taken) as Uint8Array);
      expect(second.steps).toBeGreaterThan(25);
      expect(second.steps).toBeLessThan(7 * epochs);
      await second.fit(DATA, { epochs, seed: 1 });
      expect(await second.weights()).toEqual(await first.weights());
    }
  });

  test("between two fits, and before the first", async () => {
    const whole = await make();
    const start = await whole.checkpoint();
    await whole.fit(DATA, { epochs: 2 });
    const between = await whole.checkpoint();
    const { loss } = await whole.fit(DATA, { epochs: 2 });
    for (const [file, fits] of [
      [start, 2],
      [between, 1],
    ] as const) {
      const other = await make();
      other.resume(file);
      let last = new Float32Array();
      for (let i = 0; i < fits; i++) last = (await other.fit(DATA, { epochs: 2 })).loss as typeof last;
      expect(last).toEqual(loss);
      expect(await other.weights()).toEqual(await whole.weights());
    }
  });

  test("in the same trainer, back to what was", async () => {
    const trained = await make();
    await trained.fit(DATA, { epochs: 1 });
    const file = await trained.checkpoint();
    const once = await trained.fit(DATA, { epochs: 3 });
    trained.resume(file);
    const again = await trained.fit(DATA, { epochs: 3 });
    expect(again.loss).toEqual(once.loss);
  });
});

describe("resume refuses, and then nothing changes", () => {
  const refuses = async (
    file: Uint8Array,
    kind: typeof FormatError | typeof TypeError | typeof ShapeError,
    message: RegExp,
  ) => {
    const trained = await make();
    await trained.fit(DATA, { epochs: 1 });
    const before = await trained.checkpoint();
    expect(() => trained.resume(file)).toThrow(kind);
    expect(() => trained.resume(file)).toThrow(message);
    expect(await trained.checkpoint()).toEqual(before);
  };

  test("a file cut off at any byte", async () => {
    const trained = await make();
    await trained.fit(DATA, { epochs: 1 });
    const file = await trained.checkpoint();
    const before = await trained.weights();
    for (let length = 0; length < file.length; length++) {
      expect(() => trained.resume(file.subarray(0, length)), `${length} bytes`).toThrow(FormatError);
    }
    expect(await trained.weights()).toEqual(before);
    trained.resume(file);
  });

  test("a file of save(), another optimizer's, another network's", async () => {
    await refuses(
      await (await make()).save(),
      FormatError,
      /not a checkpoint; checkpoint\(\) writes one, and load\(\) takes/,
    );
    await refuses(
      await (await make(sgd({ lr: 0.1 }))).checkpoint(),
      TypeError,
      /of the optimizer sgd; this trainer has adam/,
    );
    const wider = sequential(2, [dense(7, { activation: "relu" }), dropout(0.3), dense(2)]);
    const other = await trainer(device, wider, { loss: softmaxCrossEntropy(), optimizer: adam() });
    await refuses(
      await other.checkpoint(),
      ShapeError,
      /tensor "0\.weight" of the file is \[2, 7\]; for this network it must be \[2, 6\]/,
    );
  });

  test.each<[string, (metadata: Record<string, string>) => object, RegExp]>([
    ["steps that are none", () => ({ steps: "-3" }), /steps are "-3"; they must be an integer/],
    ["a place that is not JSON", () => ({ fit: "{" }), /place in its fit is \{; it must be JSON/],
    ["a place with half a seed", ({ fit }) => ({ fit: fit?.replace('"seed":4', '"seed":0.5') }), /place in its fit is/],
    ["a place beyond its steps", () => ({ steps: "2" }), /stands at step \d+ of a fit, but has only 2 steps/],
  ])("%s", async (_name, change, message) => {
    const trained = await make();
    await interrupted(trained, 9);
    const file = await trained.checkpoint();
    const metadata = safetensorsMetadata(file);
    await refuses(writeSafetensors(readSafetensors(file), { ...metadata, ...change(metadata) }), FormatError, message);
  });

  test("a fit that is not the one of the checkpoint", async () => {
    const first = await make();
    await interrupted(first, 9);
    const trained = await make();
    trained.resume(await first.checkpoint());
    await expect(trained.fit(DATA, { epochs: 20_000, seed: 5 })).rejects.toThrow(
      /where seed was 4; here it is 5\. Give the same/,
    );
    await expect(trained.fit(moons(49), { epochs: 20_000, seed: 4 })).rejects.toThrow(/rows was 50; here it is 49/);
    await expect(trained.fit(DATA, { steps: 3, seed: 4 })).rejects.toThrow(/has only 3 steps; give more/);
    expect((await trained.fit(DATA, { steps: first.steps + 1, seed: 4 })).step.length).toBe(1);
  });
});

describe("save and load", () => {
  test("the file is that of PyTorch's Sequential: its names, its shapes, [units, inputs]", async () => {
    const trained = await make();
    const weights = await trained.weights();
    const tensors = readSafetensors(await trained.save());
    expect(Object.keys(tensors).sort()).toEqual(["0.bias", "0.weight", "3.bias", "3.weight"]);
    expect(tensors["0.weight"]).toMatchObject({ dtype: "F32", shape: [6, 2] });
    expect(tensors["3.bias"]).toMatchObject({ dtype: "F32", shape: [2] });
    for (let input = 0; input < 2; input++) {
      for (let unit = 0; unit < 6; unit++) {
        expect(tensors["0.weight"]?.values[unit * 2 + input]).toBe(weights["0.weight"]?.[input * 6 + unit]);
      }
    }
    expect(safetensorsMetadata(await trained.save()).format).toBe("pt");
  });

  test("what is loaded predicts the same, and saves the same bytes", async () => {
    const trained = await make();
    await trained.fit(DATA, { epochs: 2 });
    const other = await make();
    other.load(await trained.save());
    expect(await other.predict(DATA.x)).toEqual(await trained.predict(DATA.x));
    expect(await other.save()).toEqual(await trained.save());
  });

  test("float64 weights are taken too", async () => {
    const trained = await make();
    const tensors = readSafetensors(await trained.save());
    const doubles = Object.entries(tensors).map(([name, { shape, values }]) => [
      name,
      { shape, values: Float64Array.from(values) },
    ]);
    const before = await trained.weights();
    trained.load(writeSafetensors(Object.fromEntries(doubles)));
    expect(await trained.weights()).toEqual(before);
  });

  test("a file cut off at any byte, wrong names, shapes, types and values are refused, and nothing changes", async () => {
    const trained = await make();
    await trained.fit(DATA, { epochs: 1 });
    const file = await trained.save();
    const before = await trained.weights();
    for (let length = 0; length < file.length; length++) {
      expect(() => trained.load(file.subarray(0, length)), `${length} bytes`).toThrow(FormatError);
    }
    const tensors = readSafetensors(file);
    const { "0.bias": bias, ...without } = tensors;
    const wrong: [object, RegExp][] = [
      [without, /the file has no tensor "0\.bias", which the network has; the file's are/],
      [
        { ...tensors, "1.weight": bias },
        /the file has a tensor "1\.weight", which the network has not; the network's are/,
      ],
      [
        { ...tensors, "0.bias": { shape: [6, 1], values: new Float32Array(6) } },
        /"0\.bias" of the file is \[6, 1\]; for this network it must be \[6\]/,
      ],
      [
        { ...tensors, "0.bias": { shape: [6], values: new Int32Array(6) } },
        /"0\.bias" of the file is I32; it must be floating point/,
      ],
      [
        { ...tensors, "0.bias": { shape: [6], values: new Float32Array(6).fill(Number.NaN, 4) } },
        /"0\.bias" of the file has NaN at index 4/,
      ],
      [
        { ...tensors, "0.bias": { shape: [6], values: new Float64Array(6).fill(1e300) } },
        /"0\.bias" of the file has 1e\+300 at index 0/,
      ],
    ];
    for (const [content, message] of wrong) {
      expect(() => trained.load(writeSafetensors(content as Parameters<typeof writeSafetensors>[0]))).toThrow(message);
    }
    expect(await trained.weights()).toEqual(before);
  });

  test("before any training, the first weights", async () => {
    const trained = await trainer(device, sequential(1, [dense(1, { init: "zeros" })]), {
      loss: squaredError(),
      optimizer: adam(),
    });
    expect([...(readSafetensors(await trained.save())["0.weight"]?.values ?? [])]).toEqual([0]);
  });
});
