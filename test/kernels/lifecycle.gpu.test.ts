import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  type Device,
  DeviceError,
  dense,
  input,
  moons,
  open,
  type Program,
  parameter,
  sequential,
  sgd,
  softmaxCrossEntropy,
  type TuningStore,
  trainer,
} from "../../src/index";
import { Session } from "../../src/session";
import { WebGpuBackend } from "../../src/webgpu/adapter";
import { descent } from "../plan/programs";

afterEach(() => vi.restoreAllMocks());

/** A product with its update, too large for one workgroup. */
function program(size = 64): Program {
  const [x, w] = [input([size, size]), parameter([size, size])];
  const loss = x.matmul(w).square().mean();
  return { inputs: { x }, parameters: { w }, outputs: { loss }, updates: descent(loss, { w }, 0.1) };
}
const inputs = { x: new Float32Array(64 * 64).fill(0.1) };
const holdsNothing = { bytes: 0, buffers: 0 };
const later = (timeMs: number) => new Promise((resolve) => setTimeout(resolve, timeMs));

/** The device of this machine, and what stands on it, as `open` makes them. */
async function opened(tuning: TuningStore | null = null) {
  const adapter = await navigator.gpu.requestAdapter();
  if (adapter === null) throw new Error("there is no WebGPU adapter");
  const gpu = await adapter.requestDevice();
  const backend = new WebGpuBackend(gpu, adapter.info, {}, tuning);
  const owner = { throwIfGone: () => backend.throwIfGone(), disposed() {} };
  const compile = async (program: Program) => new Session(program, await backend.compile(program), owner);
  return { gpu, backend, compile };
}

function countingStore(): TuningStore & { written: number } {
  const store = { written: 0, read: async () => null, write: async () => void store.written++ };
  return store;
}

describe("a tuner", () => {
  test.each([1, 2, 5, 9])("whose device is closed after measurement %i says so and keeps nothing", async (at) => {
    const tuning = countingStore();
    const device = await open({ backend: "webgpu", tuning });
    let measured = 0;
    // Not in the callback itself: in the middle of what is measured then.
    const onProgress = () => {
      if (++measured === at) queueMicrotask(() => setTimeout(() => device.close()));
    };
    await expect(device.tune(program(), { onProgress })).rejects.toThrow(
      new DeviceError("the device was closed; open() gives a new one"),
    );
    await later(50);
    expect(tuning.written).toBe(0);
    expect(device.memory()).toMatchObject(holdsNothing);
  });

  test.each([1, 4])("whose device is lost after measurement %i says so and keeps nothing", async (at) => {
    const tuning = countingStore();
    const { gpu, backend } = await opened(tuning);
    let measured = 0;
    const onProgress = () => {
      if (++measured === at) setTimeout(() => gpu.destroy());
    };
    await expect(backend.tune(program(), { onProgress })).rejects.toThrow(/^the device is gone .*open\(\) a new one/s);
    expect(tuning.written).toBe(0);
    expect(backend.memory()).toMatchObject(holdsNothing);
  });

  test("believes no time of work that the device did not do", async () => {
    const tuning = countingStore();
    const { gpu, backend } = await opened(tuning);
    let measured = 0;
    const { queue } = gpu;
    const submit = queue.submit.bind(queue);
    queue.submit = (commands) => {
      if (measured < 2) submit(commands);
    };
    const tuned = backend.tune(program(), { onProgress: () => measured++ });
    await expect(tuned).rejects.toThrow(/tune: the device did not do what it was given/);
    await expect(tuned).rejects.toBeInstanceOf(DeviceError);
    expect(tuning.written).toBe(0);
    expect(backend.memory()).toMatchObject(holdsNothing);
    backend.close();
  });

  test.each<[string, unknown, boolean]>([
    ["nothing", undefined, false],
    ["a number", 5, true],
    ["an object", { toString: () => "{}" }, true],
    ["a list", [], true],
  ])("whose store reads %s goes on", async (_, read, ignored) => {
    const { backend } = await opened({ read: () => read as Promise<string>, write: async () => {} });
    (await backend.compile(program())).dispose();
    expect(await backend.tune(program(), { budgetMs: 1 })).toMatchObject({ ignored, kept: true });
    backend.close();
  });

  test("whose store never ends to write is done, and the next one too", async () => {
    const device = await open({
      backend: "webgpu",
      tuning: { read: async () => null, write: () => new Promise(() => {}) },
    });
    expect(await device.tune(program(), { budgetMs: 1 })).toMatchObject({ kept: false });
    expect(await device.tune(program(), { budgetMs: 1 })).toMatchObject({ kept: false });
    device.close();
  });

  test("whose database was made without a place for texts makes one", async () => {
    await new Promise<void>((resolve, reject) => {
      const opening = indexedDB.open("wgrad-tuning");
      opening.onsuccess = () => resolve(opening.result.close());
      opening.onerror = () => reject(opening.error);
    });
    try {
      const device = await open({ backend: "webgpu" });
      (await device.compile(program())).dispose();
      expect(await device.tune(program(), { budgetMs: 1 })).toMatchObject({ kept: true, ignored: false });
      expect(await device.tune(program(), { budgetMs: 1 })).toMatchObject({ kept: true, ignored: false });
      device.close();
    } finally {
      await new Promise((resolve) => {
        indexedDB.deleteDatabase("wgrad-tuning").onsuccess = resolve;
      });
    }
  });

  test("whose record has a tiling that the device refuses does not keep a program from running", async () => {
    const device = await open({ backend: "webgpu", tuning: null });
    const report = await device.tune(program());
    device.close();
    const { backend, compile, gpu } = await opened();
    const tiling = { kind: "direct", tileM: 1, tileN: 1, splits: 1, workgroupSize: 4 };
    const tilings = Object.fromEntries(report.products.map((row) => [row.class, tiling]));
    Object.assign(backend, { tuned: Promise.resolve({ tilings, routes: {}, ignored: false }) });
    const create = gpu.createComputePipelineAsync.bind(gpu);
    let refused = 0;
    gpu.createComputePipelineAsync = (descriptor) => {
      if (!descriptor.label?.startsWith("matmul-direct") || refused > 0) return create(descriptor);
      refused++;
      return Promise.reject(new DOMException("not this one", "OperationError"));
    };
    const session = await compile(program());
    expect(refused).toBe(1);
    expect((await session.verify(inputs)).ok).toBe(true);
    backend.close();
  });
});

