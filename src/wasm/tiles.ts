import { LANE_BYTES, VECTOR_BYTES } from "./lane";
import { type Product, packs } from "./packing";

/**
 * Register tiles, [rows, vectors of four columns]. Sixteen registers hold a tile's sums, a vector for each of its columns and a
 * number for each of its rows: compilers load all of them before the first sum.
 */
const TILES: readonly Tile[] = [
  { rows: 4, vectors: 2 },
  { rows: 6, vectors: 1 },
  { rows: 2, vectors: 4 },
  { rows: 1, vectors: 6 },
];
/** Only where a product and a sum are one instruction, and need no register between them. */
const FUSED_TILES: readonly Tile[] = [...TILES, { rows: 3, vectors: 3 }];
/** Sums that must be under way for the machine to begin a new one as soon as it could. */
const IN_FLIGHT = 8;

export interface Tile {
  readonly rows: number;
  readonly vectors: number;
}

/** The tile, cut so that all are about as high, with which a product takes the fewest instructions. */
export function tileFor({ M, N }: Product, fused: boolean): Tile {
  const needed = Math.ceil(N / 4);
  const cost = ({ rows, vectors }: Tile) => {
    const rest = needed % vectors;
    const terms = (vectors: number) => Math.max(rows * vectors, IN_FLIGHT);
    return Math.ceil(M / rows) * (Math.floor(needed / vectors) * terms(vectors) + (rest > 0 ? terms(rest) : 0));
  };
  const tiles = (fused ? FUSED_TILES : TILES).map(({ rows, vectors }) => ({
    rows: Math.ceil(M / Math.ceil(M / rows)),
    vectors: Math.min(vectors, needed),
  }));
  return tiles.reduce((best, tile) => (cost(tile) < cost(best) ? tile : best));
}

/** A right operand of so many bytes is copied as a whole where it is a view: it stays in the second cache. */
const MAX_WHOLE = 2 ** 20;

/** Bytes of a copy of the right operand, with room for a last vector; null where that is too much. */
export function wholeBytes({ K, N }: Pick<Product, "K" | "N">): number | null {
  const bytes = K * N * LANE_BYTES + VECTOR_BYTES;
  return bytes <= MAX_WHOLE ? bytes : null;
}

/** Bytes that a product needs for its copy of the right operand: of all of it, or of one panel where it is a large view. */
export function packedBytes(product: Product, fused: boolean, viewed: boolean): number {
  const width = tileFor(product, fused).vectors * 4;
  if (viewed) return Math.max(width * product.K * LANE_BYTES, wholeBytes(product) ?? 0);
  return packs(product) ? Math.ceil(product.N / width) * width * product.K * LANE_BYTES : 0;
}

/** Bytes from one thread's copy of so many to the next one's: none has a part in the other's cache lines. */
export function ownBytes(sizeBytes: number): number {
  return Math.ceil(sizeBytes / 64) * 64 + 64;
}
