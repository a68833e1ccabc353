import { expect, test } from "vitest";
import { open } from "../../src/index";
import { expectBitsOfTrainers } from "../support/ensembles";

test("an ensemble on WebGPU has the bits of its trainers alone, and leaves no memory behind", async () => {
  const device = await open({ backend: "webgpu", route: "recorded" });
  await expectBitsOfTrainers(device, "sgd");
  expect(device.memory()).toMatchObject({ bytes: 0, buffers: 0 });
  device.close();
});
