import { describe, expect, test } from "vitest";
import { open } from "../../src/index";
import { NETWORKS, train } from "../support/golden-networks";

describe.each(["recorded", "persistent"] as const)("on the %s route", (route) => {
  test.each(Object.keys(NETWORKS))("%s trains as PyTorch's", async (name) => {
    const device = await open({ backend: "webgpu", route, tuning: null });
    const { first, losses, predictions } = await train(device, name);
    expect(first).toBeLessThan(3e-6);
    expect(losses).toBeLessThan(1);
    expect(predictions).toBeLessThan(1);
    device.close();
  });
});
