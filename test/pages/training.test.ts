import { afterEach, expect, test, vi } from "vitest";
import { type Device, open, trainer } from "../../src/index";
import { type Config, preset } from "../../src/playground/config";
import { dataSet } from "../../src/playground/training/data-set";
import { Engine } from "../../src/playground/training/engine";
import type { Look, Message, Plane } from "../../src/playground/training/messages";
import { lossOf, modelOf, optimizerOf } from "../../src/playground/training/network";
import { Run } from "../../src/playground/training/run";
import { terminate } from "../support/lost-device";

afterEach(() => vi.restoreAllMocks());

const moons: Config = { ...preset("moons"), backend: "cpu" }; // 210 rows to learn from: 7 batches of 32

/** An engine, and what it has told of last. */
function listened() {
  const engine = new Engine();
  const looks: Look[] = [];
  let finished = () => {};
  engine.listen((message) => {
    if (message.kind === "look") looks.push(message.look);
    if (message.kind === "failed") throw new Error(message.message);
    if (message.kind === "state" && message.state === "finished") finished();
  });
  const last = () => looks.at(-1) as Look;
  const toItsEnd = () =>
    new Promise<void>((resolve) => {
      finished = resolve;
      void engine.train();
    });
  return { engine, looks, last, toItsEnd };
}

test("an epoch is a pass over the data, and stays one when the batch grows", async () => {
  const { engine, last, toItsEnd } = listened();
  await engine.make({ ...moons, steps: 77 });
  await toItsEnd();
  expect(last().epoch).toBe(11);
  await engine.make({ ...moons, batch: 105, steps: 77 }, { keep: true });
  expect(last().epoch).toBe(11);
  expect(last().step).toBe(77);
  await engine.step();
  expect(last().epoch).toBe(11.5);
});

test("where its device goes away, in training and at rest, it goes on on another with the same steps, and says so", async () => {
  const ends: Record<string, Float32Array>[] = [];
  for (const lossy of [false, true]) {
    const { engine, looks, last, toItsEnd } = listened();
    const lost: Extract<Message, { kind: "lost" }>[] = [];
    const looking: (() => void)[] = [];
    const told = Reflect.get(engine, "tell") as (message: Message) => void;
    engine.listen((message) => {
      told(message);
      if (message.kind === "lost") lost.push(message);
      if (message.kind === "look") for (const look of looking.splice(0)) look();
    });
    const endDevice = () => terminate(Reflect.get(engine, "device") as Device);
    await engine.make({ ...moons, steps: 300 });
    if (lossy) {
      // Before anything was trained: the network is made anew.
      const looked = new Promise<void>((resolve) => looking.push(resolve));
      endDevice();
      await looked;
      expect(lost).toEqual([]);
    }
    await engine.step();
    if (lossy) {
      endDevice();
      await new Promise<void>((resolve) => looking.push(resolve));
      await engine.step();
      await engine.pause();
    } else await engine.step();
    expect(last().step).toBe(2);
    if (lossy) looking.push(endDevice); // after the next look, in the middle of the training
    await toItsEnd();
    expect(lost.map(({ reason }) => reason)).toEqual(lossy ? Array(2).fill("unknown: it was terminated") : []);
    expect(looks.at(-1)?.step).toBe(300);
    ends.push(last().weights);
    // The next network has a device of its own.
    await engine.make({ ...moons, steps: 10 });
    await toItsEnd();
    expect(last().step).toBe(10);
  }
  expect(ends[1]).toEqual(ends[0]);
});

test("however its steps are divided by looks, they are those of one fit: every epoch has every row", async () => {
  const { engine, looks, toItsEnd } = listened();
  const config = { ...moons, steps: 700 };
  await engine.make(config);
  await engine.step();
  await engine.step();
  await toItsEnd();
  expect(looks.length).toBeGreaterThan(4);

  const device = await open({ backend: "cpu" });
  const set = await dataSet(config, null);
  const model = modelOf(config, set);
  const whole = await trainer(device, model, {
    loss: lossOf(config),
    optimizer: optimizerOf(config, config),
    batchSize: config.batch,
  });
  await whole.fit(set.training, { steps: 700, seed: config.seed });
  expect(await engine.save()).toEqual(await whole.save());
  device.close();
});

