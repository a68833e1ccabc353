import { expect, test } from "vitest";
import { open } from "../../src/index";
import { ADAPTER_CASES } from "./cases";

for (const { name, open: options, check } of ADAPTER_CASES) {
  test(name, async () => {
    const device = await open({ backend: "webgpu", tuning: null, ...options });
    try {
      await check(device);
      expect(device.memory()).toMatchObject({ bytes: 0, buffers: 0 });
    } finally {
      device.close();
    }
  });
}
