import { afterAll, beforeAll, expect, test } from "vitest";
import { type Device, open } from "../../src/index";
import { digits } from "../../src/playground/start/digits";
import type { Experiment } from "../../src/playground/start/experiment";
import { moons } from "../../src/playground/start/moons";
import { twoLayer } from "../../src/playground/start/two-layer";

let device: Device;
beforeAll(async () => {
  device = await open({ backend: "webgpu" });
});
afterAll(() => device.close());

test.each([
  ["two-layer", twoLayer],
  ["moons", moons],
  ["digits", digits],
])("%s: the first steps that npm start takes are those of float64", async (_id, make) => {
  const experiment: Experiment = await make();
  const session = await device.compile(experiment.program);
  session.write(experiment.initial);
  for (const steps of [1, 3]) {
    const parity = await session.verify(experiment.inputs);
    expect(parity.ok, String(parity)).toBe(true);
    const { loss = new Float32Array() } = await session.run(experiment.inputs, { steps });
    expect(loss).toHaveLength(steps);
  }
  session.dispose();
});
