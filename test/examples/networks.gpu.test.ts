import { afterAll, beforeAll, expect, test } from "vitest";
import { main as cnn } from "../../examples/cnn";
import { main as gpt } from "../../examples/gpt";
import { type Device, open } from "../../src/index";

// Among the long tests: what these two come to in full, on the CPU of a page, where a minute is enough.
let device: Device;
beforeAll(async () => {
  device = await open({ backend: "cpu" });
});
afterAll(() => {
  expect(device.memory().bytes, "bytes that the examples left on the device").toBe(0);
  device.close();
});

test("cnn: 98 % of 1,000 digits held back", async () => {
  expect((await cnn(device)).accuracy).toBeGreaterThanOrEqual(0.98);
});

test("gpt: under 2.3 bits a character on what is held back, and seven of ten words that it writes are words", async () => {
  const { bits, known } = await gpt(device);
  expect(bits).toBeLessThan(2.3);
  expect(known).toBeGreaterThan(0.7);
});
