import { type MatmulTiling, readsVectors } from "../../kernels/tiling";
import { fits } from "./candidates";
import { type ProductWriters, writeProduct } from "./kernel-set";
import { hashOf, type Route, type Target, type Tuned } from "./plan";

const VERSION = 1;

/** A record as text, of the adapter and browser that `key` names. `products`: what writes each kind of tiling. */
export function writeRecord(key: string, { tilings, routes }: Tuned, products: ProductWriters): string {
  return JSON.stringify({ version: VERSION, kernels: kernelsHash(products), key, tilings, routes });
}

/** What a record says; null where it is damaged, or of another version, other kernels or another adapter: it is never trusted. */
export function readRecord(text: string, key: string, target: Target, products: ProductWriters): Tuned | null {
  try {
    const record = JSON.parse(text) as Partial<Tuned> & { version: number; kernels: string; key: string };
    if (record.version !== VERSION || record.kernels !== kernelsHash(products) || record.key !== key) return null;
    const tilings = Object.entries(record.tilings as Tuned["tilings"]);
    const routes = Object.entries(record.routes as Tuned["routes"]);
    const known = (route: Route) => route === "recorded" || route === "persistent";
    if (!tilings.every(([, tiling]) => fits(tiling, target)) || !routes.every(([, route]) => known(route))) return null;
    return { tilings: Object.fromEntries(tilings), routes: Object.fromEntries(routes) };
  } catch {
    return null;
  }
}

const TILE = { tileM: 4, tileN: 4, splits: 2 } as const;
const KINDS: readonly MatmulTiling[] = [
  { kind: "direct", ...TILE, workgroupSize: 4 },
  { kind: "subgroup", ...TILE, subgroupSize: 4, variables: false },
  { kind: "subgroup", ...TILE, subgroupSize: 4, variables: true },
  { kind: "tiled", ...TILE, tileK: 8, threadsM: 8, threadsN: 8 },
];

const hashes = new WeakMap<ProductWriters, string>();

/** Names the kernels whose times are kept: products of each kind and orientation, whole and with edges, as they are written now. */
function kernelsHash(products: ProductWriters): string {
  const known = hashes.get(products);
  if (known !== undefined) return known;
  const texts = KINDS.flatMap((tiling) =>
    [64, 67].flatMap((size) =>
      [0, 1, 2, 3].map((turned) => {
        const transposed = { a: turned % 2 === 1, b: turned > 1 };
        const product = { batch: 1, M: size, N: size, K: size, aTransposed: transposed.a, bTransposed: transposed.b };
        const { a, b } = readsVectors(product, tiling, transposed);
        const operand = (name: string, vectors: boolean) => ({
          name,
          batchStride: 0,
          vectors,
          separate: false,
          text: "",
        });
        const names = { bindings: "", a: operand("a", a), b: operand("b", b), epilogue: [], partials: [], columns: [] };
        return writeProduct(products, { ...product, ...names, tiling }).source;
      }),
    ),
  );
  const hash = hashOf(texts.join("\n"));
  hashes.set(products, hash);
  return hash;
}
