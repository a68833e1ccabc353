import { afterAll, beforeAll, describe, test } from "vitest";
import { type Device, open } from "../../src/index";
import { checkNames, NAMES } from "../graph/names";

describe.each(["recorded", "persistent"] as const)("on a device whose route is %s", (route) => {
  let device: Device;
  beforeAll(async () => {
    device = await open({ backend: "webgpu", route });
  });
  afterAll(() => device.close());

  test("what every object has may name inputs, parameters, outputs and updates", async () => {
    for (let first = 0; first < NAMES.length; first += 6) await checkNames(device, NAMES.slice(first, first + 6));
  });
});
