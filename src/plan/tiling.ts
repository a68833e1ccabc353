import type { MatmulTiling } from "../kernels/product";
import type { ProductShape, Target } from "./plan";
import { softwareCost } from "./software-cost";

/** Names the products that are tiled alike: sizes rounded up to powers of two, and which operand lies transposed. */
export function shapeClass({ M, N, K, transposed }: ProductShape): string {
  const rounded = [M, N, K].map((size) => 2 ** Math.ceil(Math.log2(size)));
  return `${rounded.join("x")}${transposed.a ? " aT" : ""}${transposed.b ? " bT" : ""}`;
}

/** How a product is tiled: as was measured on this adapter, else by default. */
export function tilingFor(size: ProductShape, target: Target): MatmulTiling {
  return target.tilings?.[shapeClass(size)] ?? defaultTiling(size, target);
}

/** A good tiling before anything was measured. */
export function defaultTiling(size: ProductShape, target: Target): MatmulTiling {
  if (!target.software) return tiledTiling(size, target);
  return softwareTiling(size, subgroupsOf(target), SESSION_RUNS);
}

/** Rows or columns of a thread's tile that are tried. */
const EDGES = [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 13, 16, 20, 24, 32];
/** Sums that a thread may hold. */
export const MOST_SUMS = 256;
/** On a software adapter compiling takes its time: by default it must repay itself within so many runs; the tuner is there for more. */
export const SESSION_RUNS = 40;

/** Threads that share a subgroup in a product; 0 where they are too many to be worth it, or not known. */
export function subgroupsOf({ subgroupSize }: Target): number {
  return subgroupSize <= 8 ? subgroupSize : 0;
}

/** The cheapest by estimate where a kernel runs `runs` times. Subgroups load least; without them each thread reads for itself. */
export function softwareTiling(size: ProductShape, subgroupSize: number, runs: number): MatmulTiling {
  const { M, N, K } = size;
  const splits = [1, 2, 4, 8, 16, 32].filter((splits) => splits === 1 || K / splits >= 64);
  let best: MatmulTiling = { kind: "direct", tileM: 1, tileN: 1, splits: 1, workgroupSize: 4 };
  let least = Number.POSITIVE_INFINITY;
  for (const tileM of EDGES.filter((edge) => edge <= M)) {
    for (const tileN of EDGES.filter((edge) => edge <= N && edge * tileM <= MOST_SUMS)) {
      for (const parts of splits) {
        const tile = { tileM, tileN, splits: parts };
        const tiling = subgroupSize
          ? ({ kind: "subgroup", ...tile, subgroupSize } as const)
          : ({ kind: "direct", ...tile, workgroupSize: 4 } as const);
        const cost = softwareCost(size, tiling, runs);
        if (cost < least) [best, least] = [tiling, cost];
      }
    }
  }
  return best;
}

/** Workgroups that fill a large device. */
export const FULL = 128;

function tiledTiling({ M, N, K }: ProductShape, target: Target): MatmulTiling {
  const groups = (size: number) => Math.ceil(M / size) * Math.ceil(N / size);
  const large = target.maxWorkgroupSize >= 256;
  if (large && groups(64) >= FULL)
    return { kind: "tiled", tileM: 4, tileN: 4, tileK: 16, threadsM: 16, threadsN: 16, splits: 1 };
  const size = groups(32) >= FULL / 4 || Math.min(M, N) > 16 ? 32 : 16;
  const count = groups(size);
  // A sum that is split is added up by another kernel: a short one is done sooner than that begins.
  const splits = count < FULL && K >= 256 ? Math.max(1, Math.min(Math.floor(K / 64), Math.ceil(FULL / count))) : 1;
  return { kind: "tiled", tileM: size / 8, tileN: size / 8, tileK: 16, threadsM: 8, threadsN: 8, splits };
}

/** Threads that share a row of `length`. */
export function lanesFor(length: number, rows: number, target: Target): number {
  if (target.software) return length > 4096 && rows < 64 ? 64 : 1;
  let lanes = 1;
  while (lanes * 8 < length && lanes < Math.min(256, target.maxWorkgroupSize)) lanes *= 2;
  return lanes;
}
