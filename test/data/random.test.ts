import { describe, expect, test } from "vitest";
import { log } from "../../src/data/log";
import { randomState } from "../../src/data/random";
import golden from "../golden/data.json";

/** One unit in the last place of a normal float64. */
const ulp = (x: number): number => 2 ** (Math.floor(Math.log2(Math.abs(x))) - 52);

function expectEqualButLastDigit(found: Float64Array, expected: readonly number[]): void {
  expect(found.length).toBe(expected.length);
  expected.forEach((value, i) => {
    expect(Math.abs((found[i] as number) - value), `value ${i}`).toBeLessThanOrEqual(ulp(value));
  });
}

describe("randomState gives the numbers of NumPy's RandomState", () => {
  test.each(golden.random)("one stream through every method, seed $seed", (expected) => {
    const random = randomState(expected.seed);
    expect([...random.rand(6)]).toEqual(expected.rand);
    expectEqualButLastDigit(random.randn(5), expected.randn);
    // The mean is 25 deviations away: a last digit of the normal value is lost in the sum.
    expect([...random.normal(-2.5, 0.1, 4)]).toEqual(expected.normal);
    expect([...random.uniform(-3, 7, 5)]).toEqual(expected.uniform);
    expect([...random.permutation(33)]).toEqual(expected.permutation);
    expect([...random.randint(-5, 12, 20)]).toEqual(expected.randint);
    expect([...random.randint(-(2 ** 31), 2 ** 31, 4)]).toEqual(expected.randintWide);
    expect([...random.randint(9, 10, 3)]).toEqual(expected.randintOne);
    const values = Float64Array.from({ length: 20 }, (_, i) => i * 0.5);
    random.shuffle(values);
    expect([...values]).toEqual(expected.shuffle);
    expect([...random.permutation(0)]).toEqual(expected.permutationOfNone);
    expect([...random.permutation(1)]).toEqual(expected.permutationOfOne);
    expectEqualButLastDigit(random.randn(2), expected.randnAfter);
    expect([...random.rand(100000).slice(-2)]).toEqual(expected.randAfter100000);
  });

  test("a thousand of randn agree to the bit, but for two at most, and those but for the last digit", () => {
    const found = randomState(12345).randn(1000);
    expectEqualButLastDigit(found, golden.randn1000);
    expect(golden.randn1000.filter((value, i) => value !== found[i]).length).toBeLessThanOrEqual(2);
  });

  test("values asked for one by one are those asked for at once", () => {
    const [one, all] = [randomState(3), randomState(3)];
    expect(Array.from({ length: 9 }, () => one.randn(1)[0])).toEqual([...all.randn(9)]);
  });

  test("shuffle takes plain arrays of anything", () => {
    const names = ["a", "b", "c", "d", "e"];
    const order = randomState(1).permutation(5);
    randomState(1).shuffle(names);
    expect(names).toEqual([...order].map((i) => "abcde"[i]));
  });
});

test("log is correctly rounded", () => {
  for (const [x, expected] of golden.log as [number, number][]) expect(log(x), `log ${x}`).toBe(expected);
  expect(log(1)).toBe(0);
});

describe("randomState refuses", () => {
  test.each([-1, 2 ** 32, 0.5, NaN, Infinity])("the seed %d", (seed) => {
    expect(() => randomState(seed)).toThrow(RangeError);
    expect(() => randomState(seed)).toThrow(`randomState: seed is ${seed}; it must be`);
  });

  test("counts and ranges that mean nothing, and draws nothing for them", () => {
    const random = randomState(0);
    for (const n of [-1, 1.5, NaN, 2 ** 31]) {
      for (const draw of [random.rand, random.randn, random.permutation]) expect(() => draw(n)).toThrow(RangeError);
    }
    expect(() => random.randint(3, 3, 1)).toThrow("randint: the range is from 3 up to and without 3");
    expect(() => random.randint(0, 2 ** 31 + 1, 1)).toThrow(RangeError);
    expect(() => random.randint(0.5, 2, 1)).toThrow(RangeError);
    expect(() => random.randint(0, 2, -1)).toThrow(RangeError);
    expect(() => random.uniform(0, Infinity, 1)).toThrow(RangeError);
    expect(() => random.normal(0, -1, 1)).toThrow(RangeError);
    expect(() => random.normal(NaN, 1, 1)).toThrow(RangeError);
    expect([...random.rand(6)]).toEqual(golden.random[0]?.rand);
  });
});
