import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  adam,
  type Device,
  DeviceError,
  dense,
  input,
  moons,
  open,
  type Program,
  parameter,
  sequential,
  softmaxCrossEntropy,
  trainer,
} from "../../src/index";
import { WasmRunner } from "../../src/wasm/runner";
import { normal } from "../graph/numbers";
import { CASES } from "../kernels/cases";
import { classifier } from "../plan/programs";

// As a page is whose Content Security Policy has no 'wasm-unsafe-eval': what validates is refused all the same.
beforeEach(() => {
  const refuse = () => Promise.reject(new WebAssembly.CompileError("violates the Content Security Policy"));
  vi.spyOn(WebAssembly, "compile").mockImplementation(refuse);
  vi.spyOn(WebAssembly, "instantiate").mockImplementation(refuse);
});
afterEach(() => vi.restoreAllMocks());

async function opened(): Promise<Device> {
  return open({ backend: "cpu" });
}

/** Weights of a classifier, and what it is trained on. */
const network = classifier(20, 4, 8, 3);
const given = {
  x: normal(80, 1),
  labels: Int32Array.from({ length: 20 }, (_, i) => i % 3),
};
const start = { w1: normal(32, 2), b1: normal(8, 3), w2: normal(24, 4), b2: normal(3, 5) };

describe("where WebAssembly is barred", () => {
  test.each(["cpu", "auto"] as const)(
    'open, asked for "%s", gives a device that says what it runs on',
    async (backend) => {
      const device = await open({ backend });
      expect(device.backend).toBe("cpu");
      expect(device.info).toMatchObject({
        description: expect.stringMatching(/^CPU, JavaScript in float64/),
        isFallback: true,
      });
      const session = await device.compile(network);
      expect(session.explain()).toContain("float64");
      device.close();
    },
  );

  test("a device that was opened before says what is wrong, not the browser's own error", async () => {
    vi.restoreAllMocks();
    const device = await opened();
    expect(device.info.description).toMatch(/^CPU, WebAssembly, (up to \d+ threads|one thread: .+)$/);
    vi.spyOn(WebAssembly, "instantiate").mockRejectedValue(new WebAssembly.CompileError("violates the policy"));
    await expect(device.compile(network)).rejects.toThrow(
      new DeviceError("compile: WebAssembly is barred here, open() a device again: violates the policy"),
    );
    expect(device.memory().bytes).toBe(0);
    device.close();
  });

  test("every case of the kernels' table is within its bounds", async () => {
    const device = await opened();
    for (const { name, program, parameters, inputs } of CASES) {
      const session = await device.compile(program);
      session.write(parameters);
      const report = await session.verify(inputs);
      expect(report.ok, `${name}\n${report}`).toBe(true);
      session.dispose();
    }
    expect(device.memory()).toMatchObject({ bytes: 0, buffers: 0 });
    device.close();
  });

  test("what is read and written again goes on with the same bits", async () => {
    const device = await opened();
    const whole = await device.compile(network);
    whole.write(start);
    const { loss } = await whole.run(given, { steps: 20 });
    const first = await device.compile(network);
    first.write(start);
    await first.run(given, { steps: 7 });
    const second = await device.compile(network);
    for (const name of Object.keys(start)) second.write({ [name]: await first.read(name) });
    const rest = await second.run(given, { steps: 13 });
    expect(rest.loss).toEqual(loss?.slice(7));
    for (const name of Object.keys(start)) expect(await second.read(name)).toEqual(await whole.read(name));
    device.close();
  });

  test("verify and profile change nothing, also where the state is not finite", async () => {
    const w = parameter([2]);
    const device = await opened();
    const session = await device.compile({
      inputs: {},
      parameters: { w },
      outputs: { log: w.log() },
      updates: { w: w.sub(1).log() },
    });
    session.write({ w: [1, 3] });
    await session.run({});
    const [before, outputs] = [await session.read("w"), await session.read("log")];
    expect(before[0]).toBe(Number.NEGATIVE_INFINITY);
    await session.verify({});
    await session.profile({}, 2);
    expect([await session.read("w"), await session.read("log")]).toEqual([before, outputs]);
    device.close();
  });

  test("a network is trained, and goes on from a checkpoint with the same bits", async () => {
    const device = await opened();
    const make = () =>
      trainer(device, sequential(2, [dense(8, { activation: "tanh" }), dense(2)]), {
        loss: softmaxCrossEntropy(),
        optimizer: adam({ lr: 0.05 }),
        batchSize: 25,
      });
    const data = moons(100, { noise: 0.1, seed: 1 });
    const whole = await make();
    const { loss } = await whole.fit(data, { steps: 60 });
    expect(loss.at(-1)).toBeLessThan(0.6 * (loss[0] as number));
    const half = await make();
    const abort = new AbortController();
    let file: Promise<Uint8Array> | undefined;
    const fit = half.fit(data, {
      steps: 60,
      signal: abort.signal,
      onProgress: () => {
        file ??= half.checkpoint();
        abort.abort(new Error("enough"));
      },
    });
    await fit.catch((error) => expect(error.message).toBe("enough"));
    const other = await make();
    other.resume((await file) as Uint8Array);
    if (other.steps < 60) await other.fit(data, { steps: 60 });
    expect(await other.weights()).toEqual(await whole.weights());
    device.close();
  });

  test("a run ends where its session is disposed or its device closed", async () => {
    const device = await opened();
    for (const end of [(session: { dispose(): void }) => session.dispose(), () => device.close()]) {
      const session = await device.compile(network);
      const run = session.run(given, { steps: 1e9, every: 1e6 });
      setTimeout(() => end(session), 60);
      await expect(run).rejects.toThrow(/the session was disposed during the call|the device was closed/);
      expect(device.memory()).toMatchObject({ bytes: 0, buffers: 0 });
    }
  });
});

