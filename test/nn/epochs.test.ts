import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  batchNorm,
  type Dataset,
  type Device,
  dense,
  dropout,
  type EpochReport,
  type FitOptions,
  type History,
  moons,
  open,
  sequential,
  sgd,
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

const DATA = moons(11, { noise: 0.2 });
const VALIDATION = moons(20, { noise: 0.2, seed: 3 });
const make = (options: Partial<TrainerOptions> = {}): Promise<Trainer> =>
  trainer(device, sequential(2, [dense(5, { activation: "tanh" }), dense(2)], { seed: 1 }), {
    loss: softmaxCrossEntropy(),
    optimizer: sgd({ lr: 0.3, momentum: 0.5 }),
    batchSize: 4,
    ...options,
  });

/** What a fit is rejected with. */
async function rejected(
  net: Trainer,
  options: FitOptions,
  data: Dataset = DATA,
): Promise<Error & { history?: History }> {
  return net.fit(data, options).then(
    () => {
      throw new Error("the fit did not fail");
    },
    (error) => error,
  );
}

describe("onEpoch", () => {
  test("once an epoch, in order and awaited, each with its own figures", async () => {
    const net = await make();
    const told: EpochReport[] = [];
    let running = 0;
    const { loss, validationLoss, validationAccuracy } = await net.fit(DATA, {
      steps: 8, // 11 rows in batches of 4: 3 steps an epoch, and the last epoch is cut short
      validation: VALIDATION,
      async onEpoch(epoch) {
        expect(++running).toBe(1);
        // Weights are those of the epoch while it waits.
        const { loss: now } = await net.evaluate(VALIDATION);
        expect(now).toBe(epoch.validationLoss);
        told.push(epoch);
        running--;
      },
    });
    const mean = (steps: number[], rows: number[]) =>
      steps.reduce((sum, step, i) => sum + (loss[step] as number) * (rows[i] as number), 0) /
      rows.reduce((a, b) => a + b);
    expect(told).toEqual(
      [mean([0, 1, 2], [4, 4, 3]), mean([3, 4, 5], [4, 4, 3]), mean([6, 7], [4, 4])].map((expected, epoch) => ({
        epoch,
        step: Math.min(3 * (epoch + 1), 8),
        loss: expect.closeTo(expected, 6),
        validationLoss: expect.closeTo(validationLoss?.[epoch] as number, 6),
        validationAccuracy: expect.closeTo(validationAccuracy?.[epoch] as number, 6),
        learningRate: 0.3,
      })),
    );
    // Looking on changes no bit.
    const other = await make();
    const alone = await other.fit(DATA, { steps: 8 });
    expect(alone.loss).toEqual(loss);
    expect(await other.weights()).toEqual(await net.weights());
  });

  test('"stop" ends the fit, which resolves with its history; the next goes on', async () => {
    const net = await make();
    const history = await net.fit(DATA, {
      epochs: 50,
      validation: VALIDATION,
      onEpoch: ({ epoch }) => (epoch === 1 ? "stop" : undefined),
    });
    expect([...history.step]).toEqual([0, 1, 2, 3, 4, 5]);
    expect(history.loss).toHaveLength(6);
    expect(history.validationLoss).toHaveLength(2);
    expect(net.steps).toBe(6);
    await net.fit(DATA, { epochs: 1 });
    const whole = await make();
    await whole.fit(DATA, { epochs: 3 });
    expect(await net.weights()).toEqual(await whole.weights());
  });

  test("what it throws or rejects with ends the fit, with the history; so does a promise of onProgress", async () => {
    const error = new Error("no disk");
    for (const onEpoch of [
      () => {
        throw error;
      },
      () => Promise.reject(error),
    ]) {
      const net = await make();
      const failure = await rejected(net, { epochs: 4, onEpoch });
      expect(failure).toBe(error);
      expect(failure.history?.step).toEqual(Int32Array.of(0, 1, 2));
      expect(net.steps).toBe(3);
      await net.fit(DATA, { epochs: 1 });
    }
    const net = await make();
    const async = () => Promise.reject(error);
    expect(await rejected(net, { epochs: 4, onProgress: async })).toBe(error);
    expect((await rejected(net, { epochs: 1, onEpoch: () => 1 as never })).message).toBe(
      'fit: onEpoch gave 1; it must give "stop" or nothing.',
    );
  });

  test("an abort keeps the history on its reason", async () => {
    const net = await make();
    const stop = new AbortController();
    const reason = new Error("enough");
    const failure = await rejected(net, {
      epochs: 50,
      signal: stop.signal,
      onEpoch: ({ epoch }) => {
        if (epoch === 2) stop.abort(reason);
      },
    });
    expect(failure).toBe(reason);
    expect(failure.history?.step).toEqual(Int32Array.from({ length: 9 }, (_, i) => i));
    expect(failure.history?.seconds).toBeGreaterThan(0);
    // Of one long run: what was told of its steps until then.
    const long = await make();
    const within = new AbortController();
    const other = await rejected(long, {
      epochs: 100_000,
      signal: within.signal,
      onProgress: ({ step }) => {
        if (step > 300) within.abort(new Error("enough"));
      },
    });
    const { step = new Int32Array(), loss } = other.history as History;
    expect(step.length).toBe(loss.length);
    expect(step.length).toBeGreaterThan(0);
    expect(step.every((at, i) => at < long.steps && (i === 0 || at > (step[i - 1] as number)))).toBe(true);
  });
});

