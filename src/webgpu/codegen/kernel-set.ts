import type { KernelText } from "../../kernels/kernel";
import type { MatmulSpec, MatmulTiling } from "../../kernels/tiling";
import type { Fusion, Group, ReductionGroup, ScanGroup, ScatterGroup } from "../../plan/group";
import type { Points } from "../../plan/nest";
import type { KernelStores, LoweredDispatch } from "./dispatch";
import type { Context, ScatterPart } from "./part";
import type { ProductShape, Target } from "./plan";

/** Writes a product that is cut up in one way. */
type ProductWriter<Kind> = (spec: MatmulSpec, tiling: MatmulTiling & { kind: Kind }) => KernelText;

export type ProductWriters = { readonly [Kind in MatmulTiling["kind"]]?: ProductWriter<Kind> };

/** A step's kernels in their order, and which of them carry another along. */
export interface WithColumnSums {
  readonly order: readonly Group[];
  /** By the product that carries it. */
  readonly columnSums: ReadonlyMap<Group, ColumnSum>;
}

/** A reduction whose sums a product makes, and what is done with each sum. */
export interface ColumnSum {
  readonly group: ReductionGroup;
  readonly after: Points;
}

/** What plans and writes kernels for a program on an adapter. Parts that not every page needs are chunks, and may be absent. */
export interface Kernels {
  /** A good tiling of a product before anything was measured. */
  tiling(size: ProductShape, target: Target): MatmulTiling;
  readonly products: ProductWriters;
  /** Finds what products carry along, where the adapter gains by it. */
  readonly columnSumsOf:
    | ((
        fusion: Fusion,
        order: readonly Group[],
        stores: KernelStores,
        target: Target,
        kernels: Kernels,
      ) => WithColumnSums)
    | null;
  /** Reductions along rows. */
  readonly rows:
    | ((fusion: Fusion, group: ReductionGroup, stores: KernelStores, target: Target) => LoweredDispatch)
    | null;
  /** Scans, as dispatches of their own and as parts. */
  readonly scan: {
    readonly lowerScan: (
      fusion: Fusion,
      group: ScanGroup,
      stores: KernelStores,
      target: Target,
      kernels: Kernels,
    ) => LoweredDispatch[];
    readonly writeScan: NonNullable<Context["scan"]>;
  } | null;
  /** Scatters, as dispatches and as parts of a persistent kernel. */
  readonly scatter: {
    readonly lowerScatter: (
      fusion: Fusion,
      group: ScatterGroup,
      stores: KernelStores,
      target: Target,
    ) => LoweredDispatch[];
    readonly scatterPart: ScatterPart;
  } | null;
}

export function writeProduct(products: ProductWriters, spec: MatmulSpec): KernelText {
  const { tiling } = spec;
  const write = products[tiling.kind] as ((spec: MatmulSpec, tiling: MatmulTiling) => KernelText) | undefined;
  if (write === undefined) throw new Error(`internal: nothing writes products that are ${tiling.kind}`);
  return write(spec, tiling);
}
