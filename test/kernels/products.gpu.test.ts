import { describe, expect, test } from "vitest";
import { input, type Program, parameter, type Tensor } from "../../src/index";
import type { MatmulTiling } from "../../src/kernels/tiling";
import { sizeOf } from "../../src/util/shape";
import { shapeClass } from "../../src/webgpu/codegen/tiling";
import { normal } from "../graph/numbers";
import { openOther } from "./other-device";

const adapter = await navigator.gpu.requestAdapter();
const subgroupSize =
  adapter?.features.has("subgroups") && adapter.info.subgroupMinSize === adapter.info.subgroupMaxSize
    ? (adapter.info.subgroupMinSize ?? 0)
    : 0;

const direct = (tileM: number, tileN: number, splits = 1): MatmulTiling => ({
  kind: "direct",
  tileM,
  tileN,
  splits,
  workgroupSize: 4,
});
const subgroup = (tileM: number, tileN: number, splits = 1, variables = false): MatmulTiling => ({
  kind: "subgroup",
  tileM,
  tileN,
  splits,
  subgroupSize,
  variables,
});
const tiled = (tileM: number, tileN: number, tileK: number, threads: number, splits = 1): MatmulTiling => ({
  kind: "tiled",
  tileM,
  tileN,
  tileK,
  threadsM: threads,
  threadsN: threads,
  splits,
});

/** Whole tiles; edges of rows, columns and both; K shorter than a turn of the loop; what is left of K; more tile than product. */
const SIZES = [
  [16, 32, 16],
  [17, 36, 12],
  [16, 33, 13],
  [2, 1, 3],
  [9, 20, 150],
  [33, 36, 258],
] as const;

const TILINGS: MatmulTiling[] = [
  ...[direct(3, 4), direct(4, 4, 2), tiled(2, 2, 8, 4), tiled(4, 2, 16, 4, 3)],
  ...(subgroupSize > 0
    ? [subgroup(1, 1), subgroup(4, 4), subgroup(3, 5, 2), subgroup(8, 2, 3), subgroup(5, 4, 2, true)]
    : []),
];
const KERNELS = { direct: "matmul-direct", subgroup: "matmul-subgroup", tiled: "matmul-tiled" };

const TRANSPOSITIONS = [
  { a: false, b: false },
  { a: true, b: false },
  { a: false, b: true },
  { a: true, b: true },
];

/** A product each way, with a bias and the sum of its squares, which its kernel begins. */
function program(M: number, N: number, K: number): Program {
  const bias = input([N]);
  const inputs: Record<string, Tensor> = { bias };
  const outputs: Record<string, Tensor> = {};
  TRANSPOSITIONS.forEach((transposed, i) => {
    const a = input(transposed.a ? [K, M] : [M, K]);
    const b = input(transposed.b ? [N, K] : [K, N]);
    const y = (transposed.a ? a.T : a).matmul(transposed.b ? b.T : b).add(bias);
    Object.assign(inputs, { [`a${i}`]: a, [`b${i}`]: b });
    Object.assign(outputs, { [`y${i}`]: y, [`squares${i}`]: y.square().sum() });
  });
  return { inputs, parameters: {}, outputs };
}

test.runIf(adapter?.info.architecture === "swiftshader")("this adapter's subgroups are tried", () => {
  expect(subgroupSize).toBeGreaterThan(0);
});

/** A tile of few elements, so that a large product has more than 65,535 workgroups: the grid has two axes, and some to spare. */
describe.each([direct(2, 4), tiled(1, 1, 8, 2), ...(subgroupSize > 0 ? [subgroup(2, 4)] : [])])(
  "more workgroups than one axis of a grid has: $kind",
  (tiling) => {
    test.each([false, true])(
      "each element is written once, and counts once; the sum taken within the step: %s",
      async (inStep) => {
        const size = tiling.kind === "tiled" ? 515 : 1451;
        const transposed = { a: false, b: false };
        const tilings = { [shapeClass({ M: size, N: size, K: 2, transposed })]: tiling };
        const device = await openOther({ route: "recorded", tilings });
        try {
          const [a, b, w] = [input([size, 2]), input([2, size]), parameter([])];
          const y = a.matmul(b);
          const total = y.sum();
          const updates = inStep ? { w: w.add(total) } : {};
          const session = await device.compile({ inputs: { a, b }, parameters: { w }, outputs: { y, total }, updates });
          const ones = new Float32Array(2 * size).fill(1);
          const got = await session.run({ a: ones, b: ones });
          expect((got.y as Float32Array).every((value) => value === 2)).toBe(true);
          // Sums of integers below 2²⁴: exact in any order.
          expect(got.total?.[0]).toBe(2 * size * size);
        } finally {
          device.close();
        }
      },
    );
  },
);

describe.each(TILINGS.map((tiling) => ({ tiling, name: JSON.stringify(tiling) })))("$name", ({ tiling }) => {
  test.each(SIZES)("M %i, N %i, K %i", async (M, N, K) => {
    const tilings = Object.fromEntries(
      TRANSPOSITIONS.map((each) => [shapeClass({ M, N, K, transposed: each }), tiling]),
    );
    const device = await openOther({ route: "recorded", tilings });
    try {
      const given = program(M, N, K);
      const session = await device.compile(given);
      expect(session.explain()).toMatch(new RegExp(`^  1  ${KERNELS[tiling.kind]} `, "m"));
      const values = Object.entries(given.inputs).map(([name, { shape }], i) => [name, normal(sizeOf(shape), i)]);
      const report = await session.verify(Object.fromEntries(values));
      expect(report.ok, `${report}\n${session.explain()}`).toBe(true);
    } finally {
      device.close();
    }
  });
});
