import { expect, test } from "vitest";
import { CASES } from "../kernels/cases";
import { compiled } from "./wasm";

// Chrome has relaxed SIMD, which the oldest Node that we run on has not: the same cases with fused multiply-adds.
test("every case of the kernels' table, in Chrome's WebAssembly", async () => {
  const routes = new Set<string | undefined>();
  for (const { name, program, parameters, inputs } of CASES) {
    const { session } = await compiled(program);
    session.write(parameters);
    const report = await session.verify(inputs);
    expect(report.ok, `${name}\n${report}`).toBe(true);
    routes.add(session.explain().split("\n")[1]);
    session.dispose();
  }
  expect([...routes]).toEqual(["route: cpu, wasm simd, float32, relaxed multiply-add"]);
});
