import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { adam, type Device, dense, open, sequential, softmaxCrossEntropy, trainer } from "../../src/index";
import { resultsCsv, type SweepOptions, type SweepResults, sweep } from "../../src/sweep/index";
import { checkTrial } from "../../src/sweep/trial";
import { trainWork, type Work, type WorkOptions } from "../../src/sweep/work";
import { data, held } from "../support/ensembles";

let device: Device;
/** How many copies each program was compiled for, in order. */
const compiled: number[] = [];
beforeAll(async () => {
  const own = await open({ backend: "cpu" });
  device = Object.create(own, {
    compile: {
      value: (...[program, options]: Parameters<Device["compile"]>) => {
        compiled.push(options?.copies ?? 1);
        return own.compile(program, options);
      },
    },
    close: { value: () => own.close() },
  });
});
afterAll(() => device.close());

const trial = {
  layers: [
    { name: "dense", units: "$width", activation: "tanh" },
    { name: "dense", units: "$outputs" },
  ],
  loss: "softmaxCrossEntropy",
  optimizer: { name: "adam", lr: "$lr" },
  ...{ batchSize: 8, epochs: 6, seed: "$seed" },
};
const space = { width: [2, 4], lr: [0.03, 0.1], seed: [5, 6] };
const options = (more: Partial<SweepOptions> = {}): SweepOptions => ({
  ...{ device, data, validation: held, inputs: 2, outputs: 3, space, trial },
  ...more,
});
/** By id, without what a description says again. */
const byId = ({ trials }: SweepResults) =>
  [...trials].sort((a, b) => a.id - b.id).map(({ trial: _, ...figures }) => figures);

describe("a sweep", () => {
  test("of a grid ranks what its trainers alone come to, trained side by side where they are of one shape", async () => {
    compiled.length = 0;
    const results = await sweep(options());
    expect(Math.max(...compiled)).toBe(4); // two widths, of four trials each
    expect(results.trials.map(({ status }) => status)).toEqual(Array(8).fill("done"));
    for (const { id, point, loss, validationLoss, validationAccuracy } of results.trials.filter(
      (_, i) => i % 3 === 0,
    )) {
      const { width, lr, seed } = point as Record<string, number>;
      const layers = [dense(width as number, { activation: "tanh" }), dense(3)];
      const model = sequential(2, layers, { seed: seed as number });
      const net = await trainer(device, model, {
        ...{ loss: softmaxCrossEntropy(), optimizer: adam({ lr: lr as number }), batchSize: 8 },
      });
      await net.fit(data, { epochs: 6, seed: seed as number });
      expect((await net.evaluate(data)).loss, `trial ${id}`).toBe(loss);
      expect(await net.evaluate(held)).toEqual({ loss: validationLoss, accuracy: validationAccuracy });
      net.dispose();
    }
    const losses = results.trials.map(({ validationLoss }) => validationLoss as number);
    expect(losses).toEqual([...losses].sort((a, b) => a - b));

    const [head, first, ...others] = resultsCsv(results).split("\n");
    expect(head).toBe("rank,id,status,width,lr,seed,epochs,loss,accuracy,validationLoss,validationAccuracy,reason");
    const [best] = results.trials;
    const { width, lr, seed } = best?.point ?? {};
    expect(first).toBe(
      `1,${best?.id},done,${width},${lr},${seed},6,${best?.loss},${best?.accuracy},${best?.validationLoss},${best?.validationAccuracy},`,
    );
    expect(others).toHaveLength(7);
  });

  test("goes on where it was stopped, and trains and counts nothing twice", async () => {
    const few = { together: 1, space: { ...space, lr: [0.1] } };
    const whole = await sweep(options(few));
    const store = new Map<string, Uint8Array>();
    const stop = new AbortController();
    const cut = sweep(
      options({
        ...{ ...few, store, signal: stop.signal },
        onProgress: ({ ended }) => ended === 2 && stop.abort(new Error("enough")),
      }),
    );
    await expect(cut).rejects.toThrow("enough");
    compiled.length = 0;
    const begun: number[] = [];
    const again = await sweep(options({ ...few, store, onProgress: ({ ended }) => begun.push(ended) }));
    expect([begun[0], begun.at(-1)]).toEqual([2, 4]);
    expect(byId(again)).toEqual(byId(whole));
    const compiledForTwo = compiled.length;

    compiled.length = 0;
    expect(await sweep(options({ ...few, store }))).toEqual(again);
    expect([compiled.length, compiledForTwo > 0]).toEqual([0, true]);
    expect([...store.keys()]).toEqual(["state"]); // no checkpoint is kept of what has ended

    const other = sweep(options({ store, space: { ...space, lr: [0.2] } }));
    await expect(other).rejects.toThrow(
      'the store\'s state is that of another sweep: of other trials, data, or another strategy; give another store, or delete its "state"',
    );
    await expect(sweep(options({ ...few, store, data: held }))).rejects.toThrow("that of another sweep");
    await expect(sweep(options({ store: new Map([["state", new Uint8Array(3)]]) }))).rejects.toThrow("is no JSON");
  });

  test("by halving goes on with the best alone, each to the bits of its whole training", async () => {
    const grid = await sweep(options());
    const halved = await sweep(options({ strategy: { name: "halving", epochs: 2, factor: 2 } }));
    expect(halved.trials.map(({ status, epochs }) => `${status} ${epochs}`)).toEqual([
      ...["done 6", "done 6", "stopped 4", "stopped 4"],
      ...Array(4).fill("stopped 2"),
    ]);
    for (const { id, loss } of halved.trials.slice(0, 2)) expect(byId(grid)[id]?.loss).toBe(loss);
    const atTwo = await sweep(options({ trial: { ...trial, epochs: 2 } }));
    expect(halved.trials.slice(4).map(({ id }) => id)).toEqual(atTwo.trials.slice(4).map(({ id }) => id));
  });

  test("has the reason of what fails in its table, and goes on with the rest", async () => {
    const results = await sweep(
      options({
        space: { lr: [1e30, 0.1], classes: [3, 2] },
        // Data of three classes are none for a network of two.
        trial: ({ lr, classes }) => ({
          layers: [
            { name: "dense", units: 3, activation: "relu" },
            { name: "dense", units: classes as number },
          ],
          loss: "softmaxCrossEntropy",
          optimizer: { name: "sgd", lr: lr as number },
          epochs: 3,
        }),
      }),
    );
    expect(results.trials.map(({ id, status }) => `${id} ${status}`)).toEqual([
      "2 done",
      "0 failed",
      "1 failed",
      "3 failed",
    ]);
    const [, large = "", ...wrong] = results.trials.map(({ reason }) => reason ?? "");
    expect(large).toBe("the loss became non-finite at step 1; try a smaller learning rate.");
    for (const reason of wrong) expect(reason).toMatch(/fit: .* class/);
    expect(resultsCsv(results).split("\n")[2]).toBe(`2,0,failed,1e+30,3,0,,,,,${large}`);
  });

  test("is refused before anything is trained, with the path", async () => {
    compiled.length = 0;
    const refused = (more: object, message: string) => expect(sweep(options(more))).rejects.toThrow(message);
    await refused({ trial: { ...trial, loss: "mse" } }, 'trial.loss.name is "mse"; it must be one of squaredError');
    await refused({ trial: { ...trial, epochs: "$n" } }, 'trial.epochs is "$n", and there is no such value here');
    await refused({ by: "validationLoss", validation: undefined }, 'by is "validationLoss", and nothing is held back');
    await refused(
      { by: "accuracy", trial: { ...trial, loss: "squaredError" } },
      'by is "accuracy", which only softmaxCrossEntropy',
    );
    await refused({ inputs: undefined }, "trial.inputs is not given");
    await refused({ outputs: undefined }, 'trial.layers[1].units is "$outputs"');
    await refused({ rate: 1 }, 'sweep: there is no option "rate"');
    await refused({ data: {} }, "sweep: data.x is undefined");
    expect(compiled).toEqual([]);
  });
});

