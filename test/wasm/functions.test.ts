import { describe, expect, test } from "vitest";
import { input, type Tensor } from "../../src/index";
import { compiled } from "./wasm";

const ULP = 2 ** -23;

/** Every exponent and sign, 64 numbers each; a quarter of a million numbers where `dense`. */
function numbers(count: number): Float32Array {
  const bits = new Uint32Array(count);
  for (let i = 0; i < count; i++) bits[i] = Math.floor((i * 2 ** 32) / count) + (Math.imul(i, 2654435761) >>> 20);
  return new Float32Array(bits.buffer).filter(Number.isFinite);
}

async function values(build: (x: Tensor) => Tensor, given: Float32Array): Promise<Float32Array> {
  const x = input([given.length]);
  const { session } = await compiled({ inputs: { x }, parameters: {}, outputs: { y: build(x) } });
  return (await session.run({ x: given })).y as Float32Array;
}

/** The largest error in units of the last place, below the normal range in units of its least number. */
function worst(got: Float32Array, given: Float32Array, exact: (x: number) => number): number {
  let most = 0;
  got.forEach((value, i) => {
    const want = exact(given[i] as number);
    if (Object.is(Math.fround(want), value) || (Number.isNaN(want) && Number.isNaN(value))) return;
    const size = Math.max(Math.abs(want), 2 ** -126);
    const unit = 2 ** Math.floor(Math.log2(size)) * ULP;
    most = Math.max(most, Math.abs(value - want) / unit);
  });
  return most;
}

const all = numbers(2 ** 18);
const below = (limit: number) => all.filter((x) => Math.abs(x) < limit);

describe("functions over all of float32, in units of the last place", () => {
  test("exp", async () => {
    const given = below(88.7);
    expect(worst(await values((x) => x.exp(), given), given, Math.exp)).toBeLessThan(1.5);
    const ends = Float32Array.of(88.8, 1e4, 3e38, -104, -1e4, -3e38, -87.5, -100);
    const got = await values((x) => x.exp(), ends);
    expect([...got.slice(0, 6)]).toEqual([Infinity, Infinity, Infinity, 0, 0, 0]);
    expect(Math.abs((got[6] as number) - Math.exp(-87.5))).toBeLessThan(2 ** -148);
    expect(Math.abs((got[7] as number) - Math.exp(-100))).toBeLessThan(2 ** -148);
  });

  test("log", async () => {
    const given = all.filter((x) => x > 0);
    expect(worst(await values((x) => x.log(), given), given, Math.log)).toBeLessThan(2);
    expect([...(await values((x) => x.log(), Float32Array.of(0, -0, 1, -1)))]).toEqual([-Infinity, -Infinity, 0, NaN]);
  });

  test("tanh and sigmoid", async () => {
    expect(worst(await values((x) => x.tanh(), all), all, Math.tanh)).toBeLessThan(2);
    const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
    expect(worst(await values((x) => x.sigmoid(), below(87)), below(87), sigmoid)).toBeLessThan(3);
    expect([...(await values((x) => x.sigmoid(), Float32Array.of(-3e38, 3e38)))]).toEqual([0, 1]);
  });

  test("what is not a number stays so", async () => {
    const given = Float32Array.of(-1, 4, -9, 1, -1);
    for (const build of [
      (x: Tensor) => x.exp(),
      (x: Tensor) => x.tanh(),
      (x: Tensor) => x.sigmoid(),
      (x: Tensor) => x.relu(),
    ]) {
      const got = await values((x) => build(x.sqrt()), given);
      expect([...got].map(Number.isNaN)).toEqual([true, false, true, false, true]);
    }
    const most = await values((x) => x.sqrt().max(), given);
    expect([...most]).toEqual([NaN]);
  });
});