describe("a device that is closed", () => {
  let device: Device;
  beforeEach(async () => {
    device = await open({ backend: "webgpu", tuning: null });
  });
  const closed = new DeviceError("the device was closed; open() gives a new one");

  test.each([0, 1, 10, 40])("%i ms into a compile holds nothing, and the compile says so", async (timeMs) => {
    const compiled = device.compile(program(96 + timeMs));
    compiled.catch(() => {});
    if (timeMs > 0) await later(timeMs);
    device.close();
    await compiled.then(
      (session) => expect(() => session.write({})).toThrow(closed),
      (error) => expect(error).toEqual(closed),
    );
    expect(device.memory()).toMatchObject(holdsNothing);
    await later(20);
    expect(device.memory()).toMatchObject(holdsNothing);
  });

  test("before anything of a compile was done says so", async () => {
    const compiled = device.compile(program());
    device.close();
    await expect(compiled).rejects.toThrow(closed);
    expect(device.memory()).toMatchObject(holdsNothing);
    device.close();
    await expect(device.compile(program())).rejects.toThrow(closed);
    await expect(device.tune(program())).rejects.toThrow(closed);
    expect((await device.lost).reason).toBe("destroyed");
  });

  test.each([5, 60])("%i ms into a fit holds nothing, and the fit says so", async (timeMs) => {
    const loss = softmaxCrossEntropy();
    const net = await trainer(device, sequential(2, [dense(16), dense(2)]), { loss, optimizer: sgd({ lr: 0.1 }) });
    const fit = net.fit(moons(200), { steps: 1_000_000, every: 1000 });
    setTimeout(() => device.close(), timeMs);
    await expect(fit).rejects.toThrow(closed);
    expect(device.memory()).toMatchObject(holdsNothing);
  });

  test.each(["run", "verify", "profile", "read"] as const)("in the middle of %s holds nothing", async (call) => {
    const session = await device.compile(program());
    const calls = {
      run: () => session.run(inputs, { steps: 1_000_000, every: 1000 }),
      verify: () => session.verify(inputs),
      profile: () => session.profile(inputs, 1000),
      read: () => session.read("w"),
    };
    const asked = [calls[call](), calls.read()];
    for (const each of asked) each.catch(() => {});
    await later(0);
    device.close();
    expect(device.memory()).toMatchObject(holdsNothing);
    for (const each of asked) await each.catch((error) => expect(error).toEqual(closed));
    await expect(asked[1]).rejects.toThrow(closed);
    expect(device.memory()).toMatchObject(holdsNothing);
  });
});

