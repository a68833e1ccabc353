import { describe, test } from "vitest";
import { open } from "../../src/index";
import { openOther } from "../kernels/other-device";
import { agrees } from "./properties";

describe("random programs over every call agree with float64, step by step,", () => {
  test.each([
    ["as dispatches", () => open({ backend: "webgpu", route: "recorded", tuning: null }), 12],
    ["in one workgroup, where they fit", () => open({ backend: "webgpu", route: "persistent", tuning: null }), 6],
    ["as dispatches of the other kind of device", () => openOther({ route: "recorded" }), 6],
    ["in one workgroup of the other kind of device", () => openOther({ route: "persistent" }), 6],
    ["without subgroups", () => openOther({ route: "recorded", software: true, subgroupSize: 0 }), 8],
  ] as const)(
    "%s",
    async (_, openIt, usualRuns) => {
      const device = await openIt();
      try {
        await agrees(device, usualRuns);
      } finally {
        device.close();
      }
    },
    24 * 3600_000,
  );
});
