import { describe, expect, test } from "vitest";
import { open } from "../../src/index";
import { expected, FUNCTIONS, readFunctions } from "../support/torch-functions";

describe.each(["recorded", "persistent"] as const)("on the %s route", (route) => {
  test("functions and their derivatives, which are PyTorch's in float64, are within their bounds", async () => {
    const golden = await readFunctions();
    const device = await open({ backend: "webgpu", route, tuning: null });
    for (const name of Object.keys(FUNCTIONS)) {
      const { program, inputs } = expected(golden, name);
      const session = await device.compile(program);
      const report = await session.verify(inputs);
      expect(report.ok, `${name}\n${report}\n${session.explain()}`).toBe(true);
      session.dispose();
    }
    device.close();
  }, 300_000);
});
