import { describe, expect, test } from "vitest";
import { grad, input, open, type Program, parameter } from "../../src/index";
import { normal } from "../graph/numbers";
import { compiled } from "./wasm";

/** w counts its steps; `total` is its sum before the step, `twice` no scalar. */
function counting(): Program {
  const [x, w] = [input([3]), parameter([3])];
  return {
    inputs: { x },
    parameters: { w },
    outputs: { total: w.sum(), first: w.max(), twice: w.mul(2) },
    updates: { w: w.add(x) },
  };
}
const ones = { x: [1, 1, 1] };

describe("a run", () => {
  test("longer than the history has room for gives every value, in its place", async () => {
    const { session } = await compiled(counting());
    const steps = 100_001;
    const { total, first, twice } = await session.run(ones, { steps });
    expect(total?.length).toBe(steps);
    expect(first?.every((value, step) => value === step)).toBe(true);
    expect(total?.every((value, step) => value === 3 * step)).toBe(true);
    expect([...(twice ?? [])]).toEqual([2 * steps - 2, 2 * steps - 2, 2 * steps - 2]);
    const sparse = await session.run(ones, { steps, every: 777 });
    expect(sparse.first?.length).toBe(Math.ceil(steps / 777));
    expect(sparse.first?.every((value, i) => value === steps + 777 * i)).toBe(true);
    expect([...(await session.read("first"))]).toEqual([2 * steps - 1]);
  });

  test("lets others have their turn, tells its progress and can be stopped", async () => {
    const { session } = await compiled(counting());
    await session.run(ones, { steps: 1000 });
    const told: number[] = [];
    const abort = new AbortController();
    let turns = 0;
    const beat = setInterval(() => {
      if (++turns > 20 && told.length > 1) abort.abort(new Error("enough"));
    });
    const run = session.run(ones, {
      steps: 1e9,
      every: 1e6,
      signal: abort.signal,
      onProgress: ({ step }) => told.push(step),
    });
    await expect(run).rejects.toThrow("enough");
    clearInterval(beat);
    expect(told.length).toBeGreaterThan(1);
    const [a, b, c] = await session.read("w");
    expect(Number.isInteger(a) && a === b && b === c).toBe(true);
  });

  test("gives the same bits again", async () => {
    const x = input([32, 7]);
    const w = parameter([7, 5]);
    const loss = x.matmul(w).tanh().square().sum();
    const [gradient] = grad(loss, [w]);
    const program = {
      inputs: { x },
      parameters: { w },
      outputs: { loss },
      updates: { w: w.sub(gradient?.mul(0.01) ?? 0) },
    };
    const once = async () => {
      const { session } = await compiled(program);
      session.write({ w: normal(35, 2) });
      const { loss } = await session.run({ x: normal(224, 1) }, { steps: 300 });
      return [...(loss ?? []), ...(await session.read("w"))];
    };
    expect(await once()).toEqual(await once());
  });

  test("of a disposed session rejects, and its memory is gone", async () => {
    const device = await open({ backend: "cpu" });
    const session = await device.compile(counting());
    const { bytes, buffers } = device.memory();
    expect(bytes).toBeGreaterThan(0);
    expect(buffers).toBeGreaterThan(3);
    const run = session.run(ones, { steps: 1e9, every: 1e6 });
    setTimeout(() => session.dispose(), 50);
    await expect(run).rejects.toThrow("the session was disposed during the call");
    expect(device.memory()).toEqual({ bytes: 0, peakBytes: bytes, buffers: 0 });
    device.close();
  });
});

describe("a session", () => {
  test("changes nothing in verify() and profile()", async () => {
    const { session } = await compiled(counting());
    session.write({ w: [1, 2, 3] });
    await session.run(ones);
    expect((await session.verify({ x: [5, 5, 5] })).ok).toBe(true);
    const times = await session.profile({ x: [7, 7, 7] }, 3);
    expect([...(await session.read("w"))]).toEqual([2, 3, 4]);
    expect([...(await session.read("twice"))]).toEqual([2, 4, 6]);
    expect(times.length).toBeGreaterThan(0);
    for (const { nanoseconds } of times) expect(nanoseconds).toBeGreaterThanOrEqual(0);
  });

  test("explains its route, kernels and memory; equal programs have equal names", async () => {
    const { session } = await compiled(counting());
    const text = session.explain();
    expect(text).toMatch(/route: cpu, wasm simd, float32/);
    expect(text).toMatch(/total of the step/);
    expect(text).toMatch(/parameter +w +3 float32, 12 B/);
    const other = (await compiled(counting())).session.explain();
    expect(other.split("\n")[0]).toBe(text.split("\n")[0]);
  });

  test("shares memory among values that never live at the same time", async () => {
    const sizes = async (depth: number) => {
      let x = input([64, 64]);
      const start = x;
      for (let i = 0; i < depth; i++) x = x.matmul(start).softmax();
      const { runner } = await compiled({ inputs: { x: start }, parameters: {}, outputs: { x } });
      return runner.sizeBytes;
    };
    expect(await sizes(30)).toBe(await sizes(3));
  });

  test("takes programs without scalars, without updates, with one value as two outputs and as an update", async () => {
    const [x, p, q] = [input([5]), parameter([5]), parameter([5])];
    const next = p.add(x);
    const { session } = await compiled({
      inputs: { x },
      parameters: { p, q },
      outputs: { one: next, other: next, old: p },
      updates: { p: next, q: next },
    });
    session.write({ p: [1, 2, 3, 4, 5] });
    const { one, other, old } = await session.run({ x: [1, 1, 1, 1, 1] }, { steps: 2 });
    expect([one, other, old].map((values) => [...(values ?? [])])).toEqual([
      [3, 4, 5, 6, 7],
      [3, 4, 5, 6, 7],
      [2, 3, 4, 5, 6],
    ]);
    session.write({ p: [0, 0, 0, 0, 0] });
    // An output is as of the last step, whatever is written to the parameter that it became.
    expect([...(await session.read("one"))]).toEqual([3, 4, 5, 6, 7]);
    expect([...(await session.read("q"))]).toEqual([3, 4, 5, 6, 7]);
  });

  test("too large for WebAssembly is refused with both numbers", async () => {
    const x = input([40_000, 1]);
    const big = x.matmul(x.T);
    const program = { inputs: { x }, parameters: {}, outputs: { big } };
    await expect(compiled(program)).rejects.toThrow(/needs 64\d{8} bytes, WebAssembly addresses at most 4294901760/);
  });
});
