import { describe, expect, test, vi } from "vitest";
import { constant, DeviceError, grad, input, open, parameter, type Tensor } from "../../src/index";

/** w counts its steps: w <- w + x; `total` is the sum of w before the step. */
async function counting() {
  const [x, w] = [input([2]), parameter([2])];
  const device = await open({ backend: "cpu" });
  const session = await device.compile({
    inputs: { x },
    parameters: { w },
    outputs: { total: w.sum(), twice: w.mul(2) },
    updates: { w: w.add(x) },
  });
  return { device, session };
}
const ones = { x: [1, 1] };
const list = (values: Float32Array | undefined) => Array.from(values ?? []);

describe("a session on the CPU", () => {
  test("says what it runs on", async () => {
    const device = await open({ backend: "cpu" });
    expect(device.backend).toBe("cpu");
    expect(device.info.isFallback).toBe(true);
    expect(device.info.description).not.toBe("");
    device.close();
  });

  test("refuses a backend that does not exist", async () => {
    await expect(open({ backend: "cuda" as "cpu" })).rejects.toThrow(
      new TypeError('open: backend is cuda; it must be "auto", "webgpu" or "cpu"'),
    );
  });

  test("refuses options that are none, before it looks for a device", async () => {
    await expect(open("cpu" as never)).rejects.toThrow(
      'open: the options are "cpu"; they must be an object with backend, gpu, powerPreference, route, threads, tuning.',
    );
    await expect(open({ backnd: "cpu" } as never)).rejects.toThrow('open: there is no option "backnd"');
    await expect(open({ gpu: {} as GPU })).rejects.toThrow("open: gpu is a Object; it must be navigator.gpu");
    const device = await open({ backend: "cpu" });
    const w = parameter([1]);
    const program = { inputs: {}, parameters: { w }, outputs: {}, updates: { w: w.add(1) } };
    await expect(device.tune(program, { budgetMs: "9" as never })).rejects.toThrow('tune: budgetMs is "9"');
    await expect(device.tune(program, { signal: {} as AbortSignal })).rejects.toThrow("tune: signal is a Object");
    await expect(device.tune(program, { budget: 9 } as object)).rejects.toThrow('tune: there is no option "budget"');
  });

  test("runs steps and gives histories in float32", async () => {
    const { session } = await counting();
    const outputs = await session.run(ones, { steps: 5, every: 2 });
    expect(outputs.total).toBeInstanceOf(Float32Array);
    expect([list(outputs.total), list(outputs.twice)]).toEqual([
      [0, 4, 8],
      [8, 8],
    ]);
    expect(list(await session.read("w"))).toEqual([5, 5]);
    expect(list(await session.read("twice"))).toEqual([8, 8]);
  });

  test("keeps the order of calls that were not awaited", async () => {
    const { session } = await counting();
    const first = session.run(ones, { steps: 3 });
    session.write({ w: [10, 20] });
    const between = session.read("w");
    const second = session.run(ones, { steps: 2 });
    const last = session.read("w");
    expect(list((await first).total)).toEqual([0, 2, 4]);
    expect(list(await between)).toEqual([10, 20]);
    expect(list((await second).total)).toEqual([30, 32]);
    expect(list(await last)).toEqual([12, 22]);
  });

  test("takes copies: arrays may be changed while a call waits", async () => {
    const { session } = await counting();
    const x = new Float32Array([1, 1]);
    const w = new Float32Array([5, 5]);
    session.write({ w });
    const run = session.run({ x });
    x.fill(100);
    w.fill(100);
    await run;
    expect(list(await session.read("w"))).toEqual([6, 6]);
  });

  test("a call that was refused does not stop those behind it", async () => {
    const { session } = await counting();
    const refused = session.run({ x: [1] });
    const fine = session.run(ones);
    await expect(refused).rejects.toThrow('"x" has 1 values, its shape [2] needs 2');
    expect(list((await fine).total)).toEqual([0]);
  });

  test("tells progress, with scalar outputs, the last step always", async () => {
    const { session } = await counting();
    const told: { step: number; steps: number; outputs: Record<string, number> }[] = [];
    await session.run(ones, { steps: 10, onProgress: (progress) => told.push(progress) });
    expect(told[told.length - 1]).toEqual({ step: 10, steps: 10, outputs: { total: 18 } });
  });

  test("tells progress no more than 60 times a second", async () => {
    const { session } = await counting();
    const told: number[] = [];
    const start = performance.now();
    await session.run(ones, { steps: 60_000, onProgress: ({ step }) => told.push(step) });
    const seconds = (performance.now() - start) / 1000;
    expect(told.length).toBeLessThanOrEqual(Math.ceil(seconds * 60) + 1);
    expect(told).toEqual([...told].sort((a, b) => a - b));
  });

  test("stops at an abort with the signal's reason, parameters as of a whole step", async () => {
    const { session } = await counting();
    const abort = new AbortController();
    const reason = new Error("enough");
    const run = session.run(ones, {
      steps: 1e9,
      signal: abort.signal,
      onProgress: () => abort.abort(reason),
    });
    await expect(run).rejects.toBe(reason);
    const [a, b] = list(await session.read("w")) as [number, number];
    expect(a).toBeGreaterThan(0);
    expect(Number.isInteger(a) && a === b && a < 1e9).toBe(true);
    expect(list((await session.run(ones)).total)).toEqual([2 * a]);
  });

  test("does not start what was aborted before or while it waited", async () => {
    const { session } = await counting();
    await expect(session.run(ones, { signal: AbortSignal.abort(new Error("before")) })).rejects.toThrow("before");
    const abort = new AbortController();
    const first = session.run(ones, { steps: 5 });
    const waiting = session.run(ones, { steps: 5, signal: abort.signal });
    abort.abort(new Error("while waiting"));
    await expect(waiting).rejects.toThrow("while waiting");
    await first;
    expect(list(await session.read("w"))).toEqual([5, 5]);
  });

  test("verifies, before and after training, and changes nothing by it", async () => {
    const [x, y, w] = [input([8, 3]), input([8, 1]), parameter([3, 1])];
    const loss = x.matmul(w).tanh().sub(y).square().mean();
    const [dw] = grad(loss, [w]) as [Tensor];
    const device = await open({ backend: "cpu" });
    const session = await device.compile({
      inputs: { x, y },
      parameters: { w },
      outputs: { loss },
      updates: { w: w.sub(dw.mul(0.3)) },
    });
    const values = (length: number, scale: number) => Float32Array.from({ length }, (_, i) => Math.sin(i * scale));
    const data = { x: values(24, 1.7), y: values(8, 0.9) };
    session.write({ w: values(3, 2.3) });
    for (let round = 0; round < 5; round++) {
      const before = list(await session.read("w"));
      const report = await session.verify(data);
      expect(report.ok, String(report)).toBe(true);
      expect(report.rows.map(({ name }) => name)).toEqual(["loss", "w"]);
      expect(list(await session.read("w"))).toEqual(before);
      await session.run(data, { steps: 7 });
    }
  });

  test("verifies after steps that leave float32's grid, where rounding the state would be cancelled", async () => {
    const w = parameter([4]);
    const device = await open({ backend: "cpu" });
    const session = await device.compile({
      inputs: {},
      parameters: { w },
      outputs: { small: w.sub(constant([0.1], [1])) },
      updates: { w: w.add(0.1) },
    });
    await session.run({});
    const report = await session.verify({});
    expect(report.ok, String(report)).toBe(true);
  });

  test("profiles without changing a parameter", async () => {
    const { session } = await counting();
    const times = await session.profile(ones, 3);
    expect(times.length).toBeGreaterThan(0);
    for (const { kernel, nanoseconds } of times) {
      expect(kernel).not.toBe("");
      expect(nanoseconds === null || nanoseconds > 0).toBe(true);
    }
    expect(list(await session.read("w"))).toEqual([0, 0]);
  });

  test("explains which route it takes", async () => {
    expect((await counting()).session.explain()).toMatch(/cpu/);
  });
});

