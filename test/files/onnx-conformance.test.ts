import { readFileSync } from "node:fs";
import { unzipSync } from "fflate";
import { expect, test } from "vitest";
import { open, reference } from "../../src/index";
import { casesOf, furthest, inGroups } from "../support/onnx-case";

const cases = casesOf(unzipSync(readFileSync(new URL("../golden/onnx-conformance.zip", import.meta.url))));

test("so many cases as the list says", () => {
  const list = readFileSync(new URL("../golden/onnx-conformance.md", import.meta.url), "utf8");
  expect(list).toContain(` ${cases.size} are in onnx-conformance.zip`);
  expect(cases.size).toBeGreaterThan(490);
});

test("float64 gives what ONNX expects", () => {
  const off: string[] = [];
  for (const [name, { program, inputs, expected }] of cases) {
    const got = reference(program).run(inputs);
    for (const [output, values] of Object.entries(expected)) {
      if (!(furthest(got[output] ?? [], values) < 1e-5)) off.push(`${name}, ${output}`);
    }
  }
  expect(off).toEqual([]);
});

test("and the CPU within their bounds", async () => {
  const device = await open({ backend: "cpu" });
  for (const { program, inputs, names } of inGroups(cases)) {
    const session = await device.compile(program);
    const report = await session.verify(inputs);
    expect(report.ok, `${names}\n${report}`).toBe(true);
    session.dispose();
  }
  device.close();
});
