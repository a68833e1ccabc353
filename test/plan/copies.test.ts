import { describe, expect, test } from "vitest";
import { type Program, parameter } from "../../src/index";
import { compile } from "../../src/webgpu/codegen/compile";
import { explain } from "../../src/webgpu/codegen/explain";
import type { Plan, Target } from "../../src/webgpu/codegen/plan";
import { everything, OWN } from "../support/copies";
import { classifier, HARDWARE, makersOf, SOFTWARE } from "./programs";

const ROUTES = [
  ["a GPU", "recorded", HARDWARE],
  ["a GPU", "persistent", HARDWARE],
  ["a software adapter", "recorded", SOFTWARE],
  ["a software adapter", "persistent", { ...SOFTWARE, subgroupSize: 4 }],
] as const;

function planned(program: Program, count: number, target: Target, own: readonly string[] = []): Plan {
  const copies = { count, own: new Set(own), shared: new Set<string>() };
  const kernels = makersOf(target, target.route === "recorded" ? "recorded" : undefined);
  return compile(count > 1 ? { ...program, copies } : program, target, kernels);
}

describe.each(ROUTES)("copies planned for %s, %s", (_, route, target) => {
  const plan = (copies: number) => planned(everything(), copies, { ...target, route }, OWN);

  test("have the kernels of one, with a grid of workgroups each", () => {
    const [one, many] = [plan(1), plan(500)];
    expect(many.route).toBe(route);
    expect(many.step.map(({ kernel, label }) => [kernel, label])).toEqual(
      one.step.map(({ kernel, label }) => [kernel, label]),
    );
    expect(many.step.map(({ workgroups }) => workgroups)).toEqual(
      one.step.map(({ workgroups: [x, y] }) => [x, y, 500]),
    );
    expect(many.step.map(({ flops }) => flops)).toEqual(one.step.map(({ flops }) => 500 * flops));
    expect(explain(many)).toContain("500 copies side by side");
  });

  test("share inputs that are not their own, and constants", () => {
    const sizes = ({ buffers }: Plan) => Object.fromEntries(buffers.map(({ name, elements }) => [name, elements]));
    const [one, many] = [sizes(plan(1)), sizes(plan(500))];
    for (const name of ["x", "indices"]) expect(many[name]).toBe(one[name]);
    for (const name of ["seed", "rate", "w", "table", "sums"]) expect(many[name]).toBe(500 * (one[name] as number));
    const constants = (of: Record<string, number>) =>
      Object.entries(of).filter(([name]) => name.startsWith("constant"));
    expect(constants(many)).toEqual(constants(one));
    expect(constants(many)).toHaveLength(1);
  });
});

test("copies that are larger together than a binding are refused with both numbers", () => {
  const w = parameter([2 ** 16]);
  const program = { inputs: {}, parameters: { w }, outputs: {}, updates: { w: w.add(1) } };
  expect(() => planned(program, 60_000, HARDWARE)).toThrow(
    /^compile: "w" in add needs 15728640000 bytes in one binding, this device binds at most 1073741824; use smaller batches or layers, or fewer copies than 60000$/,
  );
});

test("the reason for a route tells of a workgroup a copy", () => {
  const program = classifier(32, 4, 8, 3);
  const reason = planned(program, 100, { ...SOFTWARE, subgroupSize: 4 }).reason;
  expect(reason).toContain("in one workgroup a copy");
});
