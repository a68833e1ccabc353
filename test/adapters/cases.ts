import { expect } from "vitest";
import {
  type Device,
  dense,
  type OpenOptions,
  type Program,
  sequential,
  sgd,
  squaredError,
  type Tensor,
  trainer,
  type Values,
} from "../../src/index";
import { fed, type Given } from "../../src/playground/verify/fed";
import { normal } from "../graph/numbers";
import { moons, rowBiases } from "../networks/seeds";
import { readGolden } from "../support/golden";
import { expectClose, expectTensor, finalBounds, lossBounds } from "../support/parity";

/** What some adapter once got wrong, or does otherwise than the others: a row each, which fails where it is wrong. */
export interface AdapterCase {
  name: string;
  open?: Pick<OpenOptions, "route">;
  check(device: Device): Promise<void>;
}

export const ADAPTER_CASES: AdapterCase[] = [];

function add(name: string, check: AdapterCase["check"], open: AdapterCase["open"] = {}): void {
  ADAPTER_CASES.push({ name, check, open });
}
/** The same in recorded dispatches and in one workgroup. */
function addBoth(name: string, check: AdapterCase["check"]): void {
  for (const route of ["recorded", "persistent"] as const) add(`${name}, ${route}`, check, { route });
}

/** `y` of one run. */
async function resultOf(device: Device, build: (...x: Tensor[]) => Tensor, ...given: Given[]): Promise<number[]> {
  const { program, inputs } = fed(build, ...given);
  const session = await device.compile(program);
  try {
    return [...((await session.run(inputs)).y as Float32Array)];
  } finally {
    session.dispose();
  }
}
const filled = (size: number, valueAt: (i: number) => number) =>
  Float32Array.from({ length: size }, (_, i) => valueAt(i));

// Loops that are long: some drivers end a thread's loops after 65,535 turns in all, without a word --------------------

/** A seed program from the golden run's start, with that run's inputs. */
async function seeded(
  device: Device,
  { program }: { program: Program },
  golden: Awaited<ReturnType<typeof readGolden>>,
) {
  const start = golden.group("init");
  const pick = (tensors: Record<string, Tensor>) =>
    Object.fromEntries(Object.keys(tensors).map((name): [string, Values] => [name, start[name] as Values]));
  const session = await device.compile(program);
  session.write(pick(program.parameters));
  return { session, inputs: pick(program.inputs) };
}

addBoth("seed-001 for 2,000 steps in one run, losses and weights", async (device) => {
  const golden = await readGolden("seed-001");
  const { session, inputs } = await seeded(device, rowBiases("handwritten"), golden);
  const { loss } = (await session.run(inputs, { steps: 2000 })) as { loss: Float32Array };
  expectClose("loss", loss, golden.values("losses").subarray(0, 2000), lossBounds(golden));
  const bounds = finalBounds(golden);
  for (const [name, want] of Object.entries(golden.group("final"))) {
    expectTensor(`final ${name}`, await session.read(name), want, bounds[name] as number);
  }
  session.dispose();
});

add(
  "seed-004 in full in one workgroup, a loss of every pass",
  async (device) => {
    const golden = await readGolden("seed-004");
    const { session, inputs } = await seeded(device, moons("handwritten", 3), golden);
    await session.run(inputs);
    const { loss } = (await session.run(inputs, { steps: 19_001 })) as { loss: Float32Array };
    expect(loss.findIndex((value) => !(value > 0.05 && value < 5))).toBe(-1);
    const printed = Float32Array.from({ length: 20 }, (_, i) => loss[1000 * i] as number);
    const bounds = [1e-5, 1e-5, 0.1, ...new Array<number>(17).fill(0.015)]; // as in test/networks
    expectClose("printed loss", printed, golden.values("losses"), bounds);
    session.dispose();
  },
  { route: "persistent" },
);

add("a sum of rows of 5,000,000", async (device) => {
  const ones = new Float32Array(2 * 5_000_000).fill(1);
  expect(await resultOf(device, (x) => x.sum(1), [[2, 5_000_000], ones])).toEqual([5_000_000, 5_000_000]);
});

