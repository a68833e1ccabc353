import { describe, expect, test } from "vitest";
import { grad, input, type Program, parameter } from "../../src/index";
import { compile as compilePlan } from "../../src/webgpu/codegen/compile";
import type { Target } from "../../src/webgpu/codegen/plan";
import { descent, HARDWARE, makersOf, SOFTWARE } from "./programs";

const compile = (program: Program, target: Target) => compilePlan(program, target, makersOf(target, "recorded"));

/** A step that turns tokens into rows of a table and changes the table. */
function embedding(rows: number, width: number, tokens: number): Program {
  const table = parameter([rows, width]);
  const [picked, target] = [input([tokens], "int32"), input([tokens, width])];
  const loss = table.take(picked).sub(target).square().sum();
  return {
    inputs: { picked, target },
    parameters: { table },
    outputs: { loss },
    updates: descent(loss, { table }, 0.1),
  };
}

describe.each([
  ["a GPU", HARDWARE],
  ["a software adapter", SOFTWARE],
])("on %s", (_, target) => {
  test("a table of 10,000 x 64 trained on 8,192 tokens needs no buffer larger than itself, and is one kernel with its update", () => {
    const plan = compile(embedding(10_000, 64, 8192), target);
    expect(Math.max(...plan.allocations)).toBe(10_000 * 64 * 4);
    const scatters = plan.step.filter(({ kernel }) => kernel === "scatter");
    expect(scatters.map(({ label }) => label)).toEqual(["scatterAdd mul sub"]);
    expect(scatters[0]?.shapes).toBe("[1, 8192, 64] into [1, 10000, 64]");
    expect(scatters[0]?.output).toBe("table");
  });

  test("elements along a long axis neither", () => {
    const x = input([16, 50_000]);
    const indices = input([16, 4], "int32");
    const y = grad(x.takeAlong(indices, 1).square().sum(), [x])[0];
    expect(Math.max(...compile({ inputs: { x, indices }, parameters: {}, outputs: { y } }, target).allocations)).toBe(
      3_200_000,
    );
  });

  test("more indices than a thread may look at are looked at in several dispatches, in their order", () => {
    const [x, i, v] = [input([9, 2]), input([1000], "int32"), input([1000, 2])];
    const program: Program = { inputs: { x, i, v }, parameters: {}, outputs: { y: x.scatterAdd(i, v).mul(2) } };
    const plan = compile(program, { ...target, maxTurns: 100 });
    const labels = plan.step.map(({ label }) => label);
    expect(labels.length).toBeGreaterThan(1);
    expect(labels.at(-1)).toBe(`scatterAdd mul, part ${labels.length} of ${labels.length}`);
    expect(plan.step.every(({ turns }) => turns <= 100)).toBe(true);
  });
});

test("a table that rows are added to is changed in place, unless what is added is read from it", () => {
  const table = parameter([9, 4]);
  const [i, v] = [input([5], "int32"), input([5, 4])];
  const bound = (next: typeof table) =>
    compile({ inputs: { i, v }, parameters: { table }, outputs: {}, updates: { table: next } }, HARDWARE).step.map(
      ({ bindings }) => bindings.filter(({ access }) => access === "read_write").length,
    );
  expect(bound(table.scatterAdd(i, v))).toEqual([1]);
  expect(bound(table.scatterAdd(i, table.take(i)))).toHaveLength(2);
});
