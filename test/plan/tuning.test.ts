import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { MatmulTiling } from "../../src/kernels/tiling";
import { candidates, fits, tilingName } from "../../src/webgpu/codegen/candidates";
import { compile } from "../../src/webgpu/codegen/compile";
import { planHash, routeKey, type Target, type Tuned } from "../../src/webgpu/codegen/plan";
import { softwareTiling } from "../../src/webgpu/codegen/software-tiling";
import { shapeClass } from "../../src/webgpu/codegen/tiling";
import { readRecord, writeRecord } from "../../src/webgpu/codegen/tuning-file";
import { classifier, HARDWARE, makersOf, SOFTWARE, twoLayer } from "./programs";

const SUBGROUPS: Target = { ...SOFTWARE, subgroupSize: 4 };
const LEAST: Target = { ...HARDWARE, maxStorageBuffers: 8, maxWorkgroupBytes: 16384, maxWorkgroupSize: 128 };
const TARGETS = { HARDWARE, SOFTWARE, SUBGROUPS, LEAST, WARPS: { ...HARDWARE, subgroupSize: 32 } };

const plain = { a: false, b: false };
const tiling: MatmulTiling = { kind: "direct", tileM: 2, tileN: 4, splits: 1, workgroupSize: 64 };
const first = shapeClass({ M: 64, N: 100, K: 1000, transposed: plain });
const tuned: Tuned = { tilings: { [first]: tiling }, routes: { "1-2": "recorded" } };
const recorded = (target: Target, program = twoLayer()) =>
  compile(program, { ...target, route: "recorded" }, makersOf(target, "recorded"));

