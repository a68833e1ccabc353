import { elementwiseRow, isFold, rowOf } from "../graph/ops";
import type { Program } from "../graph/program";
import { Scan } from "../graph/scan";
import { type Tensor, topological } from "../graph/tensor";
import { addFunctions } from "../kernels/functions";
import type { MatmulTiling } from "../kernels/tiling";
import { sizeOf } from "../util/shape";
import { type Makers, mayRunWhole } from "./compile";
import type { Target } from "./plan";
import { subgroupsOf } from "./tiling";
import type { ProductWriters } from "./writers";

type Kind = MatmulTiling["kind"];

/**
 * Brings what plans a program for `target`, tilings of the `kinds` that are asked for among it. Each part is a chunk of its own:
 * a page downloads the kernels of its own adapter, and of what its networks do.
 */
export async function makersFor(
  program: Program,
  target: Target,
  { kinds = [], rows = reducesRows(program) }: { kinds?: readonly Kind[]; rows?: boolean } = {},
): Promise<Makers> {
  const usual: Kind = target.software ? (subgroupsOf(target) > 0 ? "subgroup" : "direct") : "tiled";
  const wanted = [...new Set([usual, ...kinds])];
  const isLong = ({ op }: Tensor) => elementwiseRow(op)?.operations !== undefined;
  const [defaults, products, byRows, scatter, inWhole, scan] = await Promise.all([
    target.software ? software() : hardware(),
    productsOf(wanted),
    rows ? import("./lower-rows") : null,
    some(program, ({ op }) => rowOf(op).kind === "scatter") ? import("./scatter") : null,
    mayRunWhole(program, target) ? whole() : null,
    some(program, ({ op }) => rowOf(op).kind === "scan") ? scanMakers() : null,
    some(program, isLong) ? longFunctions() : null,
  ]);
  return { ...defaults, products, rows: byRows?.lowerRows ?? null, scatter, whole: inWhole, scan };
}

/** Text of functions that few kernels call. */
async function longFunctions(): Promise<void> {
  addFunctions((await import("../../shaders/long-functions.wgsl?raw")).default);
}

/** Every kind of tiling. */
export const KINDS: readonly Kind[] = ["direct", "subgroup", "tiled"];

/** What writes products of some kinds. */
export async function productsOf(kinds: readonly Kind[]): Promise<ProductWriters> {
  return Object.assign({}, ...(await Promise.all(kinds.map((kind) => PRODUCTS[kind]()))));
}

const PRODUCTS: Readonly<Record<Kind, () => Promise<ProductWriters>>> = {
  direct: async () => ({ direct: (await import("../kernels/product")).directKernel }),
  subgroup: async () => ({ subgroup: (await import("../kernels/subgroup")).subgroupKernel }),
  tiled: async () => ({ tiled: (await import("../kernels/matmul")).tiledKernel }),
};

async function software(): Promise<Pick<Makers, "tiling" | "ridersOf">> {
  return { tiling: (await import("./software-tiling")).softwareDefault, ridersOf: null };
}

async function hardware(): Promise<Pick<Makers, "tiling" | "ridersOf">> {
  const [{ hardwareDefault }, { ridersOf }] = await Promise.all([import("./hardware-tiling"), import("./riders")]);
  return { tiling: hardwareDefault, ridersOf };
}

async function whole(): Promise<Makers["whole"]> {
  const [{ lowerPersistent }, { chooseRoute }] = await Promise.all([import("./persistent"), import("./route")]);
  return { lowerPersistent, chooseRoute };
}

async function scanMakers(): Promise<NonNullable<Makers["scan"]>> {
  const [{ lowerScan }, { writeScan }] = await Promise.all([import("./lower-scan"), import("./scan-part")]);
  return { lowerScan, writeScan };
}

/** Whether a program reduces along rows, as far as can be told from the graph: a sum to one number mostly does not. */
function reducesRows(program: Program): boolean {
  return some(program, ({ op, shape }) => {
    const { kind } = rowOf(op);
    return kind === "composite" || (kind === "reduction" && (sizeOf(shape) > 1 || !isFold(op)));
  });
}

/** Whether a node of a program is so, or one of a scan's step. */
function some({ outputs, updates = {} }: Program, is: (node: Tensor) => boolean): boolean {
  const among = (roots: readonly Tensor[]): boolean =>
    topological(roots).some(
      (node) => is(node) || (node instanceof Scan && among([...node.body.nextCarries, ...node.body.ys])),
    );
  return among([...Object.values(outputs), ...Object.values(updates)]);
}
