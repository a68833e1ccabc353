import { grad, type Tensor } from "../../../index";
import { caseList, EXTREMES, shapeName } from "./case";

/** Reductions and softmax. */
const { cases, add, draw, drawIntegers } = caseList(521);
export const REDUCTIONS = cases;

type Reduce = (x: Tensor, axis?: number, keepDims?: boolean) => Tensor;
export const sum: Reduce = (x, axis, keepDims = false) => x.sum(axis, { keepDims });
export const max: Reduce = (x, axis, keepDims = false) => x.max(axis, { keepDims });
export const argmax: Reduce = (x, axis = 0) => x.argmax(axis);
for (const [op, build] of Object.entries({ sum, max, argmax })) {
  for (const shape of [[1], [7], [64], [257], [5, 3], [1, 65], [65, 1], [33, 129], [2, 3, 4], [1000, 3], [3, 1009]]) {
    shape.forEach((_, axis) => {
      add(op, `${shapeName(shape)} over ${axis}`, (x) => build(x, axis), draw(...shape));
    });
  }
  add(op, "of a transpose", (x) => build(x.T, 1), draw(17, 9));
  add(op, "of a broadcast row", (x) => build(x.broadcastTo([9, 17]), 0), draw(17));
  add(op, "[100003]", (x) => build(x, 0), draw(100_003));
  add(op, "[2, 131071] over 1", (x) => build(x, 1), draw(2, 131_071));
  add(op, "[131071, 2] over 0", (x) => build(x, 0), draw(131_071, 2));
  add(op, "[100003, 3] over 1", (x) => build(x, 1), draw(100_003, 3));
  add(op, "extreme values", (x) => build(x, 1), [[6, 6], EXTREMES]);
  add(op, "all very negative", (x) => build(x, 0), [[3], [-3e38, -3.1e38, -3.2e38]]);
  add(op, "all equal", (x) => build(x, 1), [[5, 129], new Float32Array(5 * 129).fill(-0.1)]);
}
for (const [op, build] of Object.entries({ sum, max })) {
  for (const shape of [[], [1], [1, 1], [31], [33, 65], [2, 3, 4], [700, 30], [317, 331]]) {
    add(op, `all of ${shapeName(shape)}`, (x) => build(x), draw(...shape));
  }
  add(op, "axes kept", (x) => x.div(build(x.square(), 1, true).add(1)), draw(9, 33));
}
add("sum", "mean over the rows of [100003, 3]", (x) => x.mean(0), draw(100_003, 3));
add("sum", "of integers as float32", (i) => i.toFloat32().sum(1), drawIntegers(1000, 5, 1000));
{
  const prod = (x: Tensor, axis?: number) => x.mul(1e-3).add(1).prod(axis);
  for (const shape of [[1], [64], [5, 3], [33, 129], [2, 3, 4], [3, 1009]])
    shape.forEach((_, axis) => {
      add("prod", `${shapeName(shape)} over ${axis}`, (x) => prod(x, axis), draw(...shape));
    });
  add("prod", "[2, 131071] over 1", (x) => prod(x, 1), draw(2, 131_071));
  for (const shape of [[], [33, 65], [700, 30]])
    add("prod", `all of ${shapeName(shape)}`, (x) => prod(x), draw(...shape));
  add("prod", "numbers of either sign, zeros among them", (x) => x.prod(1), [
    [4, 5],
    [1, -2, 3, -0.5, 4, 0, 1, 2, 3, 4, -0.1, 0, 0, 5, 1, 1e-20, 1e-20, 1e30, 7, 1],
  ]);
  add("prod", "gradient, with zeros", (x) => grad(x.prod(1).square().sum(), [x])[0] as Tensor, [
    [4, 3],
    [2, 3, -4, 0, 3, 4, 0, 0, 5, 0.1, -0.2, 0.3],
  ]);
}
add("argmax", "first of equals", (x) => x.argmax(1), [[3, 300], Float32Array.from({ length: 900 }, (_, i) => i % 7)]);
add("argmax", "first of equals, many lanes", (x) => x.argmax(0), [
  [100_003],
  Float32Array.from({ length: 100_003 }, (_, i) => i % 1009),
]);
add("max", "gradient, with ties", (x) => grad(x.max(1).sum(), [x])[0] as Tensor, [
  [3, 70],
  Float32Array.from({ length: 210 }, (_, i) => i % 35),
]);
add(
  "max",
  "gradient of what was computed",
  (x) => grad(x.tanh().mul(3).max(1).square().sum(), [x])[0] as Tensor,
  draw(9, 33),
);

// Softmax -----------------------------------------------------------------------------------------------------------

for (const [op, build] of [
  ["softmax", (x: Tensor, axis?: number) => x.softmax(axis)],
  ["logSoftmax", (x: Tensor, axis?: number) => x.logSoftmax(axis)],
] as const) {
  for (const shape of [[1], [1, 1], [1, 7], [5, 1], [33, 10], [64, 65], [3, 1025], [2, 100_003]]) {
    add(op, shapeName(shape), (x) => build(x), draw(...shape));
  }
  add(op, "[10, 33] over 0", (x) => build(x, 0), draw(10, 33));
  add(op, "[2, 3, 4] over 1", (x) => build(x, 1), draw(2, 3, 4));
  add(op, "extreme values", (x) => build(x), [[12, 3], EXTREMES]);
  add(op, "one far above the others", (x) => build(x), [
    [3, 3],
    [1e4, -1e4, 0, 3e38, 0, 1, 88.7, -88.7, 0],
  ]);
  add(op, "all equal", (x) => build(x), [[2, 65], new Float32Array(130).fill(1e4)]);
  add(op, "gradient", (x, y) => grad(build(x).mul(y).sum(), [x])[0] as Tensor, draw(17, 33), draw(17, 33));
}
add(
  "logSoftmax",
  "cross entropy and its gradient",
  (x, i) => grad(x.logSoftmax().mul(i.oneHot(10)).sum().neg(), [x])[0] as Tensor,
  draw(33, 10),
  drawIntegers(10, 33),
);
