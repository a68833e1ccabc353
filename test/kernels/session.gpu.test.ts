import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Device, DeviceError, input, open, type Program, parameter } from "../../src/index";
import { Session } from "../../src/session";
import { WebGpuBackend } from "../../src/webgpu/adapter";
import { classifier } from "../plan/programs";

/** Counts its steps, and moves a vector by the input each step: `count` and `sum` tell whether steps were whole. */
function counter(): Program {
  const by = input([50]);
  const count = parameter([]);
  const sum = parameter([50]);
  const updates = { count: count.add(1), sum: sum.add(by) };
  return {
    inputs: { by },
    parameters: { count, sum },
    outputs: { now: count.mul(1), total: sum.sum(), sum2: sum.mul(2) },
    updates,
  };
}
const ones = new Float32Array(50).fill(1);

describe.each(["recorded", "persistent"] as const)("a session whose route is %s", (route) => {
  let device: Device;
  beforeAll(async () => {
    device = await open({ backend: "webgpu", route });
  });
  afterAll(() => device.close());

  async function withCounter(use: (session: Session) => Promise<void>): Promise<void> {
    const session = await device.compile(counter());
    try {
      expect(session.explain()).toContain(route);
      await use(session);
    } finally {
      session.dispose();
    }
    expect(device.memory()).toMatchObject({ bytes: 0, buffers: 0 });
  }

  test("gives scalar outputs as their history, others as of the last step", () =>
    withCounter(async (session) => {
      const { now, total, sum2 } = await session.run({ by: ones }, { steps: 5 });
      expect([...(now as Float32Array)]).toEqual([0, 1, 2, 3, 4]);
      expect([...(total as Float32Array)]).toEqual([0, 50, 100, 150, 200]);
      expect((sum2 as Float32Array)[49]).toBe(8);
      expect(await session.read("now")).toEqual(Float32Array.of(4));
      expect((await session.read("sum"))[0]).toBe(5);
    }));

  test("gives one value every `every` steps, the first included, over many submissions", () =>
    withCounter(async (session) => {
      const { now } = await session.run({ by: ones }, { steps: 5001, every: 500 });
      expect([...(now as Float32Array)]).toEqual([0, 500, 1000, 1500, 2000, 2500, 3000, 3500, 4000, 4500, 5000]);
      const every = await session.run({ by: ones }, { steps: 2500 });
      expect(every.now?.every((value, i) => value === 5001 + i)).toBe(true);
    }));

  test("leaves the device's memory as it was over 1,000 runs", () =>
    withCounter(async (session) => {
      await session.run({ by: ones });
      const before = device.memory();
      for (let i = 0; i < 1000; i++) await session.run({ by: ones }, { steps: 2 });
      expect(device.memory()).toEqual(before);
      expect(await session.read("count")).toEqual(Float32Array.of(2001));
    }));

  test("runs calls in their order, writes among them", () =>
    withCounter(async (session) => {
      const first = session.run({ by: ones }, { steps: 3 });
      session.write({ count: [100] });
      const second = session.run({ by: ones }, { steps: 2 });
      const value = session.read("count");
      expect([...((await first).now as Float32Array)]).toEqual([0, 1, 2]);
      expect([...((await second).now as Float32Array)]).toEqual([100, 101]);
      expect(await value).toEqual(Float32Array.of(102));
    }));

  test("stops at a whole step when it is aborted, and goes on after it", () =>
    withCounter(async (session) => {
      const controller = new AbortController();
      const reason = new Error("enough");
      const run = session.run(
        { by: ones },
        { steps: 10_000_000, every: 1000, signal: controller.signal, onProgress: () => controller.abort(reason) },
      );
      await expect(run).rejects.toBe(reason);
      const [count, sum] = [await session.read("count"), await session.read("sum")];
      expect(count[0]).toBeGreaterThan(0);
      expect(sum.every((value) => value === count[0])).toBe(true);
      session.write({ count: [0] });
      expect((await session.run({ by: ones })).now).toEqual(Float32Array.of(0));
    }));

  test("tells its progress, rising, at most 60 times a second, to the last step", () =>
    withCounter(async (session) => {
      const told: { step: number; now: number }[] = [];
      const start = performance.now();
      await session.run(
        { by: ones },
        {
          steps: 20_000,
          every: 100,
          onProgress: ({ step, outputs }) => told.push({ step, now: outputs.now as number }),
        },
      );
      expect(told[told.length - 1]).toMatchObject({ step: 20_000, now: 19_999 });
      for (let i = 1; i < told.length; i++) expect(told[i]?.step).toBeGreaterThan(told[i - 1]?.step as number);
      // However slow the machine: what is told late was timed before.
      const seconds = (performance.now() - start) / 1000;
      expect(told.length).toBeLessThanOrEqual(Math.ceil(seconds * 60) + 1);
    }));

  test("refuses what does not fit, and nothing is changed by it", () =>
    withCounter(async (session) => {
      await session.run({ by: ones }, { steps: 7 });
      expect(() => session.write({ count: [1], sum: [1] })).toThrow(/sum.*1 values.*50/);
      expect(() => session.write({ count: [Number.NaN] })).toThrow(/NaN at index 0/);
      expect(() => session.write({ wrong: [1] })).toThrow(/no "wrong"/);
      await expect(session.run({})).rejects.toThrow(/"by" is missing/);
      await expect(session.run({ by: ones.slice(1) })).rejects.toThrow(/49 values/);
      await expect(session.run({ by: ones }, { steps: 0 })).rejects.toThrow(RangeError);
      await expect(session.read("wrong")).rejects.toThrow(/no "wrong"/);
      expect(await session.read("count")).toEqual(Float32Array.of(7));
    }));

  test("verifies without changing parameters or outputs", () =>
    withCounter(async (session) => {
      await session.run({ by: ones }, { steps: 3 });
      expect((await session.verify({ by: ones })).ok).toBe(true);
      expect(await session.read("count")).toEqual(Float32Array.of(3));
      expect((await session.read("sum2"))[0]).toBe(4);
      const times = await session.profile({ by: ones }, 2);
      expect(times.length).toBeGreaterThan(0);
      for (const { nanoseconds } of times) expect(nanoseconds === null || nanoseconds >= 0).toBe(true);
      expect(await session.read("count")).toEqual(Float32Array.of(3));
    }));

  test("keeps a sum that the step needs apart from what others still read", async () => {
    const x = input([2, 2]);
    const w = parameter([2, 1]);
    const b = parameter([1]);
    const d = x.matmul(w).tanh();
    // The sum is ended before the product with d, and read in memory only after it.
    const sum = d.sum(0);
    const updates = { w: w.sub(x.T.matmul(d)), b: b.sub(sum) };
    const outputs = { sum: sum.reshape([1, 1]), last: x.T.matmul(d).T };
    const session = await device.compile({ inputs: { x }, parameters: { w, b }, outputs, updates });
    session.write({ w: [0.5, -0.25] });
    const report = await session.verify({ x: [0.1, 0.7, -0.4, 0.3] });
    expect(report.ok, String(report)).toBe(true);
    session.dispose();
  });

  test("keeps an output that is an update too when the parameter is written", async () => {
    const w = parameter([5]);
    const next = w.add(1);
    const session = await device.compile({ inputs: {}, parameters: { w }, outputs: { next }, updates: { w: next } });
    await session.run({}, { steps: 3 });
    session.write({ w: [9, 9, 9, 9, 9] });
    expect((await session.read("next"))[4]).toBe(3);
    expect((await session.read("w"))[4]).toBe(9);
    session.dispose();
  });

  test("disposed in the middle of a run, rejects what is queued and frees everything", async () => {
    const session = await device.compile(counter());
    const run = session.run({ by: ones }, { steps: 100_000, every: 1000 });
    const queued = session.read("count");
    session.dispose();
    await expect(queued).rejects.toBeInstanceOf(DeviceError);
    await run.catch((error: unknown) => expect(error).toBeInstanceOf(DeviceError));
    await expect(session.run({ by: ones })).rejects.toThrow(/disposed/);
    expect(device.memory()).toMatchObject({ bytes: 0, buffers: 0 });
  });

  test("gives the same bits for the same start", async () => {
    const program = classifier(60, 4, 8, 3);
    const start = Object.fromEntries(
      Object.entries(program.parameters).map(([name, { shape }]) => [
        name,
        Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i + name.length)),
      ]),
    );
    const inputs = {
      x: Float32Array.from({ length: 240 }, (_, i) => Math.cos(i * 1.7)),
      labels: Int32Array.from({ length: 60 }, (_, i) => i % 3),
    };
    const losses: Float32Array[] = [];
    for (let i = 0; i < 2; i++) {
      const session = await device.compile(program);
      session.write(start);
      losses.push((await session.run(inputs, { steps: 300 })).loss as Float32Array);
      session.dispose();
    }
    expect(losses[0]).toEqual(losses[1]);
  });
});

