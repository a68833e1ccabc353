import { afterEach, describe, expect, test } from "vitest";
import { DeviceError, input, open, type Program, parameter } from "../../src/index";
import type { Dispatch } from "../../src/webgpu/codegen/plan";
import { turnsOf } from "../../src/webgpu/turns";
import { openOther } from "./other-device";

const { createShaderModule } = GPUDevice.prototype;
afterEach(() => {
  GPUDevice.prototype.createShaderModule = createShaderModule;
});

/** Makes every device from here on an adapter that changes shaders so. */
function changing(change: (code: string) => string): void {
  GPUDevice.prototype.createShaderModule = function (descriptor) {
    return createShaderModule.call(this, { ...descriptor, code: change(descriptor.code) });
  };
}

function counter(): Program {
  const count = parameter([]);
  const sum = parameter([20]);
  return {
    inputs: {},
    parameters: { count, sum },
    outputs: { now: count.mul(1) },
    updates: { count: count.add(1), sum: sum.add(count) },
  };
}

describe("a persistent kernel whose loops an adapter ends early is not believed", () => {
  const cuts: Record<string, (code: string) => string> = {
    "after five steps": (code) => code.replace("t < first + steps", "t < first + min(steps, 5u)"),
    // The last step ran, but not what follows it: what it left may be wrong.
    "in the last step": (code) => code.replace("i < steps; i += steps", "i < 0u; i += steps"),
    "before it begins": (code) => code.replace("let steps = run.x;", "let steps = 0u * run.x;"),
  };
  test.each(Object.entries(cuts))("%s", async (_, cut) => {
    changing(cut);
    const device = await open({ backend: "webgpu", route: "persistent", tuning: null });
    try {
      const session = await device.compile(counter());
      await expect(session.run({}, { steps: 40 })).rejects.toThrow(DeviceError);
      await expect(session.run({}, { steps: 1 })).rejects.toThrow(/the adapter ended a kernel before it was done/);
      await expect(session.read("sum")).rejects.toThrow(/open\(\{ route: "recorded" \}\)/);
      session.dispose();
      if (cut === cuts["after five steps"]) return;
      const other = await device.compile(counter());
      await expect(other.verify({})).rejects.toThrow(DeviceError);
      other.dispose();
    } finally {
      device.close();
    }
  });
});

test("an adapter that ends a thread's loops early is found out when it opens", async () => {
  const own = (await (await navigator.gpu.requestAdapter())?.requestDevice()) as GPUDevice;
  try {
    expect(await turnsOf(own)).toBe(Number.POSITIVE_INFINITY);
    changing((code) => code.replace("i < bound", "i < min(bound, 65535u)"));
    expect(await turnsOf(own)).toBe(65_535);
    own.onuncapturederror = null; // this one is meant
    changing(() => "what does not compile");
    expect(await turnsOf(own)).toBe(65_535);
  } finally {
    own.destroy();
  }
});

test("where a thread gets few turns, many steps go out in as many dispatches as it takes", async () => {
  const device = await openOther({ route: "persistent", maxTurns: 100 });
  try {
    const runner = await device.runner(counter());
    expect(runner.plan.maxSteps).toBeGreaterThan(0);
    expect(runner.plan.maxSteps).toBeLessThan(100);
    const { now } = await runner.run({}, { steps: 1000, every: 1 });
    expect([...(now as Float32Array)]).toEqual(Array.from({ length: 1000 }, (_, i) => i));
    runner.dispose();
  } finally {
    device.close();
  }
});

describe("where a thread gets 5,000 turns, no kernel asks for more", () => {
  const ones = (length: number) => new Float32Array(length).fill(1);
  const rows = input([2, 300_000]);
  const [a, b] = [input([3, 50_000]), input([50_000, 5])];
  const all = input([3_000_000]);
  const cases: Record<string, Program> = {
    "sums of long rows": { inputs: { rows }, parameters: {}, outputs: { y: rows.sum(1) } },
    "softmax of long rows": { inputs: { rows }, parameters: {}, outputs: { y: rows.softmax().sum(1) } },
    "a product with a long K": { inputs: { a, b }, parameters: {}, outputs: { y: a.matmul(b) } },
    "a sum to one number": { inputs: { all }, parameters: {}, outputs: { y: all.sum(), z: all.mul(2).max() } },
  };
  test.each(
    Object.entries(cases).flatMap(([name, program]) =>
      [
        { what: "software", planned: { software: true } },
        { what: "software without subgroups", planned: { software: true, subgroupSize: 0 } },
        { what: "hardware", planned: { software: false } },
      ].map(({ what, planned }) => [`${name}, ${what}`, program, planned] as const),
    ),
  )("%s", async (_, program, planned) => {
    const device = await openOther({ route: "recorded", maxTurns: 5000, ...planned });
    try {
      const runner = await device.runner(program);
      const kernels: readonly Dispatch[] = [
        ...runner.plan.step,
        ...(runner.plan.deferred ? [runner.plan.deferred] : []),
      ];
      for (const { turns } of kernels) expect(turns).toBeLessThanOrEqual(5000);
      const inputs = Object.fromEntries(
        Object.entries(program.inputs).map(([name, { shape }]) => [name, ones(shape.reduce((x, y) => x * y, 1))]),
      );
      const { y, z } = await runner.run(inputs, { steps: 1, every: 1 });
      const expected = { rows: 300_000, a: 50_000, all: 3_000_000 }[Object.keys(inputs)[0] as "rows" | "a" | "all"];
      for (const value of y as Float32Array)
        expect(value / (program === cases["softmax of long rows"] ? 1 : expected)).toBeCloseTo(1, 5);
      if (z) expect([...z]).toEqual([2]);
      runner.dispose();
    } finally {
      device.close();
    }
  });

  test("what cannot be done with so few is refused with both numbers", async () => {
    const device = await openOther({ route: "recorded", software: true, maxTurns: 100 });
    const long = input([2, 5_000_000]);
    await expect(device.compile({ inputs: { long }, parameters: {}, outputs: { y: long.sum(1) } })).rejects.toThrow(
      /needs \d+ turns of its loops in one thread, and this adapter ends them after 100/,
    );
    device.close();
  });
});
