import { expect, test } from "vitest";
import { VERSION } from "../../src/index";
import { environment } from "../../src/playground/verify/environment";

test("a report says what it was made with: the library, the browser to its last digit, the adapter's limits and features", async () => {
  const found = JSON.parse(JSON.stringify(await environment()));
  expect(found).toMatchObject({ version: VERSION, userAgent: navigator.userAgent });
  expect(JSON.stringify(found.browser.fullVersionList)).toMatch(/"version":"\d+\.\d+\.\d+\.\d+"/);
  const adapter = (await navigator.gpu.requestAdapter()) as GPUAdapter;
  expect(found.adapter.features).toEqual([...adapter.features].sort());
  expect(found.adapter.limits.maxComputeWorkgroupStorageSize).toBe(adapter.limits.maxComputeWorkgroupStorageSize);
  expect(Object.keys(found.adapter.limits).length).toBeGreaterThan(20);
});
