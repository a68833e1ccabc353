import { afterAll, beforeAll, expect, test } from "vitest";
import { main as digits } from "../../examples/digits";
import { main as twoTwoOne } from "../../examples/seeds/two-two-one";
import { type Device, open } from "../../src/index";
import { readGolden } from "../support/golden";
import { expectClose, lossBounds } from "../support/parity";

// One of layers and one of tensors, small for the sake of software adapters; all of them run in Node.
let device: Device;
beforeAll(async () => {
  device = await open({ backend: "webgpu" });
});
afterAll(() => {
  expect(device.memory().bytes, "bytes that the examples left on the device").toBe(0);
  device.close();
});

test("digits on WebGPU: over 97 % of 360 held back", async () => {
  expect((await digits(device)).accuracy).toBeGreaterThan(0.97);
});

test("seed-003 in tensors on WebGPU: as far as float32 can follow it", async () => {
  const golden = await readGolden("seed-003");
  const losses = (await twoTwoOne(device)).subarray(0, 70);
  expectClose("loss", losses, golden.values("losses").subarray(0, 70), lossBounds(golden));
});
