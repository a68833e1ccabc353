import { describe, expect, test } from "vitest";
import {
  type Device,
  DeviceError,
  dense,
  dropout,
  type EnsembleOptions,
  type EnsembleProgress,
  ensemble,
  open,
  rmsprop,
  type Session,
  sequential,
  sgd,
  squaredError,
  trainer,
} from "../../src/index";
import { normal } from "../graph/numbers";
import { data, expectBitsOfTrainers, held, three } from "../support/ensembles";

const line = { x: normal(12, 5), y: normal(12, 6) };
const regression = () => sequential(1, [dense(3, { activation: "tanh" }), dense(1)]);

async function onCpu<T>(use: (device: Device) => Promise<T>): Promise<T> {
  const device = await open({ backend: "cpu" });
  try {
    return await use(device);
  } finally {
    device.close();
  }
}

describe("an ensemble on the CPU", () => {
  test.each(["adam", "sgd"] as const)("has, by %s, the bits of its trainers alone", (kind) =>
    onCpu((device) => expectBitsOfTrainers(device, kind)),
  );

  test("has those bits also where every step takes all rows", () =>
    onCpu((device) => expectBitsOfTrainers(device, "sgd", 64)));

  test("drops what becomes non-finite by name, and goes on with the bits of the rest", () =>
    onCpu(async (device) => {
      const lr = [0.05, 1e30, 0.02];
      const options = { loss: squaredError(), batchSize: 4 };
      const together = await ensemble(device, regression(), {
        ...{ ...options, count: 3, optimizer: sgd({ lr: 1 }) },
        each: { lr },
      });
      const { loss, dropped } = await together.fit(line, { epochs: 5 });
      expect(dropped).toEqual([{ network: 1, seed: 1, step: expect.any(Number), tensor: expect.any(String) }]);
      expect(together.dropped).toEqual(dropped);
      expect(loss[1]?.every(Number.isFinite)).toBe(true);
      expect(loss[1]?.length).toBe(dropped[0]?.step);
      for (const i of [0, 2]) {
        const model = sequential(1, [dense(3, { activation: "tanh" }), dense(1)], { seed: i });
        const one = await trainer(device, model, { ...options, optimizer: sgd({ lr: lr[i] as number }) });
        expect(loss[i]).toEqual((await one.fit(line, { epochs: 5, seed: i })).loss);
        one.dispose();
      }
      const { each, mean } = await together.predict([0.5]);
      const [first, , third] = each.map(([value]) => value as number);
      expect(each[1]?.every(Number.isFinite)).toBe(true);
      expect(mean[0]).toBeCloseTo(((first as number) + (third as number)) / 2, 6);
      const after = await together.fit(line, { steps: 1 });
      expect([after.loss.map(({ length }) => length), after.dropped]).toEqual([[1, 0, 1], []]);
      together.dispose();
    }));

  test("trains in rounds what does not fit at once, with the same bits and progress over all", () =>
    onCpu(async (device) => {
      const refused: number[] = [];
      const small: Device = Object.create(device, {
        compile: {
          value: async (program: never, options: { copies?: number } = {}): Promise<Session> => {
            if ((options.copies ?? 1) <= 2) return device.compile(program, options);
            refused.push(options.copies as number);
            throw new DeviceError("compile: too large");
          },
        },
      });
      const [whole, rounds] = [await three(device, "adam"), await three(small, "adam")];
      const options = { epochs: 3, validation: held };
      const told: EnsembleProgress[] = [];
      const expected = await whole.fit(data, options);
      const got = await rounds.fit(data, { ...options, onProgress: (progress) => void told.push(progress) });
      expect(refused).toEqual([3]);
      expect({ ...got, seconds: 0 }).toEqual({ ...expected, seconds: 0 });
      expect(await rounds.predict(held.x)).toEqual(await whole.predict(held.x));
      expect(await rounds.evaluate(held)).toEqual(await whole.evaluate(held));
      expect(told.at(-1)).toMatchObject({ step: 9, steps: 9, round: 1, rounds: 2, share: 1, training: 1 });
      expect(told[0]?.round).toBe(0);
      const shares = told.map(({ share }) => share);
      expect([...shares].sort((a, b) => a - b)).toEqual(shares);
    }));

  test("tells every epoch once, waits for the answer, and ends for all at stop", () =>
    onCpu(async (device) => {
      const together = await three(device, "sgd");
      let waiting = false;
      const epochs: number[] = [];
      const { step } = await together.fit(data, {
        epochs: 9,
        onEpoch: async ({ epoch, networks, round, rounds }) => {
          expect([waiting, networks.length, round, rounds]).toEqual([false, 3, 0, 1]);
          waiting = true;
          epochs.push(epoch);
          await new Promise((resolve) => setTimeout(resolve, 1));
          waiting = false;
          return epoch === 1 ? "stop" : undefined;
        },
      });
      expect(epochs).toEqual([0, 1]);
      expect(step.map(({ length }) => length)).toEqual([6, 6, 6]);
      const wrong = together.fit(data, { epochs: 1, onEpoch: () => "end" as never });
      await expect(wrong).rejects.toThrow('fit: onEpoch gave "end"; it must give "stop" or nothing');
      const weights = together.fit(data, { epochs: 1, sampleWeights: [1] });
      await expect(weights).rejects.toThrow("sampleWeights has 1 numbers for 22 rows");
      const recovering = together.fit(data, { epochs: 1, recover: true } as object);
      await expect(recovering).rejects.toThrow("recover is of trainer(); the networks of an ensemble do not outlive");
    }));

  test("averages probabilities, draws its seeds, and frees what it holds", () =>
    onCpu(async (device) => {
      const model = sequential(2, [dense(4, { l2: 0.1 }), dropout(0.1), dense(3)]);
      const before = device.memory();
      const together = await three(device, "sgd");
      const { each, mean } = await together.predict(held.x.slice(0, 2));
      expect(mean.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 6);
      expect(mean[0]).toBeCloseTo(each.reduce((sum, [value]) => sum + (value as number), 0) / 3, 6);
      expect(model.parameters["0.weight"]).toEqual([2, 4]);
      together.dispose();
      expect(device.memory().bytes).toBe(before.bytes);
      await expect(together.predict(held.x)).rejects.toThrow("predict: the ensemble was disposed");
    }));

  test("stops at a signal, with all networks at the same step", () =>
    onCpu(async (device) => {
      const together = await three(device, "sgd");
      const abort = new AbortController();
      const fit = together.fit(data, {
        steps: 100_000,
        signal: abort.signal,
        onProgress: () => abort.abort(new Error("enough")),
      });
      await expect(fit).rejects.toThrow("enough");
      const { step } = await together.fit(data, { steps: 2 });
      expect(step.map((each) => [...each])).toEqual([
        [0, 1],
        [0, 1],
        [0, 1],
      ]);
    }));

  test("goes on from a checkpoint with the same bits: of a network, or of the trainer that it is alone", () =>
    onCpu(async (device) => {
      const whole = await three(device, "adam");
      await whole.fit(data, { epochs: 2 });
      const files = await Promise.all([0, 1, 2].map((i) => whole.checkpoint(i)));
      const one = await trainer(device, sequential(1, [dense(3, { activation: "tanh" }), dense(1)], { seed: 1 }), {
        ...{ loss: squaredError(), optimizer: sgd({ lr: 0.05 }), batchSize: 4 },
      });
      const expected = await whole.fit(data, { epochs: 2 });

      const again = await three(device, "adam");
      for (const [i, file] of files.entries()) await again.resume(i, file);
      const got = await again.fit(data, { epochs: 2 });
      expect({ ...got, seconds: 0 }).toEqual({ ...expected, seconds: 0 });
      expect(await again.checkpoint(1)).toEqual(await whole.checkpoint(1));

      await one.fit(line, { epochs: 2, seed: 1 });
      const moved = await ensemble(device, regression(), {
        ...{ count: 2, loss: squaredError(), optimizer: sgd({ lr: 0.05 }), batchSize: 4, seeds: [0, 1] },
      });
      await moved.resume(1, await one.checkpoint());
      const both = [await one.fit(line, { epochs: 1, seed: 1 }), await moved.fit(line, { epochs: 1 })] as const;
      expect(both[1].loss[1]).toEqual(both[0].loss);
      expect(await moved.checkpoint(1)).toEqual(await one.checkpoint());

      await expect(moved.resume(0, files[0] as Uint8Array)).rejects.toThrow(
        "resume: the checkpoint is of the optimizer adam",
      );
      await expect(moved.resume(2, await one.checkpoint())).rejects.toThrow("resume: there is no network 2");
      const stop = new AbortController();
      const cut = one.fit(line, {
        epochs: 9,
        seed: 1,
        onEpoch: () => stop.abort(new Error("enough")),
        signal: stop.signal,
      });
      await expect(cut).rejects.toThrow("enough");
      await expect(moved.resume(0, await one.checkpoint())).rejects.toThrow(
        "resume: the checkpoint was taken within a fit",
      );
      for (const each of [whole, again, moved, one]) each.dispose();
    }));

  test("refuses what makes none", () =>
    onCpu(async (device) => {
      const make = (options: object) =>
        ensemble(device, regression(), {
          ...({ count: 2, loss: squaredError(), optimizer: sgd({ lr: 0.1 }) } satisfies EnsembleOptions),
          ...options,
        });
      await expect(make({ count: 0 })).rejects.toThrow("ensemble: count is 0; it must be an integer of at least 1");
      await expect(make({ seeds: [1] })).rejects.toThrow("ensemble: seeds has 1 numbers for 2 networks");
      await expect(make({ seeds: [1, -1] })).rejects.toThrow("ensemble: seed is -1");
      await expect(make({ each: { lr: [0.1, Number.NaN] } })).rejects.toThrow("ensemble: each.lr[1] is NaN");
      await expect(make({ each: { rate: [1, 2] } })).rejects.toThrow('there is no option "rate"');
      await expect(make({ each: { l2: [1, 2] } })).rejects.toThrow("each.l2 is given, and no layer has an l2");
      await expect(make({ optimizer: rmsprop(), each: { weightDecay: [1, 2] } })).rejects.toThrow(
        "each.weightDecay is given, and rmsprop takes none; take sgd() or adam().",
      );
      await expect(
        make({ optimizer: sgd({ lr: 0.1, weightDecay: 0.1 }), each: { weightDecay: [1, 2] } }),
      ).rejects.toThrow("each.weightDecay is given, and sgd has a weightDecay of its own");
      await expect(make({ loss: "mse" })).rejects.toThrow('ensemble: loss is "mse"');
      const together = await make({});
      await expect(together.fit(line, { epochs: 1, seed: 3 } as object)).rejects.toThrow("give ensemble() seeds");
      await expect(together.fit(line, {})).rejects.toThrow("give one of the two");
      await expect(together.weights(2)).rejects.toThrow("weights: there is no network 2; they are 0 to 1.");
    }));
});
