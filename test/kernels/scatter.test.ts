import { expect, test } from "vitest";
import { input, open, reference } from "../../src/index";
import { expectInOrder } from "../support/scatter-order";

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
