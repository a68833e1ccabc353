import { expect, test } from "vitest";
import { stepBounds } from "../../src/cpu/bounds";
import { topological } from "../../src/graph/tensor";
import { grad, open, type Program, parameter, reference, type Tensor } from "../../src/index";

/** w through `depth` operations, each a node above the last: what recursion would not survive. */
function deep(depth: number): { program: Program; nodes: number } {
  const w = parameter([2]);
  let h: Tensor = w;
  for (let i = 0; i < depth; i++) h = i % 2 === 0 ? h.mul(0.999) : h.add(w);
  const loss = h.sum();
  const [dw] = grad(loss, [w]) as [Tensor];
  const update = w.sub(dw.mul(1e-3));
  return {
    program: { inputs: {}, parameters: { w }, outputs: { loss, dw }, updates: { w: update } },
    nodes: topological([loss, update]).length,
  };
}

const DEPTH = 10_000;

test("a chain of 10,000 operations is built, differentiated and run", () => {
  const { program, nodes } = deep(DEPTH);
  expect(nodes).toBeGreaterThan(2 * DEPTH);
  const session = reference(program);
  session.write({ w: [1, -2] });
  const { loss, dw } = session.run({}) as { loss: Float64Array; dw: Float64Array };
  // h = w·q, where one pair of operations makes q into 0.999 q + 1.
  let q = 1;
  for (let i = 0; i < DEPTH; i++) q = i % 2 === 0 ? q * 0.999 : q + 1;
  expect(loss[0]).toBeCloseTo(-q, 6);
  expect(dw[0]).toBeCloseTo(q, 6);
  expect(session.read("w")[0]).toBeCloseTo(1 - q * 1e-3, 9);
});

test("its bounds are found without recursion too", async () => {
  const { program } = deep(DEPTH);
  const bounds = stepBounds(program, { w: [1, -2] }, {});
  expect(bounds.outputs.loss?.bounds[0]).toBeLessThan(1);
  const device = await open({ backend: "cpu" });
  const session = await device.compile(program);
  session.write({ w: [1, -2] });
  expect((await session.verify({})).ok).toBe(true);
  device.close();
});

test("a wide graph: one tensor used by 10,000 others", () => {
  const w = parameter([3]);
  const terms = Array.from({ length: 10_000 }, (_, i) => w.mul(i));
  let sum = terms[0] as Tensor;
  for (const term of terms.slice(1)) sum = sum.add(term);
  const [dw] = grad(sum.sum(), [w]) as [Tensor];
  const session = reference({ inputs: {}, parameters: { w }, outputs: { dw } });
  expect(Array.from(session.run({}).dw as Float64Array)).toEqual(new Array(3).fill((9999 * 10_000) / 2));
});

test("a graph whose paths double at each node is walked once a node", () => {
  const w = parameter([1]);
  let h: Tensor = w;
  for (let i = 0; i < 200; i++) h = h.mul(0.5).add(h.mul(0.5));
  const [dw] = grad(h.sum(), [w]) as [Tensor];
  const session = reference({ inputs: {}, parameters: { w }, outputs: { dw } });
  expect(session.run({}).dw?.[0]).toBeCloseTo(1, 12);
});
