import { unzipSync } from "fflate";
import { describe, expect, test } from "vitest";
import { open } from "../../src/index";
import { casesOf, inGroups } from "../support/onnx-case";

describe.each(["recorded", "persistent"] as const)("on the %s route", (route) => {
  test("the conformance cases of ONNX are within their bounds", async () => {
    const file = await fetch(new URL("../golden/onnx-conformance.zip", import.meta.url));
    const cases = casesOf(unzipSync(new Uint8Array(await file.arrayBuffer())));
    const device = await open({ backend: "webgpu", route, tuning: null });
    for (const { program, inputs, names } of inGroups(cases)) {
      const session = await device.compile(program);
      const report = await session.verify(inputs);
      expect(report.ok, `${names}\n${report}`).toBe(true);
      session.dispose();
    }
    device.close();
  });
});
