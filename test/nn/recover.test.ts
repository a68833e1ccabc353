import { afterEach, describe, expect, test, vi } from "vitest";
import {
  activation,
  adam,
  batchNorm,
  cosineDecay,
  DeviceError,
  dense,
  dropout,
  type FitOptions,
  type History,
  moons,
  open,
  sequential,
  softmaxCrossEntropy,
  type Trainer,
} from "../../src/index";
import { createTrainer } from "../../src/nn/trainer";
import { Session } from "../../src/session";
import { WasmRunner } from "../../src/wasm/runner";
import { terminate } from "../support/lost-device";

afterEach(() => vi.restoreAllMocks());

const DATA = moons(52, { noise: 0.2 });
const VALIDATION = moons(24, { noise: 0.2, seed: 3 });
/** All that goes on from step to step: moments, running statistics, masks, a schedule, the order of batches, a last smaller batch. */
async function made(pieceBytes = 2 ** 27): Promise<Trainer> {
  const layers = [dense(6), batchNorm(), activation("tanh"), dropout(0.2), dense(2)];
  return createTrainer(
    await open({ backend: "cpu" }),
    sequential(2, layers, { seed: 1 }),
    { loss: softmaxCrossEntropy(), optimizer: adam({ lr: cosineDecay(0.05, 400) }), batchSize: 8 },
    { pieceBytes },
  );
}
const OPTIONS = { epochs: 12, seed: 7 } satisfies FitOptions;
const often = { recover: { everySeconds: 0 } };

/** What a fit leaves, and what it told, but for what tells of the clock. */
async function told(net: Trainer, options: FitOptions, during: (step: number) => void = () => {}) {
  const epochs: unknown[] = [];
  const {
    seconds: _,
    recovered = [],
    ...history
  } = await net.fit(DATA, {
    ...options,
    onProgress: ({ step }) => during(step),
    ...(options.validation && { onEpoch: (epoch) => void epochs.push(epoch) }),
  });
  return { history, recovered, epochs, checkpoint: await net.checkpoint(), steps: net.steps };
}
const watching = {
  ...OPTIONS,
  validation: VALIDATION,
  earlyStopping: { patience: 4 },
  reduceOnPlateau: { factor: 0.5, patience: 2 },
};

/** Ends the device of a trainer in the first run from each of the steps on: before it is asked for, or when it is under way. */
function ending(net: Trainer, ...steps: number[]): void {
  const run = Session.prototype.runAndRead;
  let times = 0;
  vi.spyOn(Session.prototype, "runAndRead").mockImplementation(function (this: Session, inputs, options) {
    const ends = options.read !== undefined && this === net.session && net.steps >= (steps[0] ?? Infinity);
    if (ends) steps.shift();
    if (ends && times++ % 2 === 0) terminate(net.device);
    const running = run.call(this, inputs, options);
    if (ends) terminate(net.device);
    return running;
  });
}