describe("candidates", () => {
  test.each(Object.entries(TARGETS))("begin with the default, each once, and run on the device: %s", (_, target) => {
    const size = fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 3000 }));
    fc.assert(
      fc.property(size, size, size, fc.boolean(), fc.boolean(), (M, N, K, a, b) => {
        const product = { M, N, K, transposed: { a, b } };
        const usual = makersOf(target).tiling(product, target);
        const all = candidates(product, target, usual, target.software ? softwareTiling : null);
        expect(all[0]).toEqual(usual);
        expect(new Set(all.map(tilingName)).size).toBe(all.length);
        expect(all.every((each) => fits(each, target))).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  test("are of several kinds, where the device has subgroups", () => {
    const size = { M: 512, N: 512, K: 512, transposed: plain };
    const found = (target: Target) =>
      candidates(size, target, makersOf(target).tiling(size, target), target.software ? softwareTiling : null);
    const kinds = found(SUBGROUPS).map(({ kind }) => kind);
    expect(new Set(kinds)).toEqual(new Set(["subgroup", "direct"]));
    const wide = found(TARGETS.WARPS).map(({ kind }) => kind);
    expect(new Set(wide)).toEqual(new Set(["tiled", "direct", "subgroup"]));
  });
});

describe("a record", () => {
  const { products } = makersOf(HARDWARE);
  const text = writeRecord("adapter", tuned, products);

  test("says again what was measured", () => {
    expect(readRecord(text, "adapter", HARDWARE, products)).toEqual(tuned);
  });

  const changed = (change: object) => JSON.stringify({ ...JSON.parse(text), ...change });
  test.each([
    ["of another version", changed({ version: 2 })],
    ["of other kernels", changed({ kernels: "00000000" })],
    ["of another adapter", changed({ key: "another" })],
    ["without tilings", changed({ tilings: null })],
    ["with a route that there is not", changed({ routes: { "1-2": "fast" } })],
    ["with a tiling that is none", changed({ tilings: { [first]: { kind: "wide" } } })],
    ["with a tiling of a kind that there is not", changed({ tilings: { [first]: { ...tiling, kind: "wide" } } })],
    ["with a tiling of no kind", changed({ tilings: { [first]: { tileM: 2, tileN: 4, splits: 1 } } })],
    ["with a tile of no rows", changed({ tilings: { [first]: { ...tiling, tileM: 0 } } })],
    ["with half a row", changed({ tilings: { [first]: { ...tiling, tileM: 1.5 } } })],
    ["with null for a tiling", changed({ tilings: { [first]: null } })],
    ["with more threads than there are", changed({ tilings: { [first]: { ...tiling, workgroupSize: 1024 } } })],
    [
      "with subgroups that there are not",
      changed({ tilings: { [first]: { ...tiling, kind: "subgroup", subgroupSize: 4, variables: true } } }),
    ],
    ["cut off", text.slice(0, -9)],
    ["that is empty", ""],
    ["that is null", "null"],
  ])("%s is left aside", (_, damaged) => {
    expect(readRecord(damaged, "adapter", HARDWARE, products)).toBeNull();
  });

  const programs = [twoLayer(), classifier(60, 4, 8, 3)];

  /** Whether a text is taken for a record; then every program still has a plan by it. */
  function checkRead(text: string, target: Target): boolean {
    const found = readRecord(text, "adapter", target, products);
    if (found === null) return false;
    for (const program of programs) expect(recorded({ ...target, ...found }, program).step).not.toEqual([]);
    return true;
  }

  test("that is any JSON is read or left aside, and breaks nothing", () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), fc.jsonValue(), fc.jsonValue(), (text, tilings, routes) => {
        checkRead(text, HARDWARE);
        checkRead(changed({ tilings }), HARDWARE);
        checkRead(changed({ routes }), HARDWARE);
      }),
      { numRuns: 60 },
    );
  });

  test.each(Object.entries(TARGETS))("with anything in it changed is left aside, or plans by it: %s", (_, target) => {
    const measured = programs.flatMap((program) =>
      recorded(target, program).step.flatMap(({ product }) => product ?? []),
    );
    const known = measured.flatMap((product) =>
      candidates(product, target, makersOf(target).tiling(product, target), target.software ? softwareTiling : null),
    );
    const number = fc.oneof(fc.integer({ min: -1, max: 300 }), fc.constantFrom(1, 2, 4, 8, 16, 64, 128, 256));
    const anything = fc.oneof(number, number, fc.constantFrom("direct", "subgroup", "tiled", true), fc.jsonValue());
    const fields = [
      "kind",
      "tileM",
      "tileN",
      "tileK",
      "splits",
      "threadsM",
      "threadsN",
      "workgroupSize",
      "subgroupSize",
    ];
    const change = fc.tuple(fc.constantFrom(...fields, "variables"), anything);
    const changedTiling = fc
      .tuple(fc.constantFrom(...known), fc.array(change, { maxLength: 2 }))
      .map(([tiling, changes]) => ({ ...tiling, ...Object.fromEntries(changes) }));
    const tilings = fc.dictionary(fc.constantFrom(...measured.map(shapeClass)), changedTiling, {
      minKeys: 1,
      maxKeys: 2,
    });
    const route = fc.oneof(
      { weight: 9, arbitrary: fc.constantFrom("recorded", "persistent") },
      { weight: 1, arbitrary: fc.jsonValue() },
    );
    let used = 0;
    fc.assert(
      fc.property(tilings, fc.dictionary(fc.string(), route, { maxKeys: 1 }), (tilings, routes) => {
        if (checkRead(changed({ tilings, routes }), target)) used++;
      }),
      { numRuns: 100 },
    );
    expect(used).toBeGreaterThan(5);
    expect(used).toBeLessThan(100);
  });
});

describe("a plan", () => {
  test("follows the record, and is the same whenever the record is", () => {
    const [usual, one, two] = [
      recorded(HARDWARE),
      recorded({ ...HARDWARE, ...tuned }),
      recorded({ ...HARDWARE, ...tuned }),
    ];
    expect(usual.step[0]?.kernel).toBe("matmul-tiled");
    expect(one.step[0]?.kernel).toBe("matmul-direct");
    expect(planHash(one)).toBe(planHash(two));
    expect(planHash(one)).not.toBe(planHash(usual));
    const others = (plan: typeof usual) => plan.step.slice(-2).map(({ source }) => source);
    expect(others(one)).toEqual(others(usual));
  });

  test("takes the route that was measured for it", () => {
    const program = classifier(64, 2, 16, 3);
    const makers = makersOf(HARDWARE);
    const apart = compile(program, { ...HARDWARE, route: "recorded" }, makersOf(HARDWARE, "recorded"));
    const whole = compile(program, { ...HARDWARE, route: "persistent" }, makers);
    for (const route of ["recorded", "persistent"] as const) {
      const plan = compile(program, { ...HARDWARE, routes: { [routeKey(apart, whole)]: route } }, makers);
      expect([plan.route, plan.reason]).toEqual([route, "as was measured here"]);
    }
    const other = compile(program, { ...HARDWARE, routes: { "1-2": "recorded" } }, makers);
    expect(other.reason).toMatch(/by estimate/);
  });
});
