import { expect, test } from "vitest";
import { open } from "../../src/index";
import { inputs, ownProgram, RULES, STEPS, trained } from "./optimizers";

test("adam on a schedule in a program of one's own has the bits of the trainer on WebGPU", async () => {
  const device = await open({ backend: "webgpu" });
  const [optimizer, options = {}] = RULES["adam on a schedule, clipped"] as (typeof RULES)[string];
  const { first, last, loss } = await trained(device, optimizer, options.clipNorm);
  const session = await device.compile(ownProgram(optimizer, options));
  session.write(first);
  expect((await session.run(inputs, { steps: STEPS })).loss).toEqual(loss);
  for (const [weight, values] of Object.entries(last)) expect(await session.read(weight)).toEqual(values);
  expect((await session.verify(inputs)).ok).toBe(true);
  device.close();
});
