import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { canonical } from "../../src/graph/view";
import { Axes, alongRows, type Cuts, cutsOf, overScalars, overVectors, type Site } from "../../src/wasm/domain";
import { FunctionBody, type Value } from "../../src/wasm/scope";

/** Every point that a visit reaches, loops run for real: counters by the local that holds them. */
function points(lengths: readonly number[], unroll: number, cuts: Cuts = []): string[] {
  const loops = new Map<number, { end: number; step: number; above: Value | null }>();
  const visits: { sites: readonly Site[] }[] = [];
  const f = new FunctionBody(0, false);
  const scopes: { scope: object; counter: number; start: number; end: number; step: number }[] = [];
  const prototype = Object.getPrototypeOf(f.root) as { loop: (typeof f.root)["loop"] };
  const { loop } = prototype;
  prototype.loop = function (start, end, step, inside) {
    loop.call(this, start, end, step, (scope, counter) => {
      scopes.push({ scope, counter: counter.local, start, end: end as number, step });
      inside(scope, counter);
    });
  };
  try {
    overVectors(f.root, lengths, (_scope, sites) => visits.push({ sites }), unroll, cuts);
  } finally {
    prototype.loop = loop;
  }
  void loops;
  const found: string[] = [];
  for (const { sites } of visits) {
    for (const { coordinates, valid } of sites) {
      for (const { counter, range } of coordinates) {
        if (counter === null || range === undefined) continue;
        const loop = scopes.find((each) => each.counter === counter.local) as (typeof scopes)[number];
        expect(range).toEqual([loop.start / 4, (loop.end - loop.step) / 4]);
      }
      const counters = [...new Set(coordinates.flatMap(({ counter }) => (counter ? [counter.local] : [])))];
      const run = (i: number, values: ReadonlyMap<number, number>): void => {
        const counter = counters[i];
        if (counter === undefined) {
          for (let lane = 0; lane < valid; lane++) {
            const at = coordinates.map(({ counter, lanes }) => {
              const offset = (lanes.length === 1 ? lanes[0] : lanes[lane]) as number;
              return (counter ? (values.get(counter.local) as number) / 4 : 0) + offset;
            });
            found.push(at.join());
          }
          return;
        }
        const { start, end, step } = scopes.find((each) => each.counter === counter) as (typeof scopes)[number];
        for (let value = start; value < end; value += step) run(i + 1, new Map([...values, [counter, value]]));
      };
      run(0, new Map());
    }
  }
  return found;
}

const shapes = fc.array(fc.integer({ min: 2, max: 23 }), { maxLength: 3 });

describe("a domain", () => {
  test("is visited whole and each point once, whatever its shape", () => {
    fc.assert(
      fc.property(shapes, fc.constantFrom(1, 2, 4), (lengths, unroll) => {
        const found = points(lengths, unroll);
        const size = lengths.reduce((a, b) => a * b, 1);
        expect(found.length).toBe(size);
        expect(new Set(found).size).toBe(size);
        for (const point of found.filter(Boolean)) {
          point.split(",").forEach((at, axis) => {
            expect(Number(at)).toBeLessThan(lengths[axis] as number);
          });
        }
      }),
      { numRuns: 200, seed: 1 },
    );
  });

  test("is visited so where its loops are cut, too", () => {
    const places = fc.array(fc.array(fc.integer({ min: -3, max: 60 }), { maxLength: 3 }), { maxLength: 3 });
    const long = fc.tuple(
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 2, max: 60 }),
    );
    let pieces = 0;
    fc.assert(
      fc.property(long, places, (lengths, cuts) => {
        const found = points(lengths, 1, cuts);
        expect(new Set(found).size).toBe(lengths.reduce((a, b) => a * b, 1));
        expect(found.length).toBe(new Set(found).size);
        if (found.join() !== points(lengths, 1).join()) pieces++;
      }),
      { numRuns: 60, seed: 2 },
    );
    expect(pieces).toBeGreaterThan(0); // the order of the visits tells
  });

  test("is cut where a guard of one axis begins and ends to hold", () => {
    const axes = new Axes([5, 40]);
    const along = (strides: number[], offset: number) => canonical([5, 40], strides, offset);
    expect(cutsOf(axes, [{ access: along([0, 1], -7), length: 20 }])).toEqual([[], [7, 27]]);
    expect(cutsOf(axes, [{ access: along([0, -1], 30), length: 20 }])).toEqual([[], [31, 11]]);
    expect(cutsOf(axes, [{ access: along([1, 2], -1), length: 4 }])).toEqual([[], []]);
  });

  test("of scalars has a loop for each axis longer than one", () => {
    const { root } = new FunctionBody(0, false);
    let depth = -1;
    overScalars(root, [3, 1, 5], (scope, coordinates) => {
      depth = scope.depth;
      expect(coordinates.map(({ counter }) => counter !== null)).toEqual([true, false, true]);
    });
    expect(depth).toBe(2);
  });
});

describe("axes", () => {
  test("are cut where accesses need it, and strides are told along them", () => {
    const axes = new Axes([12, 10]);
    const bias = canonical([12, 10], [0, 1]);
    const grouped = canonical([3, 4, 10], [7, 0, 1]);
    axes.admit(bias);
    axes.admit(grouped);
    expect(axes.lengths).toEqual([3, 4, 10]);
    expect(axes.parts).toEqual([0, 0, 1]);
    expect(axes.strides(bias)).toEqual([0, 0, 1]);
    expect(axes.strides(grouped)).toEqual([7, 0, 1]);
    expect(axes.strides(canonical([120], [1]))).toEqual([40, 10, 1]);
  });

  test("stay as they are where an access fits no common cut", () => {
    const axes = new Axes([6, 4]);
    axes.admit(canonical([8, 3], [0, 1]));
    expect(axes.lengths).toEqual([6, 4]);
    expect(axes.strides(canonical([8, 3], [0, 1]))).toBeNull();
  });

  test("an access to rows is one to their elements, at no stride along the row", () => {
    expect(alongRows(canonical([6], [1]), 2, 5, 3)).toEqual(canonical([2, 5, 3], [3, 0, 1]));
    expect(alongRows(canonical([6], [1]), 6, 5, 1)).toEqual(canonical([6, 5], [1, 0]));
    expect(alongRows(canonical([], []), 1, 5, 1)).toEqual(canonical([5], [0]));
  });
});
