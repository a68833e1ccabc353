import { afterEach, expect, test } from "vitest";
import { type Device, input, type OpenOptions, open, type Program, parameter, type TuningStore } from "../../src/index";
import { normal } from "../graph/numbers";
import { descent } from "../plan/programs";

const devices: Device[] = [];
afterEach(() => {
  for (const device of devices.splice(0)) device.close();
});
async function opened(options: OpenOptions): Promise<Device> {
  const device = await open({ backend: "webgpu", ...options });
  devices.push(device);
  return device;
}

function memoryStore(): TuningStore & { texts: Map<string, string> } {
  const texts = new Map<string, string>();
  return {
    texts,
    read: async (key) => texts.get(key) ?? null,
    write: async (key, text) => void texts.set(key, text),
  };
}

/** A product with a bias that fits a workgroup, and its update. */
function program(): Program {
  const [x, w, b] = [input([33, 65]), parameter([65, 18]), parameter([18])];
  const loss = x.matmul(w).add(b).square().mean();
  return { inputs: { x }, parameters: { w, b }, outputs: { loss }, updates: descent(loss, { w, b }, 0.1) };
}
const inputs = { x: normal(33 * 65, 1) };
const weights = { w: normal(65 * 18, 2), b: normal(18, 3) };

test("a tuner measures products and routes, and later plans follow its record, the same ones each time", async () => {
  const tuning = memoryStore();
  const device = await opened({ tuning });
  const before = await device.compile(program());
  const plan = before.explain();
  const told: string[] = [];
  const report = await device.tune(program(), { onProgress: ({ what }) => told.push(what) });
  expect(report).toMatchObject({ complete: true, kept: true, ignored: false });
  expect(report.products.map(({ shapes }) => shapes)).toEqual(["[33, 65] x [65, 18]", "[65, 33]ᵀ x [33, 18]"]);
  for (const { candidates, chosen } of report.products) {
    expect(candidates.length).toBeGreaterThan(1);
    expect(candidates.some(({ timeMs }) => (timeMs as number) > 0)).toBe(true);
    expect(candidates.map(({ tiling }) => tiling)).toContain(chosen);
  }
  expect(report.route?.recordedMs).toBeGreaterThan(0);
  expect(told.length).toBeGreaterThan(4);
  // Sessions that were there stay as they are.
  expect(before.explain()).toBe(plan);
  before.dispose();
  expect(device.memory()).toMatchObject({ bytes: 0, buffers: 0 });

  const explained = [];
  for (const again of [device, await opened({ tuning })]) {
    const session = await again.compile(program());
    explained.push(session.explain());
    session.write(weights);
    const parity = await session.verify(inputs);
    expect(parity.ok, String(parity)).toBe(true);
    session.dispose();
  }
  expect(explained[0]).toBe(explained[1]);
  expect(explained[0]).toContain("as was measured here");
  expect(explained[0]).toContain(`route: ${report.route?.chosen}`);
});

test("one that is aborted keeps nothing, holds nothing, and another may begin", async () => {
  const tuning = memoryStore();
  const device = await opened({ tuning });
  const abort = new AbortController();
  let measured = 0;
  const onProgress = () => {
    if (++measured === 3) abort.abort(new Error("enough"));
  };
  const aborted = device.tune(program(), { signal: abort.signal, onProgress });
  await expect(aborted).rejects.toThrow("enough");
  expect(device.memory()).toMatchObject({ bytes: 0, buffers: 0 });
  expect(tuning.texts.size).toBe(0);
  const session = await device.compile(program());
  expect(session.explain()).not.toContain("measured");
  session.dispose();
  await expect(device.tune(program(), { signal: abort.signal })).rejects.toThrow("enough");
  expect(await device.tune(program(), { budgetMs: 1 })).toMatchObject({ complete: false, kept: true });
});

test("calls at once run one after another", async () => {
  const device = await opened({ tuning: null });
  const order: string[] = [];
  const call = (name: string) => device.tune(program(), { budgetMs: 500, onProgress: () => order.push(name) });
  const reports = await Promise.all([call("first"), call("second")]);
  expect(order.join(" ")).toMatch(/^(first ?)+(second ?)+$/);
  expect(reports.every(({ kept }) => !kept)).toBe(true);
});

test("a record that is damaged is left aside and replaced; the report says so", async () => {
  const tuning: TuningStore = { read: async () => "{", write: async () => {} };
  const device = await opened({ tuning });
  const session = await device.compile(program());
  session.dispose();
  expect(await device.tune(program(), { budgetMs: 100 })).toMatchObject({ ignored: true, kept: true });
});

const never = new Promise<never>(() => {});
test.each<[string, TuningStore]>([
  ["refuses", { read: () => Promise.reject(new Error("private")), write: () => Promise.reject(new Error("private")) }],
  ["throws", { read: () => { throw new Error("no storage"); }, write: () => { throw new Error("no storage"); } }], // biome-ignore format: a row
  ["never answers", { read: () => never, write: () => Promise.reject(new Error("late")) }],
])("a store that %s breaks neither open nor compile nor tune", async (_, tuning) => {
  const device = await opened({ tuning });
  (await device.compile(program())).dispose();
  expect(await device.tune(program(), { budgetMs: 100 })).toMatchObject({ kept: false, ignored: false });
});

test("without a store that was given, the browser's database keeps the record", async () => {
  const kept = async () => (await indexedDB.databases()).some(({ name }) => name === "wgrad-tuning");
  try {
    const first = await opened({});
    (await first.compile(program())).dispose();
    expect(await kept()).toBe(false);
    const report = await first.tune(program(), { budgetMs: 8000 });
    expect(report.kept).toBe(true);
    expect(await kept()).toBe(true);
    const session = await (await opened({})).compile(program());
    if (report.complete) expect(session.explain()).toContain("as was measured here");
    session.dispose();
  } finally {
    await new Promise((resolve) => {
      indexedDB.deleteDatabase("wgrad-tuning").onsuccess = resolve;
    });
  }
});

test("a device that is closed under the tuner says that it was closed", async () => {
  const device = await opened({ tuning: null });
  const tuned = device.tune(program(), { onProgress: () => device.close() });
  await expect(tuned).rejects.toThrow(/the device was closed/);
  await expect(device.tune(program())).rejects.toThrow(/the device was closed/);
});

test("on the CPU there is nothing to measure; what cannot run or be a budget is refused", async () => {
  const device = await open({ backend: "cpu" });
  expect(await device.tune(program())).toEqual({
    products: [],
    route: null,
    complete: true,
    kept: false,
    ignored: false,
  });
  await expect(device.tune(program(), { budgetMs: 0 })).rejects.toThrow(RangeError);
  device.close();
});
