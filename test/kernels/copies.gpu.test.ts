import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Device, DeviceError, open } from "../../src/index";
import { normal } from "../graph/numbers";
import { classifier } from "../plan/programs";
import { everything, expectBitsOfOneAlone, expectParity, OWN } from "../support/copies";
import { openOther } from "./other-device";

describe.each(["recorded", "persistent"] as const)("copies whose route is %s", (route) => {
  let device: Device;
  beforeAll(async () => {
    device = await open({ backend: "webgpu", route });
  });
  afterAll(() => device.close());

  test("have the bits of the program alone, and leave no memory behind", async () => {
    await expectBitsOfOneAlone(device, 3);
    expect(device.memory()).toMatchObject({ bytes: 0, buffers: 0 });
  });

  test("that no device has room for are refused", async () => {
    const many = device.compile(everything(), { copies: 65_536, own: OWN });
    await expect(many).rejects.toThrow(
      new DeviceError(
        "compile: 65536 copies are more than WebGPU runs side by side, 65535; compile fewer, several times",
      ),
    );
    expect(device.memory()).toMatchObject({ bytes: 0, buffers: 0 });
  });

  test("are judged by float64", () => expectParity(device, 3));
});

test("copies by the kernels of a GPU have the bits of the program alone", async () => {
  const other = await openOther({ software: false, route: "recorded" });
  const device: Pick<Device, "compile"> = {
    compile: (program, options) =>
      other.compile(
        options
          ? { ...program, copies: { count: options.copies ?? 1, own: new Set(options.own), shared: new Set<string>() } }
          : program,
      ),
  };
  await expectBitsOfOneAlone(device, 2, {
    program: classifier(16, 8, 12, 4),
    shared: { labels: Array.from({ length: 16 }, (_, i) => i % 4) },
    ownOf: (copy) => ({ x: normal(16 * 8, copy) }),
  });
  other.close();
});
