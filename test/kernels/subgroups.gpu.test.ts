import { afterAll, beforeAll, expect, test } from "vitest";
import { Session } from "../../src/session";
import { sizeOf } from "../../src/util/shape";
import { WebGpuBackend } from "../../src/webgpu/adapter";
import type { Target } from "../../src/webgpu/codegen/plan";
import { keepsSubgroup, promisedSubgroup } from "../../src/webgpu/subgroups";
import { normal } from "../graph/numbers";
import { twoLayer } from "../plan/programs";

let adapter: GPUAdapter;
let device: GPUDevice;
let size: number;
beforeAll(async () => {
  adapter = (await navigator.gpu.requestAdapter()) as GPUAdapter;
  size = promisedSubgroup(adapter);
  device = await adapter.requestDevice({ requiredFeatures: ["subgroups"] });
});
afterAll(() => device.destroy());

test("a size that the adapter promises and keeps is taken", async () => {
  expect(size).toBeGreaterThan(0);
  expect(await keepsSubgroup(device, size)).toBe(true);
});

test("a size that it does not keep is not", async () => {
  expect(await keepsSubgroup(device, 2 * size)).toBe(false);
});

test("nothing is promised where the size may vary, or is not told, or there is no such feature", () => {
  const { features } = adapter;
  const said = (subgroupMinSize: number, subgroupMaxSize: number) =>
    ({ subgroupMinSize, subgroupMaxSize }) as GPUAdapterInfo;
  expect(promisedSubgroup({ features, info: said(8, 8) })).toBe(8);
  expect(promisedSubgroup({ features, info: said(8, 16) })).toBe(0);
  expect(promisedSubgroup({ features, info: {} as GPUAdapterInfo })).toBe(0);
  expect(promisedSubgroup({ features: new Set(), info: said(8, 8) })).toBe(0);
});

test.each([true, false])(
  "kernels that are begun before the trial ends count on subgroups only where it says %s",
  async (kept) => {
    const another = (await navigator.gpu.requestAdapter()) as GPUAdapter; // of one adapter one device can be had
    const own = await another.requestDevice({ requiredFeatures: ["subgroups"] });
    const found: Partial<Target> = kept ? {} : { subgroupSize: 0 };
    const corrections = new Promise<Partial<Target>>((resolve) => setTimeout(() => resolve(found), 50));
    const planned: Partial<Target> = { software: true, route: "recorded", subgroupSize: size };
    const backend = new WebGpuBackend(own, adapter.info, planned, null, { corrections, record: null });
    try {
      const program = twoLayer(8, 40, 12, 3);
      const session = new Session(program, await backend.compile(program), { throwIfGone() {}, disposed() {} });
      expect(/^ {2}1 {2}matmul-subgroup /m.test(session.explain())).toBe(kept);
      const inputs = Object.entries(program.inputs).map(([name, { shape }], i) => {
        return [name, normal(sizeOf(shape), i)] as const;
      });
      const report = await session.verify(Object.fromEntries(inputs));
      expect(report.ok, String(report)).toBe(true);
      session.dispose();
      expect(backend.memory()).toMatchObject({ bytes: 0, buffers: 0 });
    } finally {
      backend.close();
    }
  },
);