describe("works", () => {
  const described = { ...trial, inputs: 2, layers: [{ name: "dense", units: 3 }], epochs: 40 };
  const work = (seeds: readonly number[], more: object = {}, epochs = 40): Work => ({
    epochs,
    trials: seeds.map((seed, id) => {
      const optimizer = { name: "adam", lr: 0.1 / (id + 1) };
      return { id, trial: checkTrial("trial", { ...described, seed, optimizer, epochs, ...more }).trial };
    }),
  });
  const sets = { data, validation: held };

  /** What was kept of a work that was stopped. */
  async function cut(given: Work) {
    const stop = new AbortController();
    const kept = new Map<number, Uint8Array>();
    const options: WorkOptions = {
      ...{ everySeconds: 0, signal: stop.signal },
      checkpointed(all) {
        for (const [id, file] of all) kept.set(id, file);
        stop.abort(new Error("stopped"));
      },
    };
    await expect(trainWork(device, sets, given, options)).rejects.toThrow("stopped");
    return kept;
  }

  test.each<[string, readonly number[], object, number]>([
    // Of one trial a checkpoint is taken while it goes on: it is to go on for some time.
    ["of one trial", [3], { clipNorm: 0.5 }, 1500],
    ["of trials side by side", [3, 4, 5], {}, 40],
  ])("%s go on from their checkpoints, with the bits of an undisturbed run", async (_, seeds, more, epochs) => {
    const given = work(seeds, more, epochs);
    const undisturbed = await trainWork(device, sets, given, {});
    const kept = await cut(given);
    expect([...kept.keys()]).toEqual(seeds.map((_, id) => id));
    const from: number[] = [];
    const checkpoints = kept;
    expect(await trainWork(device, sets, given, { checkpoints, progress: (epochs) => from.push(epochs) })).toEqual(
      undisturbed,
    );
    expect(from[0]).toBeGreaterThan(0.5);
    // What does not fit is passed over: a broken file, and that of another network.
    const [first = new Uint8Array()] = kept.values();
    for (const file of [first.slice(0, -8), new Uint8Array(9)])
      expect(await trainWork(device, sets, given, { checkpoints: new Map(seeds.map((_, id) => [id, file])) })).toEqual(
        undisturbed,
      );
  });

  test("of different shapes, and what cannot be together, are trained one after another", async () => {
    const [a, b] = [work([1]), work([2], { clipNorm: 1 })];
    const both = { epochs: 40, trials: [...a.trials, ...b.trials.map((each) => ({ ...each, id: 1 }))] };
    const [first] = await trainWork(device, sets, a, {});
    const [second] = await trainWork(device, sets, b, {});
    expect(await trainWork(device, sets, both, {})).toEqual([first, { ...second, id: 1 }]);
  });

  test("reject with what their keeping of checkpoints rejects with: that is no trial's fault", async () => {
    const checkpointed = () => Promise.reject(new Error("disk full"));
    for (const seeds of [[1], [1, 2]])
      await expect(trainWork(device, sets, work(seeds), { checkpointed, everySeconds: 0 })).rejects.toThrow(
        "disk full",
      );
  });
});
