import { describe, expect, test } from "vitest";
import { constant, input, iota, random, reference, type Tensor } from "../../src/index";
import { sizeOf } from "../../src/util/shape";

const x = (...shape: number[]) => input(shape);
const whole = (...shape: number[]) => input(shape, "int32");

/** The value of `y` in float64, x being 0, 1, 2, … where it is needed. */
function evaluated(y: Tensor, inputs: Record<string, Tensor> = {}): number[] {
  const values = Object.fromEntries(
    Object.entries(inputs).map(([name, { shape }]) => [
      name,
      Float64Array.from({ length: sizeOf(shape) }, (_, i) => i),
    ]),
  );
  const program = { inputs, parameters: {}, outputs: { y } };
  return Array.from(reference(program).run(values).y as Float64Array);
}

describe("a tensor's shape and type are known when it is built", () => {
  const shapes: [string, Tensor, number[]][] = [
    ["add, equal", x(2, 3).add(x(2, 3)), [2, 3]],
    ["add, a row", x(2, 3).add(x(3)), [2, 3]],
    ["add, a row first", x(3).add(x(2, 3)), [2, 3]],
    ["add, column and row", x(2, 1).add(x(1, 3)), [2, 3]],
    ["add, vector and column", x(3).sub(x(2, 1)), [2, 3]],
    ["add, four axes", x(2, 1, 4, 1).mul(x(3, 1, 5)), [2, 3, 4, 5]],
    ["add, scalars", x().add(x()), []],
    ["a number", x(2, 3).mul(2), [2, 3]],
    ["mask", x(2, 1).mask(x(3)), [2, 3]],
    ["matmul", x(2, 3).matmul(x(3, 4)), [2, 4]],
    ["matmul, three axes", x(5, 2, 3).matmul(x(3, 4)), [5, 2, 4]],
    ["T", x(2, 3).T, [3, 2]],
    ["T, the last two", x(5, 2, 3).T, [5, 3, 2]],
    ["reshape", x(2, 3).reshape([3, 1, 2]), [3, 1, 2]],
    ["slice", x(9, 3).slice(0, 1, -1, 3), [3, 3]],
    ["slice backwards", x(9, 3).slice(-2, -1, 2, -2), [3, 3]],
    ["slice beyond the ends", x(5).slice(0, -9, 9), [5]],
    [
      "pad",
      x(2, 3).pad([
        [1, 0],
        [2, 3],
      ]),
      [3, 8],
    ],
    ["reshape to a scalar", x(1, 1).reshape([]), []],
    ["broadcastTo", x(3, 1).broadcastTo([2, 3, 4]), [2, 3, 4]],
    ["sum of all", x(2, 3).sum(), []],
    ["sum of all, kept", x(2, 3).sum(undefined, { keepDims: true }), [1, 1]],
    ["sum over 0", x(2, 3, 4).sum(0), [3, 4]],
    ["mean over 1, kept", x(2, 3, 4).mean(1, { keepDims: true }), [2, 1, 4]],
    ["max over -1", x(2, 3, 4).max(-1), [2, 3]],
    ["argmax", x(2, 3, 4).argmax(-2), [2, 4]],
    ["softmax", x(2, 3).softmax(), [2, 3]],
    ["logSoftmax over 0", x(2, 3).logSoftmax(0), [2, 3]],
    ["oneHot", whole(2, 3).oneHot(4), [2, 3, 4]],
    ["take", x(5, 3).take(whole(2, 4)), [2, 4, 3]],
    ["take along the last axis", x(5, 3).take(whole(2, 4), -1), [5, 2, 4]],
    ["take by a number", x(5, 3).take(whole(), 1), [5]],
    ["takeAlong", x(5, 3).takeAlong(whole(5, 7), 1), [5, 7]],
    ["takeAlong, both repeated", x(1, 3, 2).takeAlong(whole(4, 6, 1), -2), [4, 6, 2]],
    ["scatterAdd", x(5, 3).scatterAdd(whole(2, 4), x(2, 4, 3)), [5, 3]],
    ["scatterAdd to a vector", x(5).scatterAdd(whole(2), x(2)), [5]],
    ["take of a vector", x(5).take(whole(2)), [2]],
    ["random", random([2, 3], whole(), 1), [2, 3]],
    ["iota", iota(4), [4]],
  ];
  for (const [name, { shape }, expected] of shapes) test(name, () => expect(shape).toEqual(expected));

  const types: [string, Tensor, string][] = [
    ["input", x(2), "float32"],
    ["an int32 input", whole(2), "int32"],
    ["arithmetic of int32", whole(2).add(1).mul(whole(2)).maximum(0), "int32"],
    ["a comparison of int32", whole(2).gt(0), "float32"],
    ["argmax", x(2).argmax(0), "int32"],
    ["oneHot", whole(2).oneHot(3), "float32"],
    ["toInt32", x(2).toInt32(), "int32"],
    ["toFloat32", whole(2).toFloat32(), "float32"],
    ["views of int32", whole(2, 3).T.reshape([6]), "int32"],
    ["take of int32", whole(4).take(whole(2)), "int32"],
    ["mask by int32", x(2).mask(whole(2)), "float32"],
  ];
  for (const [name, { dtype }, expected] of types) test(`the type of ${name}`, () => expect(dtype).toBe(expected));

  test("what changes nothing is the tensor itself", () => {
    const t = x(2, 3);
    expect(t.reshape([2, 3])).toBe(t);
    expect(t.broadcastTo([2, 3])).toBe(t);
    expect(t.toFloat32()).toBe(t);
  });
  test("a shape that was given may be changed afterwards", () => {
    const shape = [2, 3];
    const t = input(shape);
    shape[0] = 7;
    expect(t.shape).toEqual([2, 3]);
  });
  test("a constant keeps its own numbers", () => {
    const values = [1, 2];
    const t = constant(values, [2]);
    values[0] = 9;
    expect(evaluated(t)).toEqual([1, 2]);
  });
});