test("a reload goes on with the epoch that it left, to the same weights", async () => {
  const engine = new Engine();
  let standing: { checkpoint: Uint8Array; epoch: number } | undefined;
  engine.listen((message) => {
    if (message.kind === "kept") standing = message.standing;
  });
  await engine.make(moons);
  for (let i = 0; i < 10; i++) await engine.step(); // in the midst of an epoch
  const other = listened();
  await other.engine.make({ ...moons, steps: 77 }, standing && { from: standing });
  expect(other.last().epoch).toBe(10 / 7);
  await other.toItsEnd();
  expect(other.last().epoch).toBeCloseTo(11, 12);

  const straight = listened();
  await straight.engine.make({ ...moons, steps: 77 });
  await straight.toItsEnd();
  expect(await other.engine.save()).toEqual(await straight.engine.save());
});

test("steps a second are those of the clock on the wall, the time of the looks among it", async () => {
  let timeMs = 0;
  vi.spyOn(performance, "now").mockImplementation(() => timeMs);
  const look = Run.prototype.look;
  vi.spyOn(Run.prototype, "look").mockImplementation(async function (this: Run) {
    timeMs += 100; // every look takes so long, and the steps no time at all
    return look.call(this);
  });
  const { engine, looks, toItsEnd } = listened();
  await engine.make({ ...moons, steps: 200 });
  await toItsEnd();
  const trained = looks.filter(({ step }) => step > 0);
  expect(trained.length).toBeGreaterThan(2);
  trained.slice(1).forEach(({ step, stepsPerSecond }, i) => {
    const back = Math.min(i + 1, 10); // a second's
    const from = trained[i + 1 - back]?.step ?? 0;
    expect(stepsPerSecond).toBeCloseTo((step - from) / (0.1 * back), 6);
  });
});

test("what is said of the rows held back, and shown on the plane with the other features held, is what it says row by row", async () => {
  const { engine, last, toItsEnd } = listened();
  const config: Config = { ...preset("iris"), backend: "cpu", steps: 60, held: 0.4 };
  await engine.make(config);
  await toItsEnd();
  const { heldBack, mean, deviation } = await dataSet(config, null);
  const shares = await engine.read(heldBack.x);
  const said = heldBack.y.map((_, row) => {
    const own = [...shares.subarray(3 * row, 3 * row + 3)];
    return own.indexOf(Math.max(...own));
  });
  expect(last().said).toEqual(said);
  expect(new Set(said).size).toBe(3);

  const planes: Plane[] = [];
  engine.listen((message) => {
    if (message.kind === "viewed") planes.push(message.plane);
    if (message.kind === "look") looks.push(message.look);
  });
  const looks: Look[] = [];
  await engine.show([3, 0], { 2: 6.5 });
  const { x, y, cells } = planes[0] as Plane;
  const [row, column] = [10, 30];
  const across = x[0] + ((column + 0.5) / cells) * (x[1] - x[0]);
  const up = y[1] - ((row + 0.5) / cells) * (y[1] - y[0]);
  const own = (f: number, value: number) => String(value * (deviation[f] as number) + (mean[f] as number));
  const ofRow = await engine.say([own(0, up), String(mean[1]), "6.5", own(3, across)]);
  const shown = looks.at(-1)?.layers.at(-1) ?? new Float32Array();
  ofRow.forEach((share, k) => {
    expect(shown[(row * cells + column) * 3 + k]).toBeCloseTo(share, 5);
  });
  await expect(engine.say(["1", "", "2", "3"])).rejects.toThrow("sepal width must be a number.");
  await engine.show([3, 3], {}); // there is no such plane
  expect(planes).toHaveLength(1);
});