describe("a fit that outlives its device has the bits of one that was not disturbed", () => {
  test.each<[string, FitOptions, number[]]>([
    ["once, in the run that a snapshot is read with", OPTIONS, [60]],
    ["twice", OPTIONS, [40, 70]],
    ["at its first step", OPTIONS, [0]],
    ["with all that is done after epochs", watching, [24]],
    ["with all that is done after epochs, twice", watching, [10, 29]],
  ])("%s", async (_, options, steps) => {
    const [whole, net] = [await made(), await made()];
    const first = net.device;
    const undisturbed = await told(whole, options);
    ending(net, ...steps);
    const { recovered, ...rest } = await told(net, { ...options, ...often });
    vi.restoreAllMocks();
    expect({ ...rest, recovered: [] }).toEqual(undisturbed);
    expect(recovered).toHaveLength(steps.length);
    for (const { step, epoch, reason, device } of recovered) {
      expect(epoch).toBe(Math.floor(step / 7));
      expect(reason).toBe("unknown: it was terminated");
      expect(device).toEqual({ backend: "cpu", info: net.device.info });
    }
    // The trainer lives on the other device by now.
    expect(net.device).not.toBe(first);
    expect(await net.predict(DATA.x)).toEqual(await whole.predict(DATA.x));
    expect(await net.evaluate(VALIDATION)).toEqual(await whole.evaluate(VALIDATION));
    expect((await net.fit(DATA, OPTIONS)).loss).toEqual((await whole.fit(DATA, OPTIONS)).loss);
    const { device } = net;
    net.dispose();
    expect((await device.lost).message).toBe("close() was called");
  });

  test("where steps since the last snapshot are done again, from data that go to the device in pieces", async () => {
    const [whole, net] = [await made(), await made(4 * 2 * 17)]; // two batches at once, and a run of them
    const undisturbed = await told(whole, OPTIONS);
    ending(net, 61);
    const { recovered, ...rest } = await told(net, { ...OPTIONS, recover: true });
    expect(recovered.map(({ step }) => step)).toEqual([0]);
    expect({ ...rest, recovered: [] }).toEqual(undisturbed);
  });

  test("where a call in onEpoch finds it gone, which is answered on the other; each epoch is told once", async () => {
    const [whole, net] = [await made(), await made()];
    await whole.fit(DATA, OPTIONS);
    const epochs: number[] = [];
    const { recovered } = await net.fit(DATA, {
      ...OPTIONS,
      recover: true,
      async onEpoch({ epoch }) {
        const before = await net.evaluate(VALIDATION);
        if (epoch === 3 || epoch === 4) terminate(net.device);
        expect(await net.evaluate(VALIDATION)).toEqual(before);
        epochs.push(epoch);
      },
    });
    expect(epochs).toEqual([...Array(12).keys()]);
    expect(recovered?.map(({ step }) => step)).toEqual([28, 35]);
    expect(await net.weights()).toEqual(await whole.weights());
  });

  test("where the answer of a device never comes", async () => {
    const [whole, net] = [await made(), await made()];
    await whole.fit(DATA, OPTIONS);
    const run = Session.prototype.runAndRead;
    let silent = false;
    vi.spyOn(Session.prototype, "runAndRead").mockImplementation(async function (this: Session, inputs, options) {
      if (silent || net.steps < 60) return run.call(this, inputs, options);
      silent = true;
      terminate(net.device);
      return new Promise(() => {});
    });
    await net.fit(DATA, { ...OPTIONS, ...often });
    expect(silent).toBe(true);
    expect(await net.weights()).toEqual(await whole.weights());
  });

  test("begun on a device that is gone", async () => {
    const [whole, net] = [await made(), await made()];
    terminate(net.device);
    const undisturbed = await told(whole, OPTIONS);
    const { recovered, ...rest } = await told(net, { ...OPTIONS, recover: true });
    expect({ ...rest, recovered: [] }).toEqual(undisturbed);
    expect(recovered.map(({ step }) => step)).toEqual([0]);
  });

  test("taken some steps at a time, also where weights were replaced in between, before the loss and after it", async () => {
    const nets = [await made(), await made()] as const;
    const other = (await (await made()).weights())["0.weight"]?.map((value) => value / 2) as Float32Array;
    const histories: History[] = [];
    for (const net of nets) {
      const fit = await net.begin(DATA, { seed: 2, recover: true });
      const lost = net === nets[1];
      await fit.advance(9);
      net.setWeights({ "0.weight": other });
      if (lost) terminate(net.device);
      net.setWeights({ "0.bias": new Float32Array(6).fill(0.1) });
      await net.predict(DATA.x);
      histories.push(await fit.advance(20));
      if (lost) terminate(net.device);
      await fit.advance(20);
      expect(fit.step).toBe(49);
    }
    const [whole, net] = nets;
    expect(await net.weights()).toEqual(await whole.weights());
    expect(histories.map(({ loss }) => loss)[1]).toEqual(histories[0]?.loss);
    expect(histories.map(({ recovered }) => recovered?.map(({ step }) => step))).toEqual([[], [9]]);
  });
});

