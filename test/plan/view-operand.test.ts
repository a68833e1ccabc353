import fc from "fast-check";
import { expect, test } from "vitest";
import { canonical, elementAt } from "../../src/graph/view";
import { termsOf } from "../../src/webgpu/codegen/view-operand";
import type { Axis } from "../../src/webgpu/codegen/wgsl";

/** WGSL of a sum of terms as a function of the coordinates. */
function evaluated(terms: readonly string[], at: Readonly<Record<string, number>>): number {
  return terms.reduce((sum, term) => {
    const script = term.replace(/(\d+)u/g, "$1").replace(/(\w+) \/ (\d+)/g, "Math.floor($1 / $2)");
    return (sum + Number(new Function(...Object.keys(at), `return ${script}`)(...Object.values(at)))) >>> 0;
  }, 0);
}

test("an index through a view is the sum of what each axis of a product adds to it", () => {
  const parts = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 3 });
  const strides = fc.array(fc.integer({ min: -3, max: 9 }), { minLength: 9, maxLength: 9 });
  let cut = 0;
  fc.assert(
    fc.property(parts, parts, parts, strides, fc.boolean(), (batch, rows, columns, by, meeting) => {
      const cuts = [...batch, ...rows, ...columns];
      // Neighbours that step as one are one axis of the access, even where one is of the rows and one of the columns.
      const steps = meeting
        ? cuts.map((_, i) => cuts.slice(i + 1).reduce((a, b) => a * b, 2))
        : cuts.map((_, i) => by[i] as number);
      const access = canonical(cuts, steps);
      const size = (lengths: readonly number[]) => lengths.reduce((a, b) => a * b, 1);
      const axes: Axis[] = [
        { name: "batch", length: size(batch) },
        { name: "row", length: size(rows) },
        { name: "column", length: size(columns) },
      ];
      const terms = termsOf(axes, access);
      if (terms === null) throw new Error("no terms");
      if (access.shape.length < cuts.filter((length) => length > 1).length) cut++;
      const [, M, N] = axes.map(({ length }) => length) as [number, number, number];
      for (let flat = 0; flat < size(cuts); flat++) {
        const at = { batch: Math.floor(flat / (M * N)), row: Math.floor(flat / N) % M, column: flat % N };
        expect(evaluated([...terms.values()].flat(), at)).toBe(elementAt(access, flat) >>> 0);
      }
      // What an axis adds speaks of that axis alone.
      for (const [{ name }, own] of terms) for (const term of own) expect(term).toMatch(new RegExp(`^\\W*${name}\\b`));
    }),
    { numRuns: 120, seed: 4 },
  );
  expect(cut).toBeGreaterThan(0);
});

test("where an axis of the view lies across two of the product's there are no terms", () => {
  const axes = [
    { name: "row", length: 6 },
    { name: "column", length: 4 },
  ];
  expect(termsOf(axes, canonical([4, 6], [10, 1]))).toBe(null);
});