describe("misuse is refused, and changes nothing", () => {
  test("write", async () => {
    const { session } = await counting();
    session.write({ w: [1, 2] });
    expect(() => session.write({ v: [1] })).toThrow(TypeError);
    expect(() => session.write({ w: [1] })).toThrow('"w" has 1 values');
    expect(() => session.write({ w: [1, Number.NaN] })).toThrow(RangeError);
    expect(list(await session.read("w"))).toEqual([1, 2]);
  });

  test("run, profile and verify", async () => {
    const { session } = await counting();
    for (const call of ["run", "profile", "verify"] as const) {
      await expect(session[call]({})).rejects.toThrow(`${call}: "x" is missing`);
      await expect(session[call]({ x: [1, 2], z: [1] })).rejects.toThrow('there is no "z"');
      await expect(session[call]({ x: [1, Number.POSITIVE_INFINITY] })).rejects.toThrow("has Infinity at index 1");
    }
    await expect(session.run(ones, { steps: 0 })).rejects.toThrow("steps is 0");
    await expect(session.run(ones, { steps: Number.NaN })).rejects.toThrow("steps is NaN");
    await expect(session.run(ones, { every: 2.5 })).rejects.toThrow("every is 2.5");
    await expect(session.run(ones, { signal: {} as AbortSignal })).rejects.toThrow(
      "run: signal is a Object; it must be the signal of an AbortController.",
    );
    await expect(session.run(ones, { onProgress: 1 as never })).rejects.toThrow("run: onProgress is 1");
    await expect(session.run(ones, { step: 2 } as object)).rejects.toThrow('run: there is no option "step"');
    await expect(session.profile(ones, "2" as never)).rejects.toThrow('profile: steps is "2"');
    expect(list(await session.read("w"))).toEqual([0, 0]);
  });

  test("read", async () => {
    const { session } = await counting();
    await expect(session.read("v")).rejects.toThrow(
      new TypeError('read: there is no "v"; parameters and outputs are w, total, twice'),
    );
    await expect(session.read("x")).rejects.toThrow(TypeError);
    await expect(session.read("total")).rejects.toThrow("before the first run");
  });

  test("compile", async () => {
    const { device } = await counting();
    await expect(device.compile({ inputs: {}, parameters: {}, outputs: {} })).rejects.toThrow(TypeError);
    await expect(device.compile({ inputs: {}, parameters: {}, outputs: { y: input([1]) } })).rejects.toThrow(
      "is used but not named",
    );
  });

  test("the session keeps its own program", async () => {
    const w = parameter([1]);
    const device = await open({ backend: "cpu" });
    const program = { inputs: {}, parameters: { w }, outputs: {}, updates: { w: w.add(1) } };
    const session = await device.compile(program);
    program.updates.w = w.add(100);
    await session.run({});
    expect(list(await session.read("w"))).toEqual([1]);
  });
});

