import { expect, test } from "vitest";
import { Lessons } from "../../src/playground/lessons/lesson";

const lessons = new Lessons();
const IDS = ["seed-000", "seed-001", "seed-002", "seed-003", "seed-004"];

test.each(IDS)("%s: the nodes of a step, each in one kernel at most, and numbers for all of them", async (id) => {
  const { nodes, kernels, loss } = await lessons.lesson(id, "handwritten", 1);
  expect(loss).toBeGreaterThan(0);
  expect(nodes.every(({ values }) => values.flat().every(Number.isFinite))).toBe(true);
  const inKernels = kernels.flatMap((kernel) => kernel.nodes);
  expect(new Set(inKernels).size).toBe(inKernels.length);
  const products = nodes.filter(({ op }) => op === "matmul").map((node) => node.id);
  expect(products.filter((product) => !inKernels.includes(product))).toEqual([]);
});

test.each(IDS)("%s: the kernels are those that explain() counts", async (id) => {
  for (const form of ["handwritten", "grad"] as const) {
    const { nodes, kernels, explained } = await lessons.lesson(id, form, 0);
    const kinds = [...explained.matchAll(/^ {2}(\d+) {2}(\S+)/gm)].map(([, , kind]) => kind);
    const products = new Set(nodes.filter(({ op }) => op === "matmul").map((node) => node.id));
    for (const { number, nodes } of kernels) {
      expect([number, kinds[number - 1] === "contraction"]).toEqual([number, nodes.some((node) => products.has(node))]);
    }
    expect(kernels.at(-1)?.number).toBe(kinds.length); // the loss is combined last
  }
});

test("seed-000: the kernels hold what was fused", async () => {
  const { nodes, kernels } = await lessons.lesson("seed-000", "handwritten", 0);
  const names = (number: number) =>
    kernels.find((kernel) => kernel.number === number)?.nodes.map((id) => nodes.find((node) => node.id === id)?.name);
  expect(names(1)).toEqual(["h", "h_relu", "ge"]);
  expect(names(3)).toEqual(["grad_h_relu", "grad_h"]);
  expect(names(4)).toEqual(["grad_w2", "mul", "new w2"]);
  expect(names(5)).toEqual(["grad_w1", "mul", "new w1"]);
});

test("seed-003: three gradients are not the loss's, and by grad() all are", async () => {
  const off = async (form: "handwritten" | "grad") =>
    (await lessons.lesson("seed-003", form, 0)).gradients
      .filter(({ difference }) => difference > 1e-9)
      .map(({ name }) => name);
  expect(await off("handwritten")).toEqual(["W1", "b1", "W2"]);
  expect(await off("grad")).toEqual([]);
});