add("a sum of 20,000,000 to one number", async (device) => {
  const values = filled(20_000_000, (i) => i % 2); // every sum of some is exact
  expect(await resultOf(device, (x) => x.sum(), [[20_000_000], values])).toEqual([10_000_000]);
});

addBoth("a product of length 200,000", async (device) => {
  const K = 200_000;
  const [a, b] = [filled(2 * K, (i) => (i % K) % 2), filled(3 * K, (i) => (i % 3) + 1)];
  const got = await resultOf(device, (x, y) => x.matmul(y), [[2, K], a], [[K, 3], b]);
  expect(got).toEqual([1, 2, 3, 1, 2, 3].map((column) => (column * K) / 2));
});

addBoth("the largest of a row of 300,000 is the last", async (device) => {
  const values = filled(300_000, (i) => i);
  expect(await resultOf(device, (x) => x.max(1), [[1, 300_000], values])).toEqual([299_999]);
  expect(await resultOf(device, (x) => x.argmax(1).toFloat32(), [[1, 300_000], values])).toEqual([299_999]);
});

addBoth("softmax over a row of 100,000", async (device) => {
  const { program, inputs } = fed((x) => x.softmax(), [[1, 100_000], normal(100_000, 1)]);
  const session = await device.compile(program);
  const report = await session.verify(inputs);
  expect(report.ok, String(report)).toBe(true);
  session.dispose();
});

// What is not finite: WGSL lets a compiler assume that it does not occur ----------------------------------------------

/** NaN cannot be fed; 0 / 0 is one. */
const nan = (x: Tensor) => x.div(x);
const NON_FINITE: Record<string, [build: (zero: Tensor) => Tensor, want: number]> = {
  "0 / 0": [nan, Number.NaN],
  "relu of NaN": [(x) => nan(x).relu(), Number.NaN],
  "the larger of NaN and 1": [(x) => nan(x).maximum(1), Number.NaN],
  "the smaller of NaN and 1": [(x) => nan(x).minimum(1), Number.NaN],
  "sigmoid of NaN": [(x) => nan(x).sigmoid(), Number.NaN],
  "tanh of NaN": [(x) => nan(x).tanh(), Number.NaN],
  "log of 0": [(x) => x.log(), Number.NEGATIVE_INFINITY],
  "log of -1": [(x) => x.sub(1).log(), Number.NaN],
};
for (const [name, [build, want]] of Object.entries(NON_FINITE)) {
  addBoth(`${name} is ${want}`, async (device) => {
    expect(await resultOf(device, build, [[3], [0, 0, 0]])).toEqual([want, want, want]);
  });
}
addBoth("the largest of a row with NaN is NaN, in each place", async (device) => {
  const rows = [
    [3, 3],
    [0, 1, 2, 1, 0, 2, 1, 2, 0],
  ] as const;
  expect(await resultOf(device, (x) => x.div(x).max(1), [...rows])).toEqual([Number.NaN, Number.NaN, Number.NaN]);
});
addBoth("softmax of a row with NaN is NaN throughout, and of the next row what it was", async (device) => {
  const got = await resultOf(device, (x) => x.div(x).softmax(), [
    [2, 2],
    [0, 1, 1, 1],
  ]);
  expect(got).toEqual([Number.NaN, Number.NaN, 0.5, 0.5]);
});
addBoth("a fit whose first layer comes to NaN before its relu refuses step 0", async (device) => {
  const model = sequential(2, [dense(1, { activation: "relu" }), dense(1)]);
  const net = await trainer(device, model, { loss: squaredError(), optimizer: sgd({ lr: 0.1 }) });
  const [first = "", ...others] = Object.keys(await net.weights()).filter((name) => name.endsWith("weight"));
  net.setWeights({
    ...(await net.weights()),
    [first]: [1e20, -1e20],
    ...Object.fromEntries(others.map((name) => [name, [1]])),
  });
  await expect(net.fit({ x: [1e20, 1e20], y: [3] }, { steps: 10 })).rejects.toThrow(/step 0\b/);
  net.dispose();
});