describe("earlyStopping", () => {
  // A rate that is far too large for what the network has learnt by then.
  const worsens = { optimizer: sgd({ lr: (step) => (step < 6 ? 0.3 : 3) }) };

  test("ends after patience epochs without a better validation loss, at the best weights", async () => {
    const net = await make(worsens);
    const told: { loss: number; weights: Record<string, Float32Array> }[] = [];
    const { validationLoss } = await net.fit(DATA, {
      epochs: 60,
      validation: VALIDATION,
      earlyStopping: { patience: 3 },
      onEpoch: async ({ validationLoss: now }) => {
        told.push({ loss: now as number, weights: await net.weights() });
      },
    });
    const losses = told.map(({ loss }) => loss);
    const best = losses.indexOf(Math.min(...losses));
    expect(losses.length).toBe(best + 4);
    expect(validationLoss).toHaveLength(losses.length);
    expect(await net.weights()).toEqual(told[best]?.weights);
    expect((await net.evaluate(VALIDATION)).loss).toBe(losses[best]);
  });

  test("keeps the last weights where that is said, and asks for minDelta", async () => {
    const net = await make(worsens);
    let last = {};
    let epochs = 0;
    await net.fit(DATA, {
      epochs: 60,
      earlyStopping: { patience: 2, minDelta: 1e6, restoreBest: false },
      onEpoch: async () => {
        epochs++;
        last = await net.weights();
      },
    });
    expect(epochs).toBe(3); // the first is better than none
    expect(await net.weights()).toEqual(last);
  });
});

describe("reduceOnPlateau", () => {
  test("multiplies the rate after patience epochs without a better loss, and training goes by it", async () => {
    const net = await make({ optimizer: sgd({ lr: 4 }) });
    const told: EpochReport[] = [];
    await net.fit(DATA, {
      epochs: 12,
      validation: VALIDATION,
      reduceOnPlateau: { factor: 0.1, patience: 2 },
      onEpoch: (epoch) => void told.push(epoch),
    });
    let rate = 4;
    let best = Infinity;
    let waited = 0;
    const rates = told.map(({ validationLoss }) => {
      const now = rate;
      if ((validationLoss as number) < best) [best, waited] = [validationLoss as number, 0];
      else if (++waited === 2) [rate, waited] = [rate * 0.1, 0];
      return expect.closeTo(now, 10);
    });
    expect(told.map(({ learningRate }) => learningRate)).toEqual(rates);
    expect(told.at(-1)?.learningRate).toBeLessThan(4);
    // The same rates, given as a schedule, make the same weights.
    const other = await make({ optimizer: sgd({ lr: (step) => told[Math.floor(step / 3)]?.learningRate as number }) });
    await other.fit(DATA, { epochs: 12 });
    const [found, wanted] = [await net.weights(), await other.weights()];
    for (const [name, values] of Object.entries(wanted)) expect([...(found[name] ?? [])]).toEqual([...values]);
  });
});

