import { afterEach, describe, expect, test, vi } from "vitest";
import { dense, input, moons, open, parameter, sequential, sgd, softmaxCrossEntropy, trainer } from "../../src/index";
import { ReferenceRunner } from "../../src/reference-runner";
import { StepsInSlice, Turns } from "../../src/util/event-loop";

afterEach(() => vi.restoreAllMocks());

describe("a slice", () => {
  test.each([0.0005, 0.3, 7, 19, 21, 55, 400])(
    "of steps of %s ms holds the event loop for 20 ms or one step",
    async (stepMs) => {
      let clock = 1000;
      const ends: number[] = [];
      const turns = new Turns(
        () => clock,
        async () => void ends.push(clock),
      );
      const slice = new StepsInSlice(turns);
      const runs = [1, 1, 1, 3, 1000, 2, 1]; // short ones too: the time is counted over all of them
      let steps = 0;
      for (const run of [...runs, ...runs]) {
        for (let done = 0; done < run; ) {
          await turns.given();
          const count = Math.min(slice.fitting, run - done);
          clock += count * stepMs;
          slice.took(count, count * stepMs);
          done += count;
          steps += count;
        }
      }
      const held = ends.map((end, i) => end - (ends[i - 1] ?? 1000));
      expect(Math.max(...held)).toBeLessThanOrEqual(stepMs >= 20 ? 1.001 * stepMs : 20 + stepMs);
      // Nor are there more turns than that.
      const wanted = Math.ceil((steps * stepMs) / Math.max(20, stepMs));
      expect(ends.length).toBeLessThanOrEqual(stepMs >= 20 ? steps : 2 * wanted + 1);
      if (stepMs >= 20) expect(ends.length).toBe(steps);
    },
  );
});

/** Never goes back: when the last turn was is remembered from one test to the next. */
let clock = 1e6;

/** How often the event loop came round during `work`, where each look at the clock finds it 30 ms later. */
async function turnsDuring(work: () => Promise<unknown>): Promise<number> {
  vi.spyOn(performance, "now").mockImplementation(() => {
    clock += 30;
    return clock;
  });
  let turns = 0;
  let over = false;
  const beat = () => {
    turns++;
    if (!over) setImmediate(beat);
  };
  setImmediate(beat);
  await work();
  over = true;
  return turns;
}

describe("where each step takes longer than a slice, the event loop gets a turn after every one", () => {
  const data = moons(12);
  const network = async () => {
    const device = await open({ backend: "cpu" });
    const net = await trainer(device, sequential(2, [dense(3), dense(2)]), {
      loss: softmaxCrossEntropy(),
      optimizer: sgd({ lr: 0.1 }),
    });
    // Compiled, so that what is counted are turns of the steps.
    await net.fit(data, { steps: 1 });
    await net.predict([0, 1]);
    return net;
  };

  test("in one run of many steps", async () => {
    const net = await network();
    expect(await turnsDuring(() => net.fit(data, { steps: 40 }))).toBeGreaterThanOrEqual(40);
  });

  test("in runs of one step, an epoch each", async () => {
    const net = await network();
    expect(await turnsDuring(() => net.fit(data, { epochs: 40, onEpoch: () => {} }))).toBeGreaterThanOrEqual(40);
  });

  test("in predictions one after another", async () => {
    const net = await network();
    const predictions = async () => {
      for (let i = 0; i < 40; i++) await net.predict([0, 1]);
    };
    expect(await turnsDuring(predictions)).toBeGreaterThanOrEqual(40);
  });

  test("and where there is no WebAssembly", async () => {
    const w = parameter([1]);
    const runner = new ReferenceRunner({
      inputs: { x: input([1]) },
      parameters: { w },
      outputs: {},
      updates: { w: w.add(1) },
    });
    const runs = () => runner.run({ x: Float32Array.of(0) }, { steps: 40, every: 1 });
    expect(await turnsDuring(runs)).toBeGreaterThanOrEqual(40);
  });
});
