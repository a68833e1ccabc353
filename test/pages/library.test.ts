import { afterAll, beforeAll, expect, test } from "vitest";
import { hostLibrary, type LibraryHost, resultOf } from "./library";

let host: LibraryHost;
beforeAll(async () => {
  host = await hostLibrary();
}, 120_000);
afterAll(() => host?.close());

const program = `
import { DeviceError, grad, input, open, parameter } from "./index.js";
function program(size) {
  const [x, w] = [input([size, size]), parameter([size, size])];
  const loss = x.matmul(w).square().mean();
  const [gradient] = grad(loss, [w]);
  return { inputs: { x }, parameters: { w }, outputs: { loss }, updates: { w: w.sub(gradient.mul(0.1)) } };
}
const inputs = { x: new Float32Array(64 * 64).fill(0.1) };
const weights = { w: new Float32Array(64 * 64).fill(0.3) };`;

test("a page whose policy bars WebAssembly trains in JavaScript, and is told so", async () => {
  const page = await host.open(
    `${program}
const onCpu = async (device) => {
  const session = await device.compile(program(64));
  session.write(weights);
  const parity = await session.verify(inputs);
  const { loss } = await session.run(inputs, { steps: 3 });
  const facts = { backend: device.backend, description: device.info.description, parity: parity.ok, losses: [...loss] };
  device.close();
  return { ...facts, memory: device.memory().bytes };
};
globalThis.result = (async () => {
  const barred = await WebAssembly.compile(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0)).then(() => "", String);
  const auto = await open();
  return {
    barred,
    cpu: await onCpu(await open({ backend: "cpu" })),
    withoutGpu: await onCpu(await open({ gpu: { requestAdapter: async () => null } })),
    auto: await onCpu(auto),
  };
})();`,
    "default-src 'self'",
  );
  interface Facts {
    backend: string;
    description: string;
    parity: boolean;
    losses: number[];
    memory: number;
  }
  const result = await resultOf<{ barred: string; cpu: Facts; withoutGpu: Facts; auto: Facts }>(page);
  expect(result.barred).toMatch(/CompileError: .*Content Security Policy/);
  expect(result.cpu).toMatchObject({
    backend: "cpu",
    description: expect.stringMatching(/^CPU, JavaScript in float64/),
  });
  expect(result.withoutGpu).toEqual(result.cpu);
  for (const { parity, losses, memory } of Object.values(result).filter((each) => typeof each !== "string")) {
    expect(parity).toBe(true);
    expect(losses[0]).toBeCloseTo((64 * 0.1 * 0.3) ** 2, 5);
    expect(losses[2]).toBeLessThan(losses[0] as number);
    expect(memory).toBe(0);
  }
});

test.each([true, false])(
  "a page and its worker run on the threads that they may have, with the same bits, cross-origin isolated: %s",
  async (isolated) => {
    const page = await host.open(
      `${program}
const facts = async () => {
  const device = await open({ backend: "cpu", threads: 2 });
  const session = await device.compile(program(256));
  session.write({ w: Float32Array.from({ length: 256 * 256 }, (_, i) => Math.sin(i)) });
  const { loss } = await session.run({ x: Float32Array.from({ length: 256 * 256 }, (_, i) => Math.cos(i)) }, { steps: 4 });
  const threads = /\\nthreads: (.*)/.exec(session.explain())[1];
  device.close();
  return { threads, losses: [...loss] };
};
if (globalThis.document) {
  globalThis.result = new Promise((resolve, reject) => {
    const worker = new Worker("page.mjs", { type: "module" });
    worker.onmessage = async ({ data }) => resolve({ worker: data, page: await facts() });
    worker.onerror = ({ message }) => reject(new Error(message));
  });
} else postMessage(await facts());`,
      "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'",
      isolated,
    );
    const result = await resultOf<Record<"worker" | "page", { threads: string; losses: number[] }>>(page);
    const apart = "1, threads share no memory in a page that is not cross-origin isolated";
    const waiting = "1, a page's main thread may not wait for others; open the device in a worker";
    expect([result.worker.threads, result.page.threads]).toEqual(isolated ? ["2", waiting] : [apart, apart]);
    expect(result.worker.losses).toEqual(result.page.losses);
    expect(result.page.losses.every(Number.isFinite)).toBe(true);
  },
);

test("calls under way when the GPU process dies say that the device is gone, and what to do", async () => {
  const page = await host.open(`${program}
const device = await open({ backend: "webgpu", tuning: null });
const session = await device.compile(program(64));
const untilItFails = async (call) => {
  for (let i = 0; ; i++) {
    try {
      await call(i);
    } catch (error) {
      return { ours: error instanceof DeviceError, message: error.message };
    }
  }
};
const unhandled = [];
addEventListener("unhandledrejection", ({ reason }) => unhandled.push(String(reason)));
globalThis.result = Promise.all([
  untilItFails(async (i) => (await device.compile(program(20 + i))).dispose()),
  untilItFails(() => session.run(inputs, { steps: 1000, every: 10 })),
  untilItFails(() => session.read("w")),
  untilItFails(() => device.tune(program(50))),
]).then(async (errors) => {
  const { bytes, buffers } = device.memory();
  const again = await open({ backend: "webgpu", tuning: null });
  const { loss } = await (await again.compile(program(64))).run(inputs);
  return { errors, unhandled, bytes, buffers, loss: loss[0] };
});`);
  await page.waitForFunction(() => "result" in globalThis);
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const protocol = await host.browser.target().createCDPSession();
  await protocol.send("Browser.crashGpuProcess");
  const result = await resultOf<{ errors: { ours: boolean; message: string }[]; unhandled: string[]; loss: number }>(
    page,
  );
  expect(result).toMatchObject({ unhandled: [], bytes: 0, buffers: 0, loss: 0 });
  for (const { ours, message } of result.errors) {
    expect(message).toMatch(/^the device is gone .*open\(\) a new one, compile again/);
    expect(ours).toBe(true);
  }
});
