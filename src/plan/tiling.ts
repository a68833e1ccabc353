import { type MatmulTiling, withinTurns } from "../kernels/tiling";
import type { ProductShape, Target } from "./plan";
import type { Writers } from "./writers";

/** Names the products that are tiled alike: sizes rounded up to powers of two, and which operand lies transposed. */
export function shapeClass({ M, N, K, transposed }: ProductShape): string {
  const rounded = [M, N, K].map((size) => 2 ** Math.ceil(Math.log2(size)));
  return `${rounded.join("x")}${transposed.a ? " aT" : ""}${transposed.b ? " bT" : ""}`;
}

/** How a product is tiled: as was measured on this adapter, else by default. */
export function tilingFor(size: ProductShape, target: Target, { tiling }: Writers): MatmulTiling {
  const wanted = target.tilings?.[shapeClass(size)] ?? tiling(size, target);
  return withinTurns(wanted, size.K, mostTurns(target));
}

/** Turns of all its loops that a thread may make in a dispatch. */
export function mostTurns({ maxTurns = Number.POSITIVE_INFINITY }: Target): number {
  return maxTurns;
}

/** Sums that a thread may hold. */
export const MOST_SUMS = 256;
/** On a software adapter compiling takes its time: by default it must repay itself within so many runs; the tuner is there for more. */
export const SESSION_RUNS = 40;
/** Workgroups that fill a large device. */
export const FULL = 128;

/** Threads that share a subgroup in a product; 0 where they are too many to be worth it, or not known. */
export function subgroupsOf({ subgroupSize }: Target): number {
  return subgroupSize <= 8 ? subgroupSize : 0;
}

/** Threads that share a row of `length`. */
export function lanesFor(length: number, rows: number, target: Target): number {
  if (target.software) return length > 4096 && rows < 64 ? 64 : 1;
  let lanes = 1;
  while (lanes * 8 < length && lanes < Math.min(256, target.maxWorkgroupSize)) lanes *= 2;
  return lanes;
}
