import { describe, expect, test } from "vitest";
import { open } from "../../src/index";
import { FUNCTIONS, readFunctions, sideBySide } from "../support/torch-functions";

describe.each(["recorded", "persistent"] as const)("on the %s route", (route) => {
  test("functions and their derivatives, which are PyTorch's in float64, are within their bounds", async () => {
    const golden = await readFunctions();
    const device = await open({ backend: "webgpu", route, tuning: null });
    const names = Object.keys(FUNCTIONS);
    // The more text a kernel has the longer it takes to compile; dispatches have their own.
    const many = route === "recorded" ? 8 : 2;
    for (let from = 0; from < names.length; from += many) {
      const { program, inputs } = sideBySide(golden, names.slice(from, from + many));
      const session = await device.compile(program);
      const report = await session.verify(inputs);
      expect(report.ok, `${report}\n${session.explain()}`).toBe(true);
      session.dispose();
    }
    device.close();
  }, 300_000);
});
