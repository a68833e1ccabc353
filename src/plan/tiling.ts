import { type MatmulTiling, readsVectors } from "../kernels/matmul";
import type { Target } from "./plan";

/** A good tiling of [M, K] x [K, N] before anything was measured. */
export function defaultTiling(
  M: number,
  N: number,
  K: number,
  transposed: { a: boolean; b: boolean },
  target: Target,
): MatmulTiling {
  return target.software ? directTiling(M, N, K, transposed) : tiledTiling(M, N, K, target);
}

/** Sums that a thread holds: more save loads, and cost a software adapter up to a second of compiling, so small products get few. */
function maxSums(products: number): number {
  if (products < 2 ** 19) return 16;
  return products < 2 ** 24 ? 64 : 128;
}

/** A software adapter runs four threads at a time on each of a few cores. */
const SOFTWARE_THREADS = 16;

/** The fewest loads a product, four elements at a time where the operand allows, with enough threads to keep a processor busy. */
function directTiling(M: number, N: number, K: number, transposed: { a: boolean; b: boolean }): MatmulTiling {
  const most = maxSums(M * N * K);
  const tiling = (tileM: number, tileN: number, splits = 1): MatmulTiling => ({
    kind: "direct",
    tileM,
    tileN,
    splits,
    workgroupSize: 4,
  });
  let best: { cost: number; tileM: number; tileN: number } | null = null;
  for (const tileM of [1, 2, 3, 4, 5, 6, 8, 10]) {
    for (let tileN = 1; tileN <= 20; tileN++) {
      if (tileM * tileN > most || tileM > M || tileN > N) continue;
      const tiles = Math.ceil(M / tileM) * Math.ceil(N / tileN);
      const threads = Math.max(Math.ceil(tiles / 4) * 4, SOFTWARE_THREADS);
      const vectors = readsVectors({ M, N, K }, tiling(tileM, tileN), transposed);
      // Each thread's work for one k: its products, and its loads, each about as dear as two products.
      const loads = tileM * (vectors.a ? 0.5 : 1) + tileN * (vectors.b ? 0.5 : 1);
      const edge = M % tileM === 0 && N % tileN === 0 ? 1 : 1.05;
      const cost = threads * (tileM * tileN + 2 * loads) * edge;
      if (best === null || cost < best.cost) best = { cost, tileM, tileN };
    }
  }
  const { tileM, tileN } = best ?? { tileM: 1, tileN: 1 };
  const tiles = Math.ceil(M / tileM) * Math.ceil(N / tileN);
  const splits = tiles < 8 && K >= 256 ? Math.min(Math.floor(K / 64), Math.ceil(8 / tiles)) : 1;
  return tiling(tileM, tileN, splits);
}

/** Workgroups that fill a large device. */
const FULL = 128;

function tiledTiling(M: number, N: number, K: number, target: Target): MatmulTiling {
  const groups = (size: number) => Math.ceil(M / size) * Math.ceil(N / size);
  const large = target.maxWorkgroupSize >= 256;
  if (large && groups(64) >= FULL)
    return { kind: "tiled", tileM: 4, tileN: 4, tileK: 16, threadsM: 16, threadsN: 16, splits: 1 };
  const size = groups(32) >= FULL / 4 || Math.min(M, N) > 16 ? 32 : 16;
  const count = groups(size);
  const splits = count < FULL && K >= 128 ? Math.max(1, Math.min(Math.floor(K / 64), Math.ceil(FULL / count))) : 1;
  return { kind: "tiled", tileM: size / 8, tileN: size / 8, tileK: 16, threadsM: 8, threadsN: 8, splits };
}

/** Threads that share a row of `length`. */
export function lanesFor(length: number, rows: number, target: Target): number {
  if (target.software) return length > 4096 && rows < 64 ? 64 : 1;
  let lanes = 1;
  while (lanes * 8 < length && lanes < Math.min(256, target.maxWorkgroupSize)) lanes *= 2;
  return lanes;
}
