import { unzipSync } from "fflate";
import { describe, expect, test } from "vitest";
import { open } from "../../src/index";
import { casesOf, inGroups } from "../support/onnx-case";

/** A test each, so that none takes so long that it seems to hang. */
const SHARES = 3;

describe.each(["recorded", "persistent"] as const)("on the %s route", (route) => {
  test.each([...Array(SHARES).keys()])(
    "the conformance cases of ONNX are within their bounds, share %i",
    async (share) => {
      const file = await fetch(new URL("../golden/onnx-conformance.zip", import.meta.url));
      const cases = casesOf(unzipSync(new Uint8Array(await file.arrayBuffer())));
      const device = await open({ backend: "webgpu", route, tuning: null });
      const groups = inGroups(cases).filter((_, i) => i % SHARES === share);
      expect(groups.length).toBeGreaterThan(15);
      for (const { program, inputs, names } of groups) {
        const session = await device.compile(program);
        const report = await session.verify(inputs);
        expect(report.ok, `${names}\n${report}`).toBe(true);
        session.dispose();
      }
      device.close();
    },
  );
});
