import { describe, expect, test } from "vitest";
import { blobs } from "../../src/data/blobs";
import { circles } from "../../src/data/circles";
import { moons } from "../../src/data/moons";
import type { Points } from "../../src/data/points";
import { spirals } from "../../src/data/spirals";
import { xor } from "../../src/data/xor";
import golden from "../golden/data.json";

interface Case {
  options: { n: number; seed: number };
  x: number[];
  y: number[];
}

describe.each<[string, (n: number, options: { seed: number }) => Points, Case[]]>([
  ["moons", moons, golden.moons],
  ["circles", circles, golden.circles],
  ["blobs", blobs, golden.blobs],
])("%s are scikit-learn's, number for number", (_, generate, cases) => {
  test.each(cases)("$options", ({ options, x, y }) => {
    const points = generate(options.n, options);
    expect(points.x).toEqual(Float32Array.from(x));
    expect(points.y).toEqual(Int32Array.from(y));
  });
});

/** Points grouped by class, each group in the order of `key`. */
function byClass({ x, y }: Points): [number, number][][] {
  const classes: [number, number][][] = [];
  y.forEach((k, i) => {
    classes[k] ??= [];
    classes[k].push([x[2 * i] as number, x[2 * i + 1] as number]);
  });
  return classes.map((points) => points.sort((a, b) => Math.hypot(...a) - Math.hypot(...b)));
}

describe("spirals", () => {
  test("are arms of Archimedes' spiral, evenly turned, the first with a point more", () => {
    const classes = byClass(spirals(32, { classes: 3, turns: 1.5 }));
    expect(classes.map((points) => points.length)).toEqual([11, 11, 10]);
    classes.forEach((points, k) => {
      points.forEach(([px, py], i) => {
        const t = (i + 1) / points.length;
        const angle = 2 * Math.PI * (1.5 * t + k / 3);
        expect(px).toBeCloseTo(t * Math.cos(angle), 6);
        expect(py).toBeCloseTo(t * Math.sin(angle), 6);
      });
    });
  });

  test("are two arms of one turn where nothing is said, ending on opposite sides of the unit circle", () => {
    const [first, second] = byClass(spirals(100));
    expect(first?.at(-1)?.[0]).toBeCloseTo(1, 6);
    expect(second?.at(-1)?.[0]).toBeCloseTo(-1, 6);
  });

  test("with noise lie about those without, in the same order", () => {
    const still = spirals(2000, { seed: 4 });
    const noisy = spirals(2000, { seed: 4, noise: 0.1 });
    expect(noisy.y).toEqual(still.y);
    const offsets = noisy.x.map((value, i) => value - (still.x[i] as number));
    const deviation = Math.sqrt(offsets.reduce((sum, d) => sum + d * d, 0) / offsets.length);
    expect(deviation).toBeCloseTo(0.1, 2);
  });
});

describe("xor", () => {
  test("is 1 where the signs differ", () => {
    const { x, y } = xor(500, { seed: 2 });
    y.forEach((k, i) => {
      expect(k).toBe((x[2 * i] as number) * (x[2 * i + 1] as number) < 0 ? 1 : 0);
    });
    expect(x.every((value) => value >= -1 && value <= 1)).toBe(true);
    const ones = y.reduce((sum, k) => sum + k, 0);
    expect(ones).toBeGreaterThan(200);
    expect(ones).toBeLessThan(300);
  });

  test("keeps its classes under noise", () => {
    expect(xor(50, { seed: 2, noise: 0.3 }).y).toEqual(xor(50, { seed: 2 }).y);
  });
});

describe.each(Object.entries({ moons, circles, spirals, blobs, xor }))("%s", (name, generate) => {
  test("are the same for the same seed, 0 where left out, and others for another", () => {
    expect(generate(20)).toEqual(generate(20, { seed: 0 }));
    expect(generate(20).x).not.toEqual(generate(20, { seed: 1 }).x);
  });

  test("refuse what means nothing, with the value", () => {
    for (const n of [0, -1, 2.5, NaN, Infinity]) {
      expect(() => generate(n)).toThrow(RangeError);
      expect(() => generate(n)).toThrow(`${name}: n is ${n}; it must be an integer`);
    }
    for (const noise of [-0.1, NaN, Infinity]) {
      expect(() => generate(9, { noise })).toThrow(RangeError);
      expect(() => generate(9, { noise })).toThrow(`${name}: noise is ${noise}; it must be`);
    }
    expect(() => generate(9, { seed: -1 })).toThrow(RangeError);
  });
});

test("each set refuses its own options where they mean nothing", () => {
  for (const factor of [-0.1, 1, NaN]) expect(() => circles(9, { factor })).toThrow(`factor is ${factor}`);
  for (const generate of [spirals, blobs]) {
    for (const classes of [0, 1.5, NaN]) expect(() => generate(9, { classes })).toThrow(`classes is ${classes}`);
    expect(() => generate(9, { classes: 10 })).toThrow("n is 9; it must be an integer, at least 10");
  }
  expect(() => spirals(9, { turns: Infinity })).toThrow("turns is Infinity");
});
