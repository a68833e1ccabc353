import { elementwiseRow } from "../../graph/ops";
import type { Program } from "../../graph/program";
import { topological } from "../../graph/tensor";
import { addFunctions } from "../../kernels/functions";
import type { MatmulTiling } from "../../kernels/tiling";
import { type Fusion, type Group, valuesOf } from "../../plan/group";
import { type KernelSet, mayBePersistent } from "./compile";
import type { ProductWriters } from "./kernel-set";
import type { Target } from "./plan";
import { subgroupsOf } from "./tiling";

type Kind = MatmulTiling["kind"];

/**
 * Brings what writes the groups of a program for `target`, products in the usual tiling and those of `kinds`. Each part is a chunk of its own:
 * a page downloads the kernels of its own adapter, and of what its networks do.
 */
export async function loadKernels(
  program: Program,
  { groups, deferred }: Fusion,
  target: Target,
  kinds: readonly Kind[] = [],
): Promise<KernelSet> {
  const usual: Kind = target.software ? (subgroupsOf(target) > 0 ? "subgroup" : "direct") : "tiled";
  const all = withSteps([...groups, ...(deferred ? [deferred] : [])]);
  // What a kernel does in place is among the operands of what it computes.
  const isLong = topological(all.flatMap(valuesOf)).some(({ op }) => elementwiseRow(op)?.operations !== undefined);
  return load(program, target, [usual, ...kinds], (kind) => all.some((group) => group.kind === kind), isLong);
}

/** Brings everything, for whoever plans a program in many ways. */
export async function loadAllKernels(program: Program, target: Target): Promise<KernelSet> {
  return load(program, target, KINDS, () => true, true);
}

async function load(
  program: Program,
  target: Target,
  kinds: readonly Kind[],
  has: (kind: Group["kind"]) => boolean,
  isLong: boolean,
): Promise<KernelSet> {
  const [defaults, products, reductions, scatter, persistent, scan] = await Promise.all([
    target.software ? software() : hardware(),
    productsOf([...new Set(kinds)]),
    has("reduction") ? import("./lower-reduction") : null,
    has("scatter") ? import("./lower-scatter") : null,
    mayBePersistent(program, target) ? inOneWorkgroup() : null,
    has("scan") ? scanKernels() : null,
    isLong ? longFunctions() : null,
  ]);
  return { ...defaults, products, rows: reductions?.lowerRows ?? null, scatter, persistent, scan };
}

/** Groups, and those of the steps of scans. */
function withSteps(groups: readonly Group[]): Group[] {
  return groups.flatMap((group) => [group, ...(group.kind === "scan" ? withSteps(group.scan.order) : [])]);
}

/** Text of functions that few kernels call. */
async function longFunctions(): Promise<void> {
  addFunctions((await import("../../../shaders/long-functions.wgsl?raw")).default);
}

/** Every kind of tiling. */
export const KINDS: readonly Kind[] = ["direct", "subgroup", "tiled"];

/** What writes products of some kinds. */
export async function productsOf(kinds: readonly Kind[]): Promise<ProductWriters> {
  return Object.assign({}, ...(await Promise.all(kinds.map((kind) => PRODUCTS[kind]()))));
}

const PRODUCTS: Readonly<Record<Kind, () => Promise<ProductWriters>>> = {
  direct: async () => ({ direct: (await import("../../kernels/matmul-direct")).directKernel }),
  subgroup: async () => ({ subgroup: (await import("../../kernels/matmul-subgroup")).subgroupKernel }),
  tiled: async () => ({ tiled: (await import("../../kernels/matmul-tiled")).tiledKernel }),
};

async function software(): Promise<Pick<KernelSet, "tiling" | "columnSumsOf">> {
  return { tiling: (await import("./software-tiling")).softwareDefault, columnSumsOf: null };
}

async function hardware(): Promise<Pick<KernelSet, "tiling" | "columnSumsOf">> {
  const [{ hardwareDefault }, { columnSumsOf }] = await Promise.all([
    import("./hardware-tiling"),
    import("./column-sums"),
  ]);
  return { tiling: hardwareDefault, columnSumsOf };
}

async function inOneWorkgroup(): Promise<KernelSet["persistent"]> {
  const [{ lowerPersistent }, { chooseRoute }] = await Promise.all([import("./persistent"), import("./route")]);
  return { lowerPersistent, chooseRoute };
}

async function scanKernels(): Promise<NonNullable<KernelSet["scan"]>> {
  const [{ lowerScan }, { writeScan }] = await Promise.all([import("./lower-scan"), import("./scan-part")]);
  return { lowerScan, writeScan };
}
