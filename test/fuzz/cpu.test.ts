import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { OPS } from "../../src/graph/ops";
import { topological } from "../../src/graph/tensor";
import { type Device, open } from "../../src/index";
import { fuzzed } from "./programs";
import { agrees } from "./properties";

let device: Device;
beforeAll(async () => {
  device = await open({ backend: "cpu" });
});
afterAll(() => device.close());

test("random programs over every call agree with float64, step by step", () => agrees(device, 60), 24 * 3600_000);

test("every operation of the table is in some of them", () => {
  const seen = new Set<string>();
  for (const { program } of fc.sample(fuzzed, { numRuns: 1000, seed: 1 })) {
    for (const { op } of topological([...Object.values(program.outputs), ...Object.values(program.updates ?? {})]))
      seen.add(op);
  }
  expect(Object.keys(OPS).filter((op) => !seen.has(op))).toEqual([]);
});