describe("the end of sessions and devices", () => {
  test("a disposed session refuses calls, also those that waited; to dispose twice is harmless", async () => {
    const { device, session } = await counting();
    const waiting = session.run(ones);
    session.dispose();
    session.dispose();
    await expect(waiting).rejects.toThrow(DeviceError);
    await expect(session.read("w")).rejects.toThrow("the session was disposed; compile the program again");
    expect(() => session.write({ w: [1, 2] })).toThrow(DeviceError);
    const w = parameter([1]);
    const other = await device.compile({ inputs: {}, parameters: { w }, outputs: { y: w.mul(2) } });
    expect(list((await other.run({})).y)).toEqual([0]);
  });

  test("memory is counted, and given back", async () => {
    const { device, session } = await counting();
    const { bytes, peakBytes, buffers } = device.memory();
    expect(bytes).toBeGreaterThan(0);
    expect(buffers).toBeGreaterThan(0);
    await session.run(ones, { steps: 100 });
    expect(device.memory()).toEqual({ bytes, peakBytes, buffers });
    session.dispose();
    session.dispose();
    expect(device.memory()).toEqual({ bytes: 0, peakBytes, buffers: 0 });
  });

  test("a closed device says so, disposes its sessions and resolves `lost`", async () => {
    const { device, session } = await counting();
    const lost = vi.fn();
    void device.lost.then(lost);
    device.close();
    await expect(session.run(ones)).rejects.toThrow(new DeviceError("the device was closed; open() gives a new one"));
    await expect(device.compile({ inputs: {}, parameters: {}, outputs: {} })).rejects.toThrow();
    const w = parameter([1]);
    await expect(device.compile({ inputs: {}, parameters: { w }, outputs: { w2: w.mul(2) } })).rejects.toThrow(
      DeviceError,
    );
    expect(() => session.write({ w: [1, 2] })).toThrow(DeviceError);
    expect(lost).toHaveBeenCalledWith({ reason: "destroyed", message: "close() was called" });
    expect(device.memory().bytes).toBe(0);
    device.close();
  });
});