describe("on the CPU, whatever runs", () => {
  function counter(): Program {
    const [x, w] = [input([3]), parameter([3])];
    return { inputs: { x }, parameters: { w }, outputs: { first: w.max(), w2: w.mul(2) }, updates: { w: w.add(x) } };
  }
  const ones = { x: [1, 1, 1] };

  test.each(["barred", "there"])(
    "a run that was stopped leaves the outputs of its last step; WebAssembly is %s",
    async (is) => {
      if (is === "there") vi.restoreAllMocks();
      const device = await opened();
      const session = await device.compile(counter());
      const abort = new AbortController();
      const run = session.run(ones, {
        steps: 1e9,
        every: 1e6,
        signal: abort.signal,
        onProgress: () => abort.abort(new Error("enough")),
      });
      await expect(run).rejects.toThrow("enough");
      const [first, w2, w] = [await session.read("first"), await session.read("w2"), await session.read("w")];
      expect(w[0]).toBeGreaterThan(0);
      expect([first[0], w2[0]]).toEqual([(w[0] as number) - 1, 2 * (w[0] as number) - 2]);
      device.close();
    },
  );

  test.each(["barred", "there"])(
    "a device that is closed in the middle of anything holds nothing; WebAssembly is %s",
    async (is) => {
      if (is === "there") vi.restoreAllMocks();
      for (const call of ["compile", "run", "verify", "profile", "read"] as const) {
        const device = await opened();
        const session = await device.compile(counter());
        const calls = {
          compile: () => device.compile(counter()),
          run: () => session.run(ones, { steps: 1e9, every: 1e6 }),
          verify: () => session.verify(ones),
          profile: () => session.profile(ones),
          read: () => session.read("w"),
        };
        const asked = [calls[call](), session.read("w")];
        for (const each of asked) each.catch(() => {});
        await Promise.resolve();
        device.close();
        for (const each of asked)
          await expect(each).rejects.toThrow(new DeviceError("the device was closed; open() gives a new one"));
        expect(device.memory()).toMatchObject({ bytes: 0, buffers: 0 });
      }
    },
  );

  test("a session that is disposed in the middle of verify gives its report, or says that it was disposed", async () => {
    vi.restoreAllMocks();
    const device = await opened();
    const session = await device.compile(counter());
    const report = session.verify(ones);
    await Promise.resolve();
    session.dispose();
    await report.then(
      ({ ok }) => expect(ok).toBe(true),
      (error) => expect(error).toBeInstanceOf(DeviceError),
    );
    expect(device.memory()).toMatchObject({ bytes: 0, buffers: 0 });
    device.close();
  });

  test("a program that WebAssembly cannot hold leaves nothing counted", async () => {
    vi.restoreAllMocks();
    const x = input([40_000, 1]);
    await expect(WasmRunner.create({ inputs: { x }, parameters: {}, outputs: { y: x.matmul(x.T) } })).rejects.toThrow(
      DeviceError,
    );
  });
});
