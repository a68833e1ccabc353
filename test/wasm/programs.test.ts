import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { concat, grad, input, type Program, parameter, reference, type Tensor, type Values } from "../../src/index";
import { sizeOf } from "../../src/util/shape";
import { normal } from "../graph/numbers";
import { randomGraphs } from "../graph/random-graphs";
import { compiled } from "./wasm";

async function verified(program: Program, seed = 1): Promise<void> {
  const { session } = await compiled(program);
  const given = (tensors: Record<string, Tensor>) =>
    Object.fromEntries(Object.entries(tensors).map(([name, { shape }], i) => [name, normal(sizeOf(shape), seed + i)]));
  session.write(given(program.parameters));
  const report = await session.verify(given(program.inputs));
  expect(report.ok, `${report}\n${session.explain()}`).toBe(true);
  session.dispose();
}

const product = (M: number, K: number, N: number, aT: boolean, bT: boolean, after: (x: Tensor) => Tensor): Program => {
  const [a, b] = [input(aT ? [K, M] : [M, K]), input(bT ? [N, K] : [K, N])];
  return { inputs: { a, b }, parameters: {}, outputs: { c: after((aT ? a.T : a).matmul(bT ? b.T : b)) } };
};
const LAYOUTS = [false, true].flatMap((aT) => [false, true].map((bT) => [aT, bT] as const));
const layoutName = (aT: boolean, bT: boolean) => `${aT ? "aᵀ" : "a"} ${bT ? "bᵀ" : "b"}`;

describe("products", () => {
  // Beside tiles of 4 x 8, blocks of 256 terms and of 120 rows, and the copy that begins at 192 columns.
  const sizes = [
    [1, 1, 1],
    [1, 9, 1],
    [2, 300, 3],
    [7, 11, 13],
    [4, 256, 8],
    [5, 257, 9],
    [3, 255, 33],
    [64, 10, 100],
    [121, 12, 25],
    [127, 513, 5],
    [1, 64, 47],
    [41, 31, 193],
    [33, 260, 200],
    [241, 19, 30],
  ] as const;
  for (const [M, K, N] of sizes) {
    for (const [aT, bT] of LAYOUTS) {
      test(`[${M}, ${K}] x [${K}, ${N}], ${layoutName(aT, bT)}`, async () => {
        await verified(product(M, K, N, aT, bT, (x) => x));
        await verified(product(M, K, N, aT, bT, (x) => x.tanh().add(x.mul(0.5))));
      });
    }
  }

  test("of any sizes, with a bias and a sum", async () => {
    const size = fc.integer({ min: 1, max: 70 });
    await fc.assert(
      fc.asyncProperty(size, size, size, fc.constantFrom(...LAYOUTS), async (M, K, N, [aT, bT]) => {
        const program = product(M, K, N, aT, bT, (x) => x);
        const bias = input([N]);
        const c = (program.outputs.c as Tensor).add(bias).relu();
        await verified({
          inputs: { ...program.inputs, bias },
          parameters: {},
          outputs: { c, sum: c.sum(), columns: c.sum(0), most: c.max(1) },
        });
      }),
      { numRuns: 40, seed: 3 },
    );
  });

  test("that are added to the weight they belong to leave its old value to the others", async () => {
    const [x, w] = [input([16, 16]), parameter([16, 16])];
    const y = x.T.matmul(x);
    await verified({ inputs: { x }, parameters: { w }, outputs: { kept: w.sub(y) }, updates: { w: w.add(y) } });
    await verified({ inputs: { x }, parameters: { w }, outputs: { both: w.add(y) }, updates: { w: y } });
  });
});

describe("convolutions", () => {
  test.each([
    ["of one piece a row, with zeros around it", [2, 3, 9, 14], [5, 3, 3, 3], { padding: "same" }],
    ["of every second place", [2, 2, 17, 19], [4, 2, 3, 3], { stride: 2, padding: 1 }],
    ["of elements that lie apart", [1, 2, 12, 21], [3, 2, 3, 5], { dilation: 2, padding: [0, [3, 1]] }],
    ["of short rows", [2, 3, 6, 5], [4, 3, 2, 3], {}],
    ["in groups", [2, 4, 8, 10], [6, 2, 3, 3], { groups: 2, padding: 1 }],
  ] as const)("%s, and their derivatives", async (_name, xShape, weightShape, options) => {
    const [x, weight] = [parameter(xShape), parameter(weightShape)];
    const y = x.conv(weight, options);
    const [ofX, ofWeight] = grad(y.tanh().sum(), [x, weight]);
    await verified({ inputs: {}, parameters: { x, weight }, outputs: { y, ofX, ofWeight } });
  });

  test("and pools, whose windows meet or lie apart", async () => {
    const x = parameter([2, 3, 11, 13]);
    for (const [size, options] of [
      [2, {}],
      [3, { stride: 4, padding: 1 }],
      [3, { stride: 2 }],
    ] as const) {
      const y = x.maxPool(size, options).add(x.avgPool(size, options));
      const [ofX] = grad(y.square().sum(), [x]);
      await verified({ inputs: {}, parameters: { x }, outputs: { y, ofX } });
    }
  });
});

