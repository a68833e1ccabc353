import { constant, iota, type Program, parameter, random } from "../../../index";
import { normal } from "../numbers";
import { caseList, shapeName } from "./case";

/** What nothing computes: broadcast, inputs, parameters, constants, random numbers. */
const { cases, add, draw, drawIntegers } = caseList(510);
export const LEAVES = cases;

for (const [from, to] of [
  [[], [3, 4]],
  [[5], [3, 5]],
  [
    [5, 1],
    [5, 7],
  ],
  [
    [2, 1, 3],
    [4, 2, 5, 3],
  ],
] as const) {
  add("broadcast", `${shapeName(from)} to ${shapeName(to)}`, (x) => x.broadcastTo(to), draw(...from));
}
add("broadcast", "of a transpose", (x) => x.T.broadcastTo([3, 5, 4]), draw(4, 5));
add("input", "as an output", (x) => x, draw(3, 5));
add("input", "int32 as an output", (i) => i, drawIntegers(50, 7));
add("constant", "as an output", (x) => constant(normal(35, 5), [5, 7]).add(x.mul(0)), draw(7));
add("constant", "alone", () => constant(normal(35, 5), [5, 7]));
add("iota", "as an output", () => iota(100));
add("iota", "beside rows", (x) => x.mul(iota(7).toFloat32()), draw(5, 7));
add("eq", "oneHot", (i) => i.oneHot(10), drawIntegers(12, 33));
add("eq", "oneHot of two axes", (i) => i.oneHot(3), drawIntegers(4, 5, 7));
for (const shape of [[1], [1000], [33, 65]]) {
  add("random", shapeName(shape), (counter) => random(shape, counter, 12345), [[], Int32Array.of(-7)]);
}
add("random", "large counters", (counter) => random([50], counter, -1), [[1], Int32Array.of(2 ** 31 - 1)]);
{
  const [w, v] = [parameter([7, 5]), parameter([7, 5])];
  const parameters = { w: normal(35, 1), v: normal(35, 2) };
  const step = (name: string, more: Pick<Program, "outputs" | "updates">) =>
    cases.push({
      op: "parameter",
      name: `parameter: ${name}`,
      parameters,
      inputs: {},
      program: { inputs: {}, parameters: { w, v }, ...more },
    });
  step("as an output", { outputs: { y: w, z: v.T } });
  step("unchanged by its update", { outputs: {}, updates: { w } });
  step("two swapped", { outputs: {}, updates: { w: v, v: w } });
  step("two swapped and changed", { outputs: { y: w }, updates: { w: v.add(w), v: w.sub(v) } });
  step("replaced by a transpose of itself", { outputs: {}, updates: { w: w.T.reshape([7, 5]) } });
  step("replaced by its rows' sums", { outputs: {}, updates: { w: w.sum(1, { keepDims: true }).broadcastTo([7, 5]) } });
  step("one value for two", { outputs: {}, updates: { w: w.mul(0.5), v: w.mul(0.5) } });
  step("by a product with itself", {
    outputs: {},
    updates: { w: w.matmul(w.T).matmul(w), v: w.sub(v.square().sum()) },
  });
}