describe("a device", () => {
  test("that was closed rejects with DeviceError, runs under way too", async () => {
    const device = await open({ backend: "webgpu" });
    const session = await device.compile(counter());
    const run = session.run({ by: ones }, { steps: 1_000_000, every: 1000 });
    const lost = device.lost;
    setTimeout(() => device.close(), 50);
    await expect(run).rejects.toBeInstanceOf(DeviceError);
    expect((await lost).reason).toBe("destroyed");
    await expect(session.run({ by: ones })).rejects.toThrow(DeviceError);
    await expect(device.compile(counter())).rejects.toThrow(/closed/);
  });

  test("tells an error that no call was waiting for on the next call", async () => {
    const adapter = await navigator.gpu.requestAdapter();
    const gpu = (await adapter?.requestDevice()) as GPUDevice;
    const backend = new WebGpuBackend(gpu, adapter?.info as GPUAdapterInfo);
    const session = new Session(counter(), await backend.compile(counter()), { throwIfGone() {}, disposed() {} });
    const told = new Promise((resolve) => gpu.addEventListener("uncapturederror", resolve, { once: true }));
    gpu.onuncapturederror = null; // this one is meant
    gpu.createBuffer({ label: "a broken buffer", size: 4, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.STORAGE });
    await gpu.queue.onSubmittedWorkDone(); // what was called may wait in the browser until something is asked of it
    await told;
    await expect(session.run({ by: ones })).rejects.toThrow(/reported an error.*a broken buffer/s);
    await session.run({ by: ones });
    backend.close();
  });

  test("refuses what no buffer of it can hold, with both numbers", async () => {
    const device = await open({ backend: "webgpu" });
    const x = parameter([2 ** 16, 2 ** 14]);
    await expect(device.compile({ inputs: {}, parameters: { x }, outputs: { y: x.mul(2) } })).rejects.toThrow(
      /4294967296 bytes.*at most \d+/,
    );
    expect(device.memory()).toMatchObject({ bytes: 0, buffers: 0 });
    device.close();
  });
});