describe("a fit that cannot go on", () => {
  async function failed(net: Trainer, options: FitOptions) {
    return net.fit(DATA, { ...OPTIONS, ...options }).then(
      () => {
        throw new Error("the fit did not fail");
      },
      (error: Error & { history: History }) => error,
    );
  }

  test("since no other device opens says so, with history and weights of the last snapshot; later it goes on", async () => {
    const [whole, net] = [await made(), await made()];
    const barred = vi.spyOn(WasmRunner, "runsHere").mockRejectedValue(new DeviceError("there is no memory"));
    ending(net, 60);
    const error = await failed(net, often);
    expect(error).toBeInstanceOf(DeviceError);
    const { steps } = net;
    expect(steps).toBeGreaterThanOrEqual(60);
    expect(error.message).toBe(
      `the device was lost (unknown: it was terminated) and no other could be opened (there is no memory); save() and weights() have the weights of step ${steps}`,
    );
    barred.mockReset().mockResolvedValue(true);
    const { loss } = await whole.fit(DATA, { seed: 7, steps });
    barred.mockRejectedValue(new DeviceError("there is no memory"));
    expect(error.history.loss).toEqual(loss);
    expect(await net.weights()).toEqual(await whole.weights());
    expect(await net.save()).toEqual(await whole.save());
    await expect(net.predict(DATA.x)).rejects.toThrow("no other could be opened");
    barred.mockRestore();
    expect(await net.predict(DATA.x)).toEqual(await whole.predict(DATA.x));
    expect((await net.fit(DATA, { seed: 9, steps: 9 })).loss).toEqual(
      (await whole.fit(DATA, { seed: 9, steps: 9 })).loss,
    );
  });

  test("since each device is lost at the same step says so", async () => {
    const net = await made();
    ending(net, 0, 0, 0, 0, 0, 0);
    const error = await failed(net, { recover: true });
    expect(error.message).toMatch(/the device was lost \(unknown: it was terminated\), 5 times at step 0; save\(\)/);
    expect(error.history.recovered).toHaveLength(4);
  });

  test("since its device was closed, or since it was not to recover, says so", async () => {
    const [closed, plain] = [await made(), await made()];
    const run = Session.prototype.runAndRead;
    vi.spyOn(Session.prototype, "runAndRead").mockImplementation(function (this: Session, inputs, options) {
      if (this === closed.session) closed.device.close();
      return run.call(this, inputs, options);
    });
    expect((await failed(closed, { recover: true })).message).toBe("the device was closed; open() gives a new one");
    vi.restoreAllMocks();
    ending(plain, 0);
    expect((await failed(plain, {})).message).toMatch(/it was terminated/);
    await expect(plain.predict(DATA.x)).rejects.toThrow("it was terminated");
  });

  test("since it was stopped while the device was gone says why it was stopped", async () => {
    const net = await made();
    const stop = new AbortController();
    const onEpoch = () => {
      terminate(net.device);
      stop.abort(new Error("enough"));
    };
    expect((await failed(net, { ...often, signal: stop.signal, onEpoch })).message).toBe("enough");
  });
});

test("recover is true, false or an object with seconds of at least 0", async () => {
  const net = await made();
  const refused = (recover: unknown) => net.fit(DATA, { ...OPTIONS, recover } as FitOptions);
  await expect(refused({ everySeconds: -1 })).rejects.toThrow("fit: recover: everySeconds is -1");
  await expect(refused({ every: 1 })).rejects.toThrow('fit: recover: there is no option "every"');
  await expect(refused(1)).rejects.toThrow("fit: recover: the options are 1");
  expect((await net.fit(DATA, { steps: 1 })).recovered).toBeUndefined();
  expect((await net.fit(DATA, { steps: 1, recover: true })).recovered).toEqual([]);
});