describe("rows", () => {
  const lengths = [1, 2, 3, 5, 15, 16, 17, 64, 65, 1009];
  test.each(lengths)("of length %i, along every axis", async (length) => {
    for (const shape of [[length], [3, length], [length, 3], [5, length, 7], [9, length, 4], [130, length]]) {
      const x = input(shape);
      const outputs: Record<string, Tensor> = {};
      for (const axis of shape.keys()) {
        if (shape[axis] !== length) continue;
        outputs[`softmax${axis}`] = x.softmax(axis);
        outputs[`sum${axis}`] = x.sum(axis);
        outputs[`argmax${axis}`] = x.argmax(axis);
        outputs[`centred${axis}`] = x.sub(x.mean(axis, { keepDims: true }));
        outputs[`all${axis}`] = x.logSoftmax(axis).max();
      }
      await verified({ inputs: { x }, parameters: {}, outputs });
    }
  });
});

describe("views that share no axes", () => {
  test("are read by each lane's own index", async () => {
    const [a, b] = [input([6, 4]), input([8, 3])];
    const mixed = a.T.reshape([24])
      .add(b.T.reshape([24]))
      .add(a.reshape([24]));
    const rows = input([4, 1, 6]).broadcastTo([4, 5, 6]);
    await verified({ inputs: { a, b }, parameters: {}, outputs: { mixed, scaled: mixed.reshape([3, 8]).softmax() } });
    const r = rows.operands[0] as Tensor;
    await verified({
      inputs: { r, b },
      parameters: {},
      outputs: { y: rows.reshape([20, 6]).add(b.T.reshape([1, 24]).sum()) },
    });
  });
});

test("random graphs agree with float64", async () => {
  await fc.assert(
    fc.asyncProperty(randomGraphs, async ({ program, parameters, inputs, steps }) => {
      const { session } = await compiled(program);
      session.write(parameters);
      const report = await session.verify(inputs);
      if (!report.ok) throw new Error(`${steps.join(" ")}\n${report}\n${session.explain()}`);
    }),
    { numRuns: 150, seed: 11, interruptAfterTimeLimit: 60_000, endOnFailure: false },
  );
});

test("what is joined lies last in memory, which is not read beyond its end", async () => {
  const [x, w] = [input([4, 8]), parameter([8, 20_000])];
  const y = x.matmul(w);
  // Of y as the first half a row is twice as long: the last one ends 80 kB behind y's end.
  await verified({ inputs: { x }, parameters: { w }, outputs: { z: concat([y, y.square()], 1).square().sum() } });
});

test("parameters are replaced all at once, whatever reads and writes whatever", async () => {
  const forms: ((x: Tensor, y: Tensor) => Tensor)[] = [
    (_x, y) => y,
    (x, y) => x.mul(0.5).add(y.mul(0.25)),
    (x, y) => x.T.sub(y).tanh(),
    (x, y) => x.matmul(y).mul(0.2),
    (x, y) => x.sub(y.max(1, { keepDims: true })).tanh(),
    (x, y) => x.softmax(0).sub(y.T.sum(0).mul(0.1)),
  ];
  const choice = fc.tuple(fc.nat(5), fc.nat(2), fc.nat(2));
  await fc.assert(
    fc.asyncProperty(choice, choice, choice, fc.constantFrom(5, 12), async (a, b, c, size) => {
      const parameters = { a: parameter([size, size]), b: parameter([size, size]), c: parameter([size, size]) };
      const all = Object.values(parameters) as [Tensor, Tensor, Tensor];
      const made = [a, b, c].map(([form, x, y]) =>
        (forms[form] as (typeof forms)[number])(all[x] as Tensor, all[y] as Tensor),
      );
      const updates = Object.fromEntries(Object.keys(parameters).map((name, i) => [name, made[i] as Tensor]));
      const program = { inputs: {}, parameters, outputs: { first: made[0] as Tensor }, updates };
      const { session } = await compiled(program);
      const values: Record<string, Values> = Object.fromEntries(
        Object.keys(parameters).map((name, i) => [name, normal(size * size, i + 1)]),
      );
      session.write(values);
      expect((await session.verify({})).ok).toBe(true);
      const judge = reference(program);
      judge.write(values);
      judge.run({}, { steps: 3 });
      const { first } = await session.run({}, { steps: 3 });
      for (const [name, got] of [["first", first as Float32Array] as const, ...(await states(session, parameters))]) {
        const want = judge.read(name);
        got.forEach((value, i) => {
          expect(Math.abs(value - (want[i] as number))).toBeLessThan(1e-4);
        });
      }
    }),
    { numRuns: 60, seed: 5 },
  );
});

async function states(
  session: { read(name: string): Promise<Float32Array> },
  parameters: Record<string, Tensor>,
): Promise<(readonly [string, Float32Array])[]> {
  return Promise.all(Object.keys(parameters).map(async (name) => [name, await session.read(name)] as const));
}
