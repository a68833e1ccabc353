import { describe, expect, test } from "vitest";
import { type Bounded, stepBounds } from "../../src/cpu/bounds";
import { compareStep } from "../../src/cpu/parity";
import { input, type Program, parameter, type Tensor } from "../../src/index";

const x = input([2, 3]);
const w = parameter([3]);
const program: Program = {
  inputs: { x },
  parameters: { w },
  outputs: { y: x.mul(w), total: x.sum() },
  updates: { w: w.mul(0.5).add(x.sum(0)) },
};
const expected = stepBounds(program, { w: [1.5, 2.5, 3.5] }, { x: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6] });

/** What a perfect device gives, with `change` made to it. */
function report(change: (got: { y: Float32Array; total: Float32Array; w: Float32Array }) => void = () => {}) {
  const right = (bounded: Bounded | undefined) => Float32Array.from(bounded?.values ?? []);
  const got = { y: right(expected.outputs.y), total: right(expected.outputs.total), w: right(expected.updates.w) };
  change(got);
  return compareStep(program, expected, { outputs: { y: got.y, total: got.total }, updates: { w: got.w } });
}

describe("the parity report", () => {
  test("has a row for each output and each update", () => {
    const { ok, rows } = report();
    expect(ok).toBe(true);
    expect(rows.map(({ name, shape, ok }) => [name, shape, ok])).toEqual([
      ["y", [2, 3], true],
      ["total", [], true],
      ["w", [3], true],
    ]);
  });

  test("shows the element whose error is the largest part of its bound", () => {
    const { rows } = report(({ y }) => {
      y[3] = (y[3] as number) + 1e-6; // a small element: a smaller error, and the worse one
      y[5] = (y[5] as number) + 2e-6;
    });
    const [row] = rows;
    expect(row?.ok).toBe(false);
    expect(row?.at).toEqual([1, 0]);
    expect(row?.maxError).toBeCloseTo(1e-6, 7);
    expect(row?.bound).toBe(expected.outputs.y?.bounds[3]);
  });

  test("calls what is not finite an infinite error", () => {
    for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      const { ok, rows } = report(({ w }) => {
        w[1] = wrong;
      });
      expect(ok).toBe(false);
      expect(rows[2]).toMatchObject({ ok: false, maxError: Number.POSITIVE_INFINITY, at: [1] });
    }
  });

  test("an error where the bound is 0 is one too many", () => {
    const copy: Program = { inputs: { x }, parameters: {}, outputs: { x: x.T } };
    const bounds = stepBounds(copy, {}, { x: [1, 2, 3, 4, 5, 6] });
    const compared = (...x: number[]) =>
      compareStep(copy, bounds, { outputs: { x: Float32Array.from(x) }, updates: {} });
    expect(compared(1, 4, 2, 5, 3, 6).ok).toBe(true);
    expect(compared(1, 4, 2, 5, 3, 6 + 2 ** -20).rows[0]).toMatchObject({ ok: false, at: [2, 1], bound: 0 });
  });

  /** One output of one run, as a device has it. */
  function single(build: (x: Tensor) => Tensor, values: number[], got: number[]) {
    const x = input([values.length]);
    const step: Program = { inputs: { x }, parameters: {}, outputs: { y: build(x) } };
    return compareStep(step, stepBounds(step, {}, { x: values }), {
      outputs: { y: Float32Array.from(got) },
      updates: {},
    });
  }

  test("NaN and infinity in float64 must be so here, and are no matter of bounds", () => {
    const log = (...got: number[]) => single((x) => x.log(), [0, -1, 1], got);
    expect(log(Number.NEGATIVE_INFINITY, Number.NaN, 0)).toMatchObject({ ok: true, rows: [{ unbounded: 0 }] });
    expect(log(-88.03, Number.NaN, 0).rows[0]).toMatchObject({
      ok: false,
      maxError: Number.POSITIVE_INFINITY,
      at: [0],
    });
    expect(log(Number.NEGATIVE_INFINITY, 0, 0).rows[0]).toMatchObject({ ok: false, at: [1] });
    expect(log(Number.POSITIVE_INFINITY, Number.NaN, 0).ok).toBe(false);
  });

  test("an element without a bound is not within it, and a result of nothing else is not ok", () => {
    const some = single((x) => x.sub(x.mul(2)).log(), [-1, -1e-40], [0, 5]);
    expect(some).toMatchObject({ ok: true, rows: [{ ok: true, at: [0], unbounded: 1 }] });
    expect(String(some).split("\n")[0]).toBe(
      "parity: nothing is off; 1 of 2 elements have no bound and are not judged",
    );
    const none = single((x) => x.log(), [1e-40, 1e-40], [5, 7]);
    expect(none).toMatchObject({ ok: false, rows: [{ ok: false, unbounded: 2 }] });
    expect(String(none)).toMatch(/nothing can be said of y\n.*\n.* unknown {2}2 without a bound$/);
  });

  test("a decision that rounding may turn is undecided, and not an error of 1 within a bound of 1", () => {
    const close = (x: Tensor) => x.mul(3).gt(Math.fround(0.1) * 3);
    for (const either of [0, 1]) {
      const report = single(close, [0.1, 5], [either, 1]);
      expect(report.rows[0]).toMatchObject({ ok: true, maxError: 0, bound: 0, at: [1], undecided: 1 });
      const [verdict, , row] = String(report).split("\n");
      expect(verdict).toBe("parity: nothing is off; 1 of 2 elements are decisions that rounding may turn");
      expect(row).toMatch(/ok {2}1 undecided$/);
    }
    for (const wrong of [0.5, 2, Number.NaN]) expect(single(close, [0.1, 5], [wrong, 1]).ok, `${wrong}`).toBe(false);
    expect(single(close, [0.1, 5], [0, 0]).rows[0]).toMatchObject({ ok: false, at: [1] });
  });

  test("prints as a table, the verdict first", () => {
    const lines = String(
      report(({ total }) => {
        total[0] = 0;
      }),
    ).split("\n");
    expect(lines[0]).toBe("parity: 1 of 3 results are off: total");
    expect(lines[1]).toMatch(/^name {3}shape {3}error {4}bound {4}error\/bound {2}at$/);
    expect(lines[3]).toMatch(/^total {2}\[\] {6}2\.10e\+0 {2}\S+ {2}\S+ +\[\] +OFF$/);
    expect(String(report()).split("\n")[0]).toBe("parity: all 3 results are within their bounds");
  });

  test("keeps its verdict short where many are off", () => {
    const outputs = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`y${i}`, x.add(i)]));
    const many: Program = { inputs: { x }, parameters: {}, outputs };
    const got = Object.fromEntries(Object.keys(outputs).map((name) => [name, new Float32Array(6).fill(-1)]));
    const compared = compareStep(many, stepBounds(many, {}, { x: [1, 2, 3, 4, 5, 6] }), { outputs: got, updates: {} });
    expect(String(compared).split("\n")[0]).toBe("parity: 12 of 12 results are off: y0, y1, y2 and 9 more");
  });
});
