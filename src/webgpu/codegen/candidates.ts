import { bytesOf } from "../../graph/ops";
import type { MatmulTiling } from "../../kernels/tiling";
import type { ProductShape, Target } from "./plan";
import { FULL, MOST_SUMS, SESSION_RUNS, subgroupsOf } from "./tiling";

/** The cheapest tiling by estimate where a kernel runs `runs` times. */
type Search = (size: ProductShape, subgroupSize: number, runs: number) => MatmulTiling;

/**
 * Tilings worth measuring, each once, those that this device cannot run left out. The first is the `usual` one; on a software
 * adapter the others are found by `search`.
 */
export function candidates(
  size: ProductShape,
  target: Target,
  usual: MatmulTiling,
  search: Search | null,
): MatmulTiling[] {
  const others = search ? softwareCandidates(size, target, search) : tiledCandidates(size, target);
  const all = [usual, ...others].filter((tiling) => fits(tiling, target));
  return [...new Map(all.map((tiling) => [tilingName(tiling), tiling])).values()];
}

export function tilingName(tiling: MatmulTiling): string {
  const { kind, tileM, tileN, splits } = tiling;
  const threads =
    kind === "tiled" ? `, ${tiling.threadsM}x${tiling.threadsN} threads, ${tiling.tileK} of K at once` : "";
  const sums = kind === "subgroup" && tiling.variables ? ", sums in variables" : "";
  return `${kind} ${tileM}x${tileN}${threads}${sums}${splits === 1 ? "" : `, K in ${splits} parts`}`;
}

/** Whether a device can run a tiling; false too where what should be a tiling is none, as a file may hold it. */
export function fits(tiling: MatmulTiling, target: Target): boolean {
  const { kind, tileM, tileN, splits } = tiling;
  const count = (value: unknown, most: number) =>
    Number.isInteger(value) && (value as number) >= 1 && (value as number) <= most;
  if (!count(tileM, MOST_SUMS) || !count(tileN, MOST_SUMS) || tileM * tileN > MOST_SUMS || !count(splits, 256))
    return false;
  switch (kind) {
    case "direct":
      return count(tiling.workgroupSize, target.maxWorkgroupSize) && Number.isInteger(Math.log2(tiling.workgroupSize));
    case "subgroup":
      return (
        tiling.subgroupSize === target.subgroupSize && target.subgroupSize > 0 && typeof tiling.variables === "boolean"
      );
    case "tiled": {
      const { tileK, threadsM, threadsN } = tiling;
      if (!count(tileK, 64) || !count(threadsM, 64) || !count(threadsN, 64)) return false;
      const threads = threadsM * threadsN;
      // Reductions that begin in the epilogue share a float32 a thread.
      const bytes = bytesOf("float32") * (tileK * (tileM * threadsM + tileN * threadsN + 2) + threads);
      return (
        count(threads, target.maxWorkgroupSize) &&
        Number.isInteger(Math.log2(threads)) &&
        bytes <= target.maxWorkgroupBytes
      );
    }
    default:
      kind satisfies never;
      return false;
  }
}

/** Larger and larger tiles, with subgroups and without. */
function softwareCandidates(size: ProductShape, target: Target, search: Search): MatmulTiling[] {
  const lanes = subgroupsOf(target);
  const runs = [SESSION_RUNS / 10, SESSION_RUNS * 10, Number.POSITIVE_INFINITY];
  const inGroup = lanes > 0 ? runs.map((each) => search(size, lanes, each)) : [];
  const last = inGroup.slice(-1);
  const split = last.map((tiling): MatmulTiling => ({ ...tiling, splits: tiling.splits * 2 }));
  const variables = inGroup.slice(-2).map((tiling) => ({ ...tiling, variables: true }) as MatmulTiling);
  return [
    ...inGroup,
    ...split,
    ...variables,
    ...(lanes > 0 ? [SESSION_RUNS] : runs).map((each) => search(size, 0, each)),
  ];
}

/** Tiles of one thread, rows and columns: the larger the fewer loads a product, and the fewer threads there are. */
const THREAD_TILES = [
  [2, 2],
  [4, 4],
  [4, 8],
  [8, 8],
] as const;

function tiledCandidates(size: ProductShape, target: Target): MatmulTiling[] {
  const { batch = 1, M, N, K } = size;
  const found: MatmulTiling[] = [];
  for (const [tileM, tileN] of THREAD_TILES) {
    for (const threads of [8, 16]) {
      const [rows, columns] = [tileM * threads, tileN * threads];
      // No more than half of a workgroup may lie outside.
      if (rows >= 2 * M || columns >= 2 * N) continue;
      const groups = batch * Math.ceil(M / rows) * Math.ceil(N / columns);
      const parts = groups < FULL ? Math.min(Math.floor(K / 64), Math.ceil(FULL / groups)) : 1;
      for (const tileK of [8, 16, 32].filter((tileK) => tileK <= Math.max(K, 8))) {
        for (const splits of new Set([1, Math.max(1, parts)]))
          found.push({ kind: "tiled", tileM, tileN, tileK, threadsM: threads, threadsN: threads, splits });
      }
    }
  }
  for (const [tileM, tileN] of [
    [1, 4],
    [4, 4],
    [8, 4],
  ] as const)
    found.push({ kind: "direct", tileM, tileN, splits: 1, workgroupSize: 64 });
  if (target.subgroupSize > 0)
    for (const [tileM, tileN] of [
      [4, 1],
      [8, 2],
    ] as const)
      found.push({ kind: "subgroup", tileM, tileN, splits: 1, subgroupSize: target.subgroupSize, variables: true });
  return found;
}