describe("a session that is disposed", () => {
  test.each(["run", "verify", "profile", "read"] as const)(
    "in the middle of %s holds nothing after it",
    async (call) => {
      const device = await open({ backend: "webgpu", tuning: null });
      const [session, other] = [await device.compile(program()), await device.compile(program(65))];
      const before = device.memory().bytes;
      const calls = {
        run: () => session.run(inputs, { steps: 10_000_000, every: 1000 }),
        verify: () => session.verify(inputs),
        profile: () => session.profile(inputs, 2),
        read: () => session.read("w"),
      };
      for (const timeMs of [0, 3]) {
        const asked = calls[call]().catch((error) => expect(error).toBeInstanceOf(DeviceError));
        await later(timeMs);
        session.dispose();
        await asked;
      }
      expect(device.memory().bytes).toBeLessThan(before);
      // Nothing that was gone was used: it would be told to whoever comes next.
      await other.read("w");
      other.dispose();
      expect(device.memory()).toMatchObject(holdsNothing);
      device.close();
    },
  );
});

describe("a device that is lost", () => {
  const operation = () => new DOMException("A valid external Instance reference no longer exists.", "OperationError");
  const gone = /^the device is gone \(destroyed\): .*; open\(\) a new one, compile again/;

  test.each<[string, (gpu: GPUDevice, fail: () => Promise<never>) => void]>([
    ["createComputePipelineAsync", (gpu, fail) => Object.assign(gpu, { createComputePipelineAsync: fail })],
    ["popErrorScope", (gpu, fail) => Object.assign(gpu, { popErrorScope: fail })],
    [
      "getCompilationInfo",
      (gpu, fail) => {
        vi.spyOn(GPUShaderModule.prototype, "getCompilationInfo").mockImplementation(fail);
        Object.assign(gpu, { createComputePipelineAsync: () => Promise.reject(operation()) });
      },
    ],
  ])("in the middle of a compile, where %s fails, says so", async (_, breaks) => {
    const { gpu, backend, compile } = await opened();
    breaks(gpu, async () => {
      setTimeout(() => gpu.destroy(), 50); // the loss is told after what it brings about
      throw operation();
    });
    await expect(compile(program())).rejects.toThrow(gone);
    await expect(compile(program())).rejects.toThrow(DeviceError);
    expect(backend.memory()).toMatchObject(holdsNothing);
  });

  test.each(["run", "read", "verify", "profile"] as const)("in the middle of %s says so", async (call) => {
    const { gpu, backend, compile } = await opened();
    const session = await compile(program());
    vi.spyOn(GPUBuffer.prototype, "mapAsync").mockImplementation(async () => {
      setTimeout(() => gpu.destroy(), 50);
      throw operation();
    });
    const calls = {
      run: () => session.run(inputs),
      verify: () => session.verify(inputs),
      profile: () => session.profile(inputs, 1),
      read: () => session.read("w"),
    };
    const asked = calls[call]();
    if (call === "profile" && !gpu.features.has("timestamp-query")) {
      await asked;
    } else {
      await expect(asked).rejects.toThrow(gone);
      expect(backend.memory()).toMatchObject(holdsNothing);
    }
    gpu.destroy();
  });

  test("between its plan and its buffers says so", async () => {
    const { gpu, backend, compile } = await opened();
    const create = gpu.createBuffer.bind(gpu);
    gpu.createBuffer = (descriptor) => {
      gpu.destroy();
      return create(descriptor);
    };
    await expect(compile(program())).rejects.toThrow(gone);
    expect(backend.memory()).toMatchObject(holdsNothing);
  });

  test("without a word of it gives an error of ours all the same", async () => {
    const { gpu, backend, compile } = await opened();
    const session = await compile(program());
    vi.spyOn(GPUBuffer.prototype, "mapAsync").mockImplementation(() => Promise.reject(operation()));
    const read = session.read("w");
    await expect(read).rejects.toThrow(/^the device gave no result: A valid external/);
    await expect(read).rejects.toBeInstanceOf(DeviceError);
    await read.catch(({ cause }) => expect(cause).toBeInstanceOf(DOMException));
    vi.restoreAllMocks();
    expect((await session.read("w"))[0]).toBe(0);
    gpu.destroy();
    await gpu.lost;
    expect(backend.memory()).toMatchObject(holdsNothing);
  });

  test("does not hide why a run was stopped", async () => {
    const { backend, compile } = await opened();
    const session = await compile(program());
    const run = session.run(inputs, { steps: 10_000_000, every: 10_000, signal: AbortSignal.timeout(50) });
    await expect(run).rejects.toMatchObject({ name: "TimeoutError" });
    backend.close();
  });
});

