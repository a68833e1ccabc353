import { describe, expect, test } from "vitest";
import { CASES } from "../kernels/cases";
import { compiled } from "./wasm";

describe("every case of the kernels' table, in WebAssembly", () => {
  for (const { name, program, parameters, inputs } of CASES) {
    test(name, async () => {
      const { session } = await compiled(program);
      session.write(parameters);
      const report = await session.verify(inputs);
      expect(report.ok, String(report)).toBe(true);
    });
  }
});
