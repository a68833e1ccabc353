import fc from "fast-check";
import { expect, test } from "vitest";
import { type Lifetime, place } from "../../src/plan/place";

test("a small buffer that lives long keeps no large allocation from the large ones", () => {
  const [large, small] = [1024, 16];
  const lifetimes: Lifetime[] = [
    { bytes: large, span: [0, 1] },
    { bytes: small, span: [2, 9] },
    { bytes: large, span: [3, 4] },
    { bytes: large, span: [5, 6] },
  ];
  const { allocationOf, allocations } = place(lifetimes);
  expect(allocations).toEqual([large, small]);
  expect(allocationOf).toEqual([0, 1, 0, 0]);
});

test("buffers that live at once, or throughout, lie apart, each where it has room", () => {
  const span = fc.tuple(fc.nat(20), fc.nat(5)).map(([from, length]) => [from, from + length] as const);
  const lifetime = fc.record({ bytes: fc.integer({ min: 1, max: 50 }), span: fc.option(span, { nil: null }) });
  fc.assert(
    fc.property(fc.array(lifetime, { maxLength: 30 }), (lifetimes) => {
      const { allocationOf, allocations } = place(lifetimes);
      lifetimes.forEach(({ bytes, span }, i) => {
        expect(allocations[allocationOf[i] as number]).toBeGreaterThanOrEqual(bytes);
        lifetimes.slice(0, i).forEach((other, j) => {
          if (allocationOf[i] !== allocationOf[j]) return;
          expect(span).not.toBe(null);
          expect(other.span).not.toBe(null);
          const [[a, b], [c, d]] = [span, other.span] as [[number, number], [number, number]];
          expect(b < c || d < a).toBe(true);
        });
      });
    }),
    { numRuns: 200 },
  );
});