test.each(["recorded", "persistent"] as const)(
  "a run that was stopped leaves the outputs of its last step, whatever was asked for: %s",
  async (route) => {
    const device = await open({ backend: "webgpu", route, tuning: null });
    const [by, w] = [input([50]), parameter([50])];
    const session = await device.compile({
      inputs: { by },
      parameters: { w },
      outputs: { first: w.max(), w2: w.mul(2) },
      updates: { w: w.add(by) },
    });
    expect(session.explain()).toContain(`route: ${route}`);
    for (const every of [1_000_000, 7, 1]) {
      const abort = new AbortController();
      const run = session.run(
        { by: new Float32Array(50).fill(1) },
        { steps: 10_000_000, every, signal: abort.signal, onProgress: () => abort.abort(new Error("enough")) },
      );
      await expect(run).rejects.toThrow("enough");
      const [[first], [w2], [now]] = await Promise.all([session.read("first"), session.read("w2"), session.read("w")]);
      expect(now).toBeGreaterThan(0);
      expect([first, w2]).toEqual([(now as number) - 1, 2 * (now as number) - 2]);
    }
    device.close();
  },
);

test("an error that belongs to no call is told to every call under way, and once to the next where there was none", async () => {
  const { gpu, backend, compile } = await opened();
  const [one, two] = [await compile(program()), await compile(program())];
  const broken = () => {
    gpu.onuncapturederror = null; // this one is meant
    gpu.createBuffer({ label: "a broken buffer", size: 4, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.STORAGE });
  };
  let told = 0;
  const onProgress = () => {
    if (++told === 1) broken();
  };
  const steps = { steps: 1_000_000, every: 1000 };
  const runs = [one.run(inputs, { ...steps, onProgress }), two.run(inputs, steps)];
  for (const run of runs) run.catch(() => {});
  for (const run of runs) await expect(run).rejects.toThrow(/the device reported an error.*a broken buffer/s);
  await one.run(inputs);
  broken();
  await gpu.queue.onSubmittedWorkDone();
  await later(50);
  await expect(two.run(inputs)).rejects.toThrow(/a broken buffer/);
  await Promise.all([one.run(inputs), two.run(inputs)]);
  backend.close();
});

describe("open", () => {
  /** The machine's WebGPU with something changed. */
  function entry(change: (device: GPUDevice) => Promise<GPUDevice>, features?: object): GPU {
    return {
      wgslLanguageFeatures: features ?? navigator.gpu.wgslLanguageFeatures,
      async requestAdapter() {
        const adapter = (await navigator.gpu.requestAdapter()) as GPUAdapter;
        const request = adapter.requestDevice.bind(adapter);
        adapter.requestDevice = async (descriptor) => change(await request(descriptor));
        return adapter;
      },
    } as unknown as GPU;
  }

  test("that fails half way leaves no device alive", async () => {
    const made: GPUDevice[] = [];
    const broken = { has: () => { throw new Error("no features") } }; // biome-ignore format: a row
    const gpu = entry(async (device) => {
      made.push(device);
      return device;
    }, broken);
    await expect(open({ backend: "webgpu", gpu })).rejects.toThrow(
      /gave no device: Error: no features.*backend: "cpu"/,
    );
    const [device] = made as [GPUDevice];
    expect((await device.lost).reason).toBe("destroyed");
  });

  test("of a device that is lost at once says so, or takes the CPU", async () => {
    const gpu = entry(async (device) => {
      device.destroy();
      await device.lost;
      return device;
    });
    await expect(open({ backend: "webgpu", gpu })).rejects.toThrow(
      /gave no device: .*it was lost at once \(destroyed\)/,
    );
    const device = await open({ gpu });
    expect(device.backend).toBe("cpu");
    device.close();
  });

  test.each<[string, GPU["requestAdapter"]]>([
    ["rejects", () => Promise.reject(new DOMException("the GPU process is gone", "OperationError"))],
    ["throws", () => { throw new TypeError("not here") }], // biome-ignore format: a row
  ])("where the search for an adapter %s says so, or takes the CPU", async (_, requestAdapter) => {
    const gpu = { requestAdapter } as GPU;
    await expect(open({ backend: "webgpu", gpu })).rejects.toThrow(/WebGPU gave no adapter: .*(gone|here)/);
    await expect(open({ backend: "webgpu", gpu })).rejects.toBeInstanceOf(DeviceError);
    const device = await open({ gpu });
    expect(device.backend).toBe("cpu");
    device.close();
  });
});
