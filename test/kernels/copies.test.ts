import { describe, expect, test } from "vitest";
import { input, open, parameter, type Session, ShapeError } from "../../src/index";
import { ReferenceRunner } from "../../src/reference-runner";
import { Session as Made } from "../../src/session";
import { everything, expectBitsOfOneAlone, expectParity, OWN } from "../support/copies";

/** w <- w + x, where x is each copy's own; `total` is its sum before the step. */
function counting() {
  const [x, by, w] = [input([2]), input([2]), parameter([2])];
  return {
    inputs: { x, by },
    parameters: { w },
    outputs: { total: w.sum(), twice: w.mul(2) },
    updates: { w: w.add(x.mul(by)) },
  };
}

async function onCpu<T>(use: (compile: (copies?: number) => Promise<Session>) => Promise<T>): Promise<T> {
  const device = await open({ backend: "cpu" });
  try {
    return await use((copies) => device.compile(counting(), { ...(copies && { copies }), own: ["x"] }));
  } finally {
    device.close();
  }
}
const inputs = { x: [1, 1, 2, 2, 3, 3], by: [1, 10] };

describe("copies on the CPU", () => {
  test("have the bits of the program alone", async () => {
    const device = await open({ backend: "cpu" });
    await expectBitsOfOneAlone(device, 3);
    device.close();
  });

  test("are judged by float64, of many some", async () => {
    const device = await open({ backend: "cpu" });
    await expectParity(device, 3);
    await expectParity(device, 20);
    device.close();
  });

  test("give the history of copy 0, then of copy 1, and arrays one after another", () =>
    onCpu(async (compile) => {
      const session = await compile(3);
      session.write({ w: [0, 0, 100, 100, 200, 200] });
      const { total, twice } = await session.run(inputs, { steps: 3, every: 2 });
      expect([...(total ?? [])]).toEqual([0, 22, 200, 244, 400, 466]);
      expect([...(twice ?? [])]).toEqual([4, 40, 208, 280, 412, 520]);
      expect([...(await session.read("w"))]).toEqual([3, 30, 106, 160, 209, 290]);
      expect([...(await session.read("total"))]).toEqual([22, 244, 466]);
      expect(session.explain()).toContain("3 copies one after another");
      const [time] = await session.profile(inputs, 2);
      expect(time?.kernel).toBeDefined();
      expect([...(await session.read("w"))]).toEqual([3, 30, 106, 160, 209, 290]);
    }));

  test("are all at the same step when a run is stopped, and tell of the first", () =>
    onCpu(async (compile) => {
      const session = await compile(3);
      const abort = new AbortController();
      let told = Number.NaN;
      const onProgress = ({ outputs }: { outputs: Record<string, number> }) => {
        told = outputs.total as number;
        abort.abort(new Error("enough"));
      };
      await expect(session.run(inputs, { steps: 1e9, every: 1e6, signal: abort.signal, onProgress })).rejects.toThrow(
        "enough",
      );
      const [first = 0, , second, , third] = await session.read("w");
      expect(first).toBeGreaterThan(0);
      expect([second, third]).toEqual([2 * first, 3 * first]);
      expect(told).toBeLessThanOrEqual(11 * first);
    }));

  test("of one are the program as it is", () =>
    onCpu(async (compile) => {
      const session = await compile();
      expect(session.explain()).not.toContain("copies");
      const { total } = await session.run({ x: [1, 1], by: [1, 10] }, { steps: 2 });
      expect([...(total ?? [])]).toEqual([0, 11]);
    }));

  test("in plain JavaScript give the same", async () => {
    const program = { ...counting(), copies: { count: 3, own: new Set(["x"]), shared: new Set<string>() } };
    const session = new Made(program, new ReferenceRunner(program), { throwIfGone() {}, disposed() {} });
    session.write({ w: [0, 0, 100, 100, 200, 200] });
    const { total, twice } = await session.run(inputs, { steps: 3, every: 2 });
    expect([...(total ?? [])]).toEqual([0, 22, 200, 244, 400, 466]);
    expect([...(twice ?? [])]).toEqual([4, 40, 208, 280, 412, 520]);
    const { ok, copies } = await session.verify(inputs);
    expect([ok, copies]).toEqual([true, [0, 1, 2]]);
  });

  test("refuse arrays of another length, and say which they need", () =>
    onCpu(async (compile) => {
      const session = await compile(3);
      expect(() => session.write({ w: [1, 2] })).toThrow(
        new ShapeError('write: "w" has 2 values, its shape [2] and 3 copies, one after another, need 6'),
      );
      await expect(session.run({ ...inputs, x: [1, 1] })).rejects.toThrow(
        'run: "x" has 2 values, its shape [2] and 3 copies, one after another, need 6',
      );
      await expect(session.run({ ...inputs, by: inputs.x })).rejects.toThrow(
        'run: "by" has 6 values, its shape [2] needs 2',
      );
    }));

  test("are refused where their number or their own inputs are none", async () => {
    const device = await open({ backend: "cpu" });
    const compile = (options: object) => device.compile(everything(), options);
    await expect(compile({ copies: 0 })).rejects.toThrow(RangeError);
    await expect(compile({ copies: 1.5 })).rejects.toThrow(
      "compile: copies is 1.5; it must be an integer of at least 1",
    );
    await expect(compile({ copies: 2, own: "seed" })).rejects.toThrow('compile: own is "seed"; it must be a list');
    await expect(compile({ copies: 2, own: ["w"] })).rejects.toThrow(
      'compile: own has "w", which is no input; inputs are x, seed, rate, indices',
    );
    await expect(compile({ copy: 2, own: OWN })).rejects.toThrow('compile: there is no option "copy"');
    device.close();
  });
});