describe("a checkpoint within a fit", () => {
  const kept = () =>
    trainer(device, sequential(2, [dense(5), batchNorm(), dropout(0.2), dense(2)], { seed: 2 }), {
      loss: softmaxCrossEntropy(),
      optimizer: sgd({ lr: (step) => (step < 15 ? 0.3 : 3), momentum: 0.5 }),
      batchSize: 4,
    });
  /** Told of each epoch and asked for a checkpoint at it; stopped at a step where that is given. */
  async function watched(net: Trainer, options: Partial<FitOptions>, stopAt = Infinity) {
    const [epochs, files, stop]: [EpochReport[], Uint8Array[], AbortController] = [[], [], new AbortController()];
    const history = await net
      .fit(DATA, {
        epochs: 40,
        earlyStopping: { patience: 5 },
        reduceOnPlateau: { factor: 0.5, patience: 2 },
        ...options,
        signal: stop.signal,
        onEpoch: async (epoch) => {
          epochs.push(epoch);
          files.push(await net.checkpoint());
        },
        onProgress: ({ step }) => {
          if (step >= stopAt) stop.abort(new Error("enough"));
        },
      })
      .catch((error: Error & { history: History }) => error.history);
    return { epochs, files, loss: history.loss, weights: await net.weights() };
  }

  test.each([
    ["by the validation", { validation: VALIDATION }],
    ["by the training loss", {}],
  ] as const)(
    "is gone on from with the same bits %s, where patience, rate and best weights stood",
    async (_, options) => {
      const whole = await watched(await kept(), options);
      const { length } = whole.epochs;
      expect(length).toBeGreaterThan(6);
      expect(length).toBeLessThan(40);
      expect(new Set(whole.epochs.map(({ learningRate }) => learningRate)).size).toBeGreaterThan(2);
      for (const epoch of [0, 3, length - 3]) {
        const net = await kept();
        net.resume(whole.files[epoch] as Uint8Array);
        const rest = await watched(net, options);
        expect(rest.epochs).toEqual(whole.epochs.slice(epoch + 1));
        expect(rest.loss).toEqual(whole.loss.slice(3 * (epoch + 1)));
        expect(rest.weights).toEqual(whole.weights);
        expect(rest.files).toEqual(whole.files.slice(epoch + 1));
      }
    },
  );

  test("that was stopped in the middle of an epoch, or asked for while a run is under way", async () => {
    const rows = moons(4000, { noise: 0.2 }); // 1000 steps an epoch
    const train = (net: Trainer, options: Partial<FitOptions>, told: EpochReport[]) =>
      net.fit(rows, {
        epochs: 2,
        earlyStopping: { patience: 1, minDelta: 0.001 },
        ...options,
        onEpoch: (epoch) => void told.push(epoch),
      });
    const make = () =>
      trainer(device, sequential(2, [dense(5), batchNorm(), dropout(0.2), dense(2)]), {
        loss: softmaxCrossEntropy(),
        optimizer: sgd({ lr: 0.01 }),
        batchSize: 4,
      });
    const [whole, stopped, asked] = [await make(), await make(), await make()];
    const told: EpochReport[][] = [[], [], [], []];
    const { loss } = await train(whole, {}, told[0] as EpochReport[]);
    const stop = new AbortController();
    const ending = train(stopped, { signal: stop.signal, onProgress: () => stop.abort(new Error("enough")) }, []);
    const { history } = await ending.then(
      () => Promise.reject(new Error("it was not stopped")),
      (error: Error & { history: History }) => error,
    );
    // All that was done is told, whenever onProgress was called.
    expect(stopped.steps % 1000).toBeGreaterThan(0);
    expect(history.loss).toEqual(loss.slice(0, stopped.steps));
    let during: Promise<Uint8Array> | undefined;
    const onProgress = () => {
      during ??= asked.checkpoint();
    };
    await train(asked, { onProgress }, []);
    const files = [await stopped.checkpoint(), (await during) as Uint8Array];
    for (const [i, file] of files.entries()) {
      const net = await make();
      net.resume(file);
      expect(net.steps % 1000).toBeGreaterThan(0);
      expect(net.steps).toBeLessThan(1000);
      await train(net, {}, told[i + 1] as EpochReport[]);
      expect(await net.weights()).toEqual(await whole.weights());
      expect(told[i + 1]).toEqual(told[0]);
    }
  });
});

describe("the shuffle", () => {
  test("goes on over repeated fits, as one fit would", async () => {
    const [whole, parts, other] = [await make(), await make(), await make()];
    await whole.fit(DATA, { epochs: 4, seed: 5 });
    for (let epoch = 0; epoch < 4; epoch++) await parts.fit(DATA, { epochs: 1, seed: 5 });
    expect(await parts.weights()).toEqual(await whole.weights());
    await other.fit(DATA, { epochs: 2, seed: 5 });
    await other.fit(DATA, { epochs: 2, seed: 6 }); // another seed, another order, from its beginning
    expect(await other.weights()).not.toEqual(await whole.weights());
  });

  test("and over a checkpoint between two fits, or within the second, with all that a network keeps", async () => {
    const kept = () =>
      trainer(device, sequential(2, [dense(5), batchNorm(), dropout(0.2), dense(2)]), {
        loss: softmaxCrossEntropy(),
        optimizer: sgd({ lr: 0.1, momentum: 0.5 }),
        batchSize: 4,
      });
    const whole = await kept();
    await whole.fit(DATA, { epochs: 3 });
    const [first, between, within] = [await kept(), await kept(), await kept()];
    await first.fit(DATA, { epochs: 1 });
    between.resume(await first.checkpoint());
    await between.fit(DATA, { epochs: 2 });
    expect(await between.weights()).toEqual(await whole.weights());
    const rest = await first.begin(DATA);
    await rest.advance(2);
    within.resume(await first.checkpoint());
    await within.fit(DATA, { epochs: 2 });
    expect(await within.weights()).toEqual(await whole.weights());
  });
});

test("options that make no sense are refused with the value", async () => {
  const net = await make();
  const refused = async (options: object) => (await rejected(net, { epochs: 1, ...options } as FitOptions)).message;
  expect(await refused({ onEpoch: 1 })).toBe("fit: onEpoch is 1; it must be a function.");
  expect(await refused({ earlyStopping: {} })).toBe(
    "fit: earlyStopping: patience is undefined; it must be an integer of at least 1.",
  );
  expect(await refused({ earlyStopping: { patience: 1, delta: 1 } })).toMatch(/no option "delta"/);
  expect(await refused({ earlyStopping: { patience: 1, minDelta: -1 } })).toMatch(/minDelta is -1/);
  expect(await refused({ reduceOnPlateau: { factor: 1, patience: 1 } })).toMatch(
    /factor is 1; it must be at least 0 and less/,
  );
  expect(await refused({ reduceOnPlateau: { factor: 0.5 } })).toMatch(/patience is undefined/);
  expect(net.steps).toBe(0);
});
