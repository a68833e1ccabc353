import { describe, expect, test } from "vitest";
import { attention, grad, input, open, reference, ShapeError, type Tensor } from "../../src/index";
import { normal } from "./numbers";

const tensors = (...shapes: number[][]) => shapes.map((shape) => input(shape)) as Tensor[];

describe("attention", () => {
  test("a causal query sees nothing behind it: what comes later changes nothing before", () => {
    const [q, k, v] = tensors([2, 5, 4], [2, 5, 4], [2, 5, 3]) as [Tensor, Tensor, Tensor];
    const program = { inputs: { q, k, v }, parameters: {}, outputs: { y: attention(q, k, v, { causal: true }) } };
    const given = { q: normal(40, 1), k: normal(40, 2), v: normal(30, 3) };
    const before = reference(program).run(given).y as Float64Array;
    const later = { ...given, k: given.k.slice(), v: given.v.slice() };
    // The last key and value of both in the batch.
    for (const at of [16, 36]) later.k.fill(7, at, at + 4);
    for (const at of [12, 27]) later.v.fill(-9, at, at + 3);
    const after = reference(program).run(later).y as Float64Array;
    const rows = (y: Float64Array) => [...y.subarray(0, 12), ...y.subarray(15, 27)];
    expect(rows(after)).toEqual(rows(before));
    expect(after[12]).not.toBe(before[12]);
    // The first query sees the first value alone.
    expect([...before.subarray(0, 3)]).toEqual([...given.v.subarray(0, 3)]);
  });

  test("heads, a mask that broadcasts and derivatives are within their bounds on the CPU", async () => {
    const [q, k, v, mask, w] = tensors([2, 3, 5, 4], [2, 1, 7, 4], [2, 1, 7, 6], [5, 7], [2, 3, 5, 6]) as Tensor[];
    const y = attention(q as Tensor, k as Tensor, v as Tensor, { mask: mask as Tensor, scale: 0.3 });
    const [dq, dk, dv, dm] = grad(y.mul(w as Tensor).sum(), [q, k, v, mask] as Tensor[]);
    const inputs = { q, k, v, mask, w } as Record<string, Tensor>;
    const program = { inputs, parameters: {}, outputs: { y, dq, dk, dv, dm } as Record<string, Tensor> };
    const device = await open({ backend: "cpu" });
    const session = await device.compile(program);
    const given = Object.fromEntries(
      Object.entries(inputs).map(([name, { shape }], i) => [
        name,
        normal(
          shape.reduce((a, b) => a * b),
          i + 1,
        ),
      ]),
    );
    const report = await session.verify(given);
    expect(report.ok, `${report}`).toBe(true);
    device.close();
  });

  test("sizes that do not fit are named with both shapes", () => {
    const [q, k, v] = tensors([2, 5, 4], [2, 6, 3], [2, 7, 3]) as [Tensor, Tensor, Tensor];
    expect(() => attention(q, k, v)).toThrow(ShapeError);
    expect(() => attention(q, k, v)).toThrow("q is [2, 5, 4] and k [2, 6, 3]; their last axes must be equal");
    expect(() => attention(k, k, v)).toThrow("k is [2, 6, 3] and v [2, 7, 3]");
  });
});
