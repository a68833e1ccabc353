import { type MatmulTiling, readsVectors, withinTurns } from "../../kernels/tiling";
import { type Kernels, writeProduct } from "./kernel-set";
import { MAX_TEXT, mostTurns, type ProductShape, type Target } from "./plan";

/** Names the products that are tiled alike: sizes rounded up to powers of two, which operand lies transposed, and which is read through a view. */
export function shapeClass({ batch = 1, M, N, K, transposed, views }: ProductShape): string {
  const up = (size: number) => 2 ** Math.ceil(Math.log2(size));
  const operand = (name: "a" | "b") =>
    `${transposed[name] ? ` ${name}T` : ""}${views?.[name] ? ` ${name} viewed` : ""}`;
  return `${[M, N, K].map(up).join("x")}${operand("a")}${operand("b")}${batch > 1 ? ` of ${up(batch)}` : ""}`;
}

/** How a product is tiled: as was measured on this adapter, else by default; less where the text would be too long. */
export function tilingFor(size: ProductShape, target: Target, { tiling, products }: Kernels): MatmulTiling {
  let found = withinTurns(target.tilings?.[shapeClass(size)] ?? tiling(size, target), size.K, mostTurns(target));
  while (found.tileM * found.tileN > SHORT_TILE && textOf(size, found, products) > MAX_TEXT - EPILOGUE) {
    const { tileM, tileN } = found;
    found = tileM > tileN ? { ...found, tileM: tileM >> 1 } : { ...found, tileN: tileN >> 1 };
  }
  return found;
}

/** Sums of a thread that are never too long; and characters that are left for bindings and what follows a sum. */
const SHORT_TILE = 64;
const EPILOGUE = 8192;

function textOf(size: ProductShape, tiling: MatmulTiling, products: Kernels["products"]): number {
  const { transposed } = size;
  const vectors = readsVectors(size, tiling, transposed);
  const operand = (name: "a" | "b") => ({
    name,
    batchStride: size.views?.[name] ? null : 0,
    separate: false,
    vectors: vectors[name],
    text: "",
  });
  return writeProduct(products, {
    ...{ batch: 1, ...size, aTransposed: transposed.a, bTransposed: transposed.b, a: operand("a"), b: operand("b") },
    ...{ tiling, bindings: "", epilogue: [], partials: [], columns: [] },
  }).source.length;
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
