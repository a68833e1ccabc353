import { describe, expect, test } from "vitest";
import { attention, constant, grad, input, open, parameter, reference, ShapeError, type Tensor } from "../../src/index";
import { compile } from "../../src/webgpu/codegen/compile";
import { makersOf, SOFTWARE } from "../plan/programs";
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

  /** As attention is defined, all scores at once. */
  function plain(q: Tensor, k: Tensor, v: Tensor, mask: Tensor, causal: boolean): Tensor {
    const [T, S] = [q.shape.at(-2) as number, k.shape.at(-2) as number];
    const unseen = Float64Array.from({ length: T * S }, (_, i) => (causal && i % S > Math.floor(i / S) ? -1e30 : 0));
    return q
      .mul(0.5)
      .matmul(k.T)
      .add(mask)
      .add(constant(unseen, [T, S]))
      .softmax(-1)
      .matmul(v);
  }

  test.each([false, true])(
    "long sequences, in strips, are as all at once, and so are their derivatives: causal %s",
    (causal) => {
      const [T, S] = [300, 257];
      const [q, k, v, mask, w] = tensors([2, T, 2], [2, S, 2], [2, S, 3], [S], [2, T, 3]) as Tensor[] as [
        Tensor,
        Tensor,
        Tensor,
        Tensor,
        Tensor,
      ];
      const inputs = { q, k, v, mask, w };
      const of = (y: Tensor) => {
        const [dq, dk, dv, dm] = grad(y.mul(w).sum(), [q, k, v, mask]);
        return { y, dq, dk, dv, dm };
      };
      const given = Object.fromEntries(
        Object.entries(inputs).map(([name, { shape }], i) => [
          name,
          normal(
            shape.reduce((a, b) => a * b),
            i + 1,
          ),
        ]),
      );
      const run = (outputs: Record<string, Tensor>) => reference({ inputs, parameters: {}, outputs }).run(given);
      const strips = run(of(attention(q, k, v, { mask, scale: 0.5, causal })));
      const once = run(of(plain(q, k, v, mask, causal)));
      for (const [name, values] of Object.entries(strips)) {
        const other = once[name] as Float64Array;
        expect(values.length).toBe(other.length);
        const far = values.reduce((most, value, i) => Math.max(most, Math.abs(value - (other[i] as number))), 0);
        expect(far, name).toBeLessThan(1e-12);
      }
    },
  );

  test("training on long sequences is within its bounds, and holds no scores but those of a strip", async () => {
    const trained = (T: number) => {
      const x = input([1, T, 4]);
      const w = parameter([4, 4]);
      const q = x.matmul(w);
      const loss = attention(q, q, x, { causal: true }).square().sum();
      const [dw] = grad(loss, [w]);
      return { inputs: { x }, parameters: { w }, outputs: { loss }, updates: { w: w.sub(dw.mul(1e-3)) } };
    };
    const device = await open({ backend: "cpu" });
    const bytes: number[] = [];
    for (const T of [512, 1024]) {
      const session = await device.compile(trained(T));
      if (T === 512)
        expect(`${await session.verify({ x: normal(4 * T, 1) })}`).toContain("all 2 results are within their bounds");
      bytes.push(device.memory().bytes);
      session.dispose();
    }
    device.close();
    // All scores would be four times as much; what each strip owes to keys and values is added up at the end.
    expect((bytes[1] as number) / (bytes[0] as number)).toBeLessThan(2.5);
    expect(bytes[1]).toBeLessThan(1.5 * 4 * 1024 ** 2);
    const { buffers, allocations } = compile(trained(1024), SOFTWARE, makersOf(SOFTWARE, "recorded"));
    const between = buffers.filter(({ role }) => role === "intermediate");
    expect(Math.max(...between.map(({ elements }) => elements))).toBeLessThanOrEqual(128 * 1024);
    const used = new Set(between.map(({ allocation }) => allocation));
    expect(allocations.reduce((sum, each, i) => sum + (used.has(i) ? each : 0), 0)).toBeLessThan(4 * 1024 ** 2);
  });
});
