import { afterAll, beforeAll, expect, test } from "vitest";
import { subgroupSizeOf } from "../../src/webgpu/subgroups";

let device: GPUDevice;
let size: number;
beforeAll(async () => {
  const adapter = (await navigator.gpu.requestAdapter()) as GPUAdapter;
  expect(adapter.features.has("subgroups")).toBe(true);
  size = adapter.info.subgroupMinSize;
  device = await adapter.requestDevice({ requiredFeatures: ["subgroups"] });
});
afterAll(() => device.destroy());

const said = (subgroupMinSize: number, subgroupMaxSize: number) =>
  ({ subgroupMinSize, subgroupMaxSize }) as GPUAdapterInfo;

test("a size that the adapter promises and keeps is taken", async () => {
  expect(await subgroupSizeOf(device, said(size, size))).toBe(size);
});

test("a size that it does not keep is not", async () => {
  expect(await subgroupSizeOf(device, said(2 * size, 2 * size))).toBe(0);
});

test("nor is one that may vary, or is not told", async () => {
  expect(await subgroupSizeOf(device, said(size, 2 * size))).toBe(0);
  expect(await subgroupSizeOf(device, {} as GPUAdapterInfo)).toBe(0);
});
