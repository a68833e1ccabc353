import type { MatmulTiling } from "../../kernels/tiling";
import type { ProductShape, Target } from "./plan";
import { softwareCost } from "./software-cost";
import { MOST_SUMS, SESSION_RUNS, subgroupsOf } from "./tiling";

/** Rows or columns of a thread's tile that are tried. */
const EDGES = [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 13, 16, 20, 24, 32];

/** So many sums compile as soon as variables as in an array. */
const FEW_SUMS = 64;

/** A good tiling for a software adapter before anything was measured. */
export function softwareDefault(size: ProductShape, target: Target): MatmulTiling {
  return softwareTiling(size, subgroupsOf(target), SESSION_RUNS);
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
          ? ({ kind: "subgroup", ...tile, subgroupSize, variables: tileM * tileN <= FEW_SUMS } as const)
          : ({ kind: "direct", ...tile, workgroupSize: 4 } as const);
        const cost = softwareCost(size, tiling, runs);
        if (cost < least) [best, least] = [tiling, cost];
      }
    }
  }
  return best;
}
