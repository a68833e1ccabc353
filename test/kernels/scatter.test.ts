import { expect, test } from "vitest";
import { input, open, reference } from "../../src/index";
import { expectInOrder } from "../support/scatter-order";
import { expectUpdates } from "../support/scatter-updates";

test("values are added to a row in the order of their indices, on the CPU", async () => {
  const device = await open({ backend: "cpu" });
  await expectInOrder(device);
  device.close();
});

test("and in float64, where the order shows too", () => {
  const [x, i, v] = [input([1]), input([3], "int32"), input([3])];
  const sum = reference({ inputs: { x, i, v }, parameters: {}, outputs: { y: x.scatterAdd(i, v) } });
  const given = (v: number[]) => ({ x: [0], i: Int32Array.of(0, 0, 0), v });
  expect(sum.run(given([2 ** 60, 1, -(2 ** 60)])).y).toEqual(Float64Array.of(0));
  expect(sum.run(given([2 ** 60, -(2 ** 60), 1])).y).toEqual(Float64Array.of(1));
});

test("tables are changed in place, and whatever reads them, on the CPU", async () => {
  const device = await open({ backend: "cpu" });
  const shapes = [
    [1, 1],
    [1, 7],
    [5, 1],
    [7, 9],
  ] as const;
  await expectUpdates(device, shapes);
  device.close();
});
