import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { OPS } from "../../src/graph/ops";
import { type Device, open } from "../../src/index";
import { CASES } from "./cases";

let device: Device;
beforeAll(async () => {
  device = await open({ backend: "cpu" });
});
afterAll(() => device.close());

describe("every case of the kernels' table, on the CPU", () => {
  for (const { name, program, parameters, inputs } of CASES) {
    test(name, async () => {
      const session = await device.compile(program);
      session.write(parameters);
      const report = await session.verify(inputs);
      expect(report.ok, String(report)).toBe(true);
      session.dispose();
    });
  }
});

test.each(Object.keys(OPS))("%s has a case", (op) => {
  expect(CASES.filter((each) => each.op === op).length).toBeGreaterThan(0);
});

test("names of cases differ", () => {
  expect(new Set(CASES.map(({ name }) => name)).size).toBe(CASES.length);
});
