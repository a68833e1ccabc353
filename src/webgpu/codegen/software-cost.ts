import { type MatmulTiling, readsVectors } from "../../kernels/tiling";
import type { ProductShape } from "./plan";

/**
 * What things cost on a software adapter, in nanoseconds of one core for the threads that a vector register holds, four of them.
 * Measured on SwiftShader (Chrome 156, AMD EPYC). A load is expensive whatever it loads: each thread's address is tested and read
 * apart. Arithmetic is cheap beside it, and layout and caches hardly matter.
 */
const COST = {
  load: 15,
  /** Of an element that is read through a view: its index is worked out first. */
  viewLoad: 60,
  /** An element that comes as a part of a vec4. */
  vectorLoad: 9,
  /** With its part in the swaps within a quad. Sums are too many for registers. */
  product: 2.4,
  turn: 15,
  /** An element's epilogue in a loop: its sum by index, a test, a load and a store. */
  epilogue: 95,
  workgroup: 500,
  dispatch: 25_000,
};

/** Compiling, in nanoseconds, where a page has just begun: it grows with what is written out. */
const COMPILE = { kernel: 13e6, load: 0.5e6, product: 0.2e6, epilogue: 1.6e6 };

/** Workgroups that run at once: software adapters have a few cores, and leave them idle where there are fewer workgroups. */
const CORES = 4;
const LANES = 4;

/** Nanoseconds of one run by estimate, a share of compiling included that is repaid after `runs`. */
export function softwareCost(
  size: ProductShape,
  tiling: Exclude<MatmulTiling, { kind: "tiled" }>,
  runs: number,
): number {
  const { batch = 1, M, N, K, transposed, views } = size;
  const { tileM, tileN, splits } = tiling;
  const vectors = readsVectors(size, tiling, transposed);
  const load = (name: "a" | "b") => (views?.[name] ? COST.viewLoad : vectors[name] ? COST.vectorLoad : COST.load);
  const sums = tileM * tileN;
  const inGroup = tiling.kind === "subgroup";
  const step = inGroup || (vectors.b && transposed.b) || sums <= 16 ? 4 : 2;
  // What one turn of the loop does for `step` elements of K, and how much of it is loads.
  const loads = { a: inGroup ? tileM : tileM * step, b: tileN * step };
  const products = sums * step;
  const turn = loads.a * load("a") + loads.b * load("b") + products * COST.product + COST.turn;
  const tiles = Math.ceil(M / tileM) * Math.ceil(N / (inGroup ? tileN * tiling.subgroupSize : tileN)) * splits * batch;
  const groups = inGroup ? tiles : Math.ceil(tiles / tiling.workgroupSize);
  // A wider subgroup or workgroup is several registers' work.
  const registers = (inGroup ? tiling.subgroupSize : tiling.workgroupSize) / LANES;
  const work = (Math.ceil(K / splits / step) * turn + sums * COST.epilogue) * registers + COST.workgroup;
  const rest = inGroup && K % step !== 0 && K > step ? (K % step) / step : 0;
  const compile =
    COMPILE.kernel +
    (1 + rest) * ((loads.a + loads.b) * COMPILE.load + products * COMPILE.product) +
    (inGroup ? 1 : sums) * COMPILE.epilogue;
  // Parts are added up by a kernel of its own.
  const join =
    splits === 1
      ? 0
      : COST.dispatch +
        (Math.ceil((batch * M * N) / LANES) * (splits * (COST.load + COST.turn) + COST.epilogue)) / CORES +
        COMPILE.kernel / runs;
  return Math.ceil(groups / CORES) * work + compile / runs + join;
}