describe("values follow NumPy", () => {
  const a = x(2, 3);
  const [row, column] = [x(3), x(2, 1)];
  test("broadcasting", () => {
    expect(evaluated(a.add(row), { a, row })).toEqual([0, 2, 4, 3, 5, 7]);
    expect(evaluated(a.add(column), { a, column })).toEqual([0, 1, 2, 4, 5, 6]);
    expect(evaluated(row.mul(column), { row, column })).toEqual([0, 0, 0, 0, 1, 2]);
    expect(evaluated(row.broadcastTo([2, 3]), { row })).toEqual([0, 1, 2, 0, 1, 2]);
  });
  test("views", () => {
    const b = x(2, 2, 3);
    expect(evaluated(a.T, { a })).toEqual([0, 3, 1, 4, 2, 5]);
    expect(evaluated(b.T, { b })).toEqual([0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11]);
    expect(evaluated(a.T.reshape([6]), { a })).toEqual([0, 3, 1, 4, 2, 5]);
  });
  test("reductions", () => {
    expect(evaluated(a.sum(0), { a })).toEqual([3, 5, 7]);
    expect(evaluated(a.sum(1), { a })).toEqual([3, 12]);
    expect(evaluated(a.mean(), { a })[0]).toBeCloseTo(2.5, 15);
    expect(evaluated(a.neg().max(0), { a })).toEqual([-0, -1, -2]);
    expect(evaluated(a.argmax(1), { a })).toEqual([2, 2]);
    expect(evaluated(a.mul(0).argmax(1), { a })).toEqual([0, 0]); // the first of equals
  });
  test("matmul, of three axes too", () => {
    const [b, w] = [x(2, 2, 3), x(3, 2)];
    expect(evaluated(a.matmul(w), { a, w })).toEqual([10, 13, 28, 40]);
    expect(evaluated(b.matmul(w), { b, w })).toEqual([10, 13, 28, 40, 46, 67, 64, 94]);
  });
  test("softmax sums to 1 and is finite at the ends of float32", () => {
    const large = constant([3e38, -3e38, 1000, 0, 1000, 1e4], [2, 3]);
    expect(evaluated(large.softmax())).toEqual([1, 0, 0, 0, 0, 1]);
    expect(evaluated(a.softmax(0).sum(0), { a }).map((sum) => Math.abs(sum - 1) < 1e-15)).toEqual([true, true, true]);
    expect(evaluated(a.logSoftmax().exp().sum(), { a })[0]).toBeCloseTo(2, 14);
  });
  test("take holds an index to the rows; oneHot gives zeros for it", () => {
    const indices = constant([-1, 2, 9], [3]).toInt32();
    expect(evaluated(row.take(indices), { row })).toEqual([0, 2, 2]);
    expect(evaluated(indices.oneHot(3))).toEqual([0, 0, 0, 0, 0, 1, 0, 0, 0]);
  });
  test("comparisons, mask and integers", () => {
    expect(evaluated(row.ge(1), { row })).toEqual([0, 1, 1]);
    expect(evaluated(row.mask(row.gt(1)), { row })).toEqual([0, 0, 2]);
    expect(evaluated(row.sub(1).mul(1.7).toInt32(), { row })).toEqual([-1, 0, 1]);
    expect(evaluated(row.maximum(1).minimum(1.5), { row })).toEqual([1, 1, 1.5]);
  });
  test("random is uniform in [0, 1), the same for the same counter, another for the next", () => {
    const draw = (counter: number, seed: number) => evaluated(random([1000], constant([counter], []).toInt32(), seed));
    const first = draw(1, 5);
    expect(draw(1, 5)).toEqual(first);
    expect(draw(2, 5)).not.toEqual(first);
    expect(draw(1, 6)).not.toEqual(first);
    expect(Math.min(...first)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...first)).toBeLessThan(1);
    expect(first.reduce((a, b) => a + b) / 1000).toBeCloseTo(0.5, 1);
  });
});
