import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  activation,
  adam,
  batchNorm,
  conv2d,
  type Device,
  defineLayer,
  dense,
  dropout,
  flatten,
  type Layer,
  open,
  randomState,
  residual,
  sequential,
  softmaxCrossEntropy,
  type Trainer,
  type TrainerOptions,
  trainer,
} from "../../src/index";

let device: Device;
beforeAll(async () => {
  device = await open({ backend: "cpu" });
});
afterAll(() => device.close());

const random = randomState(1);
const rows = (count: number) => ({
  x: Float32Array.from(random.normal(0, 1, count * 2 * 6 * 6)),
  y: Int32Array.from({ length: count }, (_, i) => i % 3),
});
const [DATA, VALIDATION] = [rows(19), rows(7)];

const backbone = () => [
  conv2d(4, 3, { padding: "same", activation: "relu" }),
  batchNorm(),
  residual([conv2d(4, 3, { padding: 1 })]),
  flatten(),
];
const head = () => [dense(5), dropout(0.3), dense(3, { l2: 0.01 })];
const make = (layers: Layer[], frozen: string[], options: Partial<TrainerOptions> = {}): Promise<Trainer> =>
  trainer(device, sequential([2, 6, 6], layers, { seed: 2 }), {
    loss: softmaxCrossEntropy(),
    optimizer: adam({ lr: 0.01 }),
    batchSize: 4,
    frozen,
    ...options,
  });
const FROZEN = ["0", "2", "3"];

/** Whether the training step of the last fit has the first layer in it. */
const hasFirst = (net: Trainer) =>
  net.session.read("0.weight").then(
    () => true,
    () => false,
  );

describe("a part that stays as it is", () => {
  test("is computed once a fit, with the same losses, validation and weights as in every step", async () => {
    const [once, each] = [
      await make([...backbone(), ...head()], FROZEN),
      await make([...backbone(), ...head()], FROZEN),
    ];
    const fit = await each.begin(DATA, { seed: 3 });
    const first = await each.weights();
    for (const epochs of [3, 2]) {
      const told: number[] = [];
      const history = await once.fit(DATA, {
        epochs,
        seed: 3,
        validation: VALIDATION,
        onEpoch: async ({ validationLoss = Number.NaN }) => {
          const whole = await once.evaluate(VALIDATION);
          expect(validationLoss).toBeCloseTo(whole.loss, 5);
          told.push(validationLoss);
        },
      });
      expect(await hasFirst(once)).toBe(false);
      expect(told).toHaveLength(epochs);
      const { loss } = await fit.advance(5 * epochs);
      expect(await hasFirst(each)).toBe(true);
      expect(history.loss).toEqual(loss);
      expect(await once.weights()).toEqual(await each.weights());
      expect(await once.predict(DATA.x)).toEqual(await each.predict(DATA.x));
    }
    const last = await once.weights();
    for (const [name, values] of Object.entries(first)) {
      const stays = /^[023]\./.test(name);
      expect([name, last[name]?.every((value, i) => value === values[i])]).toEqual([name, stays]);
    }
  });

  test("goes into a checkpoint, and is replaced between two fits", async () => {
    const [once, other] = [
      await make([...backbone(), ...head()], FROZEN),
      await make([...backbone(), ...head()], FROZEN),
    ];
    await once.fit(DATA, { epochs: 2 });
    other.resume(await once.checkpoint());
    expect(await other.checkpoint()).toEqual(await once.checkpoint());
    const weight = ((await once.weights())["0.weight"] as Float32Array).map((value) => 2 * value);
    for (const net of [once, other]) net.setWeights({ "0.weight": weight });
    expect((await once.weights())["0.weight"]).toEqual(weight);
    const { loss } = await once.fit(DATA, { epochs: 2 });
    const fit = await other.begin(DATA);
    expect((await fit.advance(10)).loss).toEqual(loss);
    expect(await other.weights()).toEqual(await once.weights());
  });

  test("may be a model of its own, with batches of all rows", async () => {
    const body = sequential([2, 6, 6], backbone(), { seed: 5 });
    const layers = () => [body, ...head()];
    const [once, each] = [
      await make(layers(), ["0"], { batchSize: 19 }),
      await make(layers(), ["0"], { batchSize: 19 }),
    ];
    const { loss } = await once.fit(DATA, { epochs: 4 });
    expect(await once.session.read("0.0.weight").catch(() => null)).toBeNull();
    expect((await (await each.begin(DATA)).advance(4)).loss).toEqual(loss);
  });
});

describe("is computed in every step", () => {
  const double = () => defineLayer("double", { apply: (x) => x.mul(2) });
  test.each<[string, Layer[], string[], Partial<TrainerOptions>]>([
    ["where nothing is frozen", [...backbone(), ...head()], [], {}],
    ["where its first layer is not", [...backbone(), ...head()], ["2", "3"], {}],
    ["behind masks", [dropout(0.5), ...backbone(), ...head()], ["1", "3", "4"], {}],
    ["where a layer of the user's own may look at the whole batch", [double(), ...backbone(), ...head()], ["1"], {}],
    ["where a frozen l2 is a part of the loss", [conv2d(2, 3, { l2: 0.1 }), flatten(), dense(3)], ["0"], {}],
  ])("%s", async (_, layers, frozen, options) => {
    const net = await make(layers, frozen, options);
    const name = Object.keys(await net.weights())[0] as string;
    await net.fit(DATA, { epochs: 2 });
    expect(await net.session.read(name)).toBeInstanceOf(Float32Array);
  });

  test("from a batchNorm on whose statistics move", async () => {
    const net = await make([...backbone(), ...head()], ["0", "2.weight", "2.bias", "3"]);
    const before = await net.weights();
    await net.fit(DATA, { epochs: 2 });
    expect(await net.session.read("2.weight")).toBeInstanceOf(Float32Array);
    expect(await hasFirst(net)).toBe(false); // what is before it stays
    expect((await net.weights())["2.running_mean"]).not.toEqual(before["2.running_mean"]);
  });

  test("in a fit that sees its rows once", async () => {
    const net = await make([...backbone(), activation("tanh"), ...head()], FROZEN);
    await net.fit(DATA, { epochs: 1 });
    expect(await hasFirst(net)).toBe(true);
  });
});
