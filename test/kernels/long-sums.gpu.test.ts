import { describe, expect, test } from "vitest";
import { input, open } from "../../src/index";

// Of equal terms every rounding goes the same way: what one thread adds up one after another is off by a third of their number.
describe.each(["recorded", "persistent"] as const)("on the %s route", (route) => {
  test("a million equal terms, of all elements and along a row, are as good as their blocks", async () => {
    const count = 2 ** 20;
    const x = input([count]);
    const device = await open({ backend: "webgpu", route, tuning: null });
    const outputs = { all: x.sum(), rows: x.reshape([2, count / 2]).sum(1), squares: x.square().mean() };
    const session = await device.compile({ inputs: { x }, parameters: {}, outputs });
    const { all, rows, squares } = await session.run({ x: new Float32Array(count).fill(0.1) });
    const off = (got: number | undefined, want: number) => Math.abs((got as number) / want - 1);
    const tenth = Math.fround(0.1);
    // Blocks of 64 or so, and their sums likewise: a few dozen units of 2^-24.
    expect(off(all?.[0], tenth * count)).toBeLessThan(route === "recorded" ? 2e-6 : 5e-5);
    expect(off(rows?.[1], (tenth * count) / 2)).toBeLessThan(3e-5);
    expect(off(squares?.[0], tenth * tenth)).toBeLessThan(route === "recorded" ? 2e-6 : 5e-5);
    device.close();
  });
});