test('"auto" takes what runs faster here, and says which', async () => {
  const device = await open();
  const webgpu = await open({ backend: "webgpu" });
  expect(["webgpu", "cpu"]).toContain(device.backend);
  // On a GPU there is nothing to choose; a software adapter is measured against the CPU, and the loser holds nothing.
  if (!webgpu.info.isFallback) expect(device.backend).toBe("webgpu");
  expect(device.memory()).toMatchObject({ bytes: 0, buffers: 0 });
  const session = await device.compile(counter());
  expect((await session.run({ by: ones }, { steps: 3 })).now).toEqual(Float32Array.of(0, 1, 2));
  device.close();
  webgpu.close();
});

test("a sum to one number that the step itself needs is computed, though nothing else reduces along rows", async () => {
  const device = await open({ backend: "webgpu", route: "recorded", tuning: null });
  try {
    const [x, w] = [input([50]), parameter([])];
    const session = await device.compile({
      inputs: { x },
      parameters: { w },
      outputs: {},
      updates: { w: w.add(x.sum()) },
    });
    expect(session.explain()).toMatch(/^ {2}1 {2}rows /m);
    await session.run({ x: ones }, { steps: 3 });
    expect(await session.read("w")).toEqual(Float32Array.of(150));
  } finally {
    device.close();
  }
});
