import type { Tensor } from "../graph/tensor";
import type { ContractionGroup } from "../plan/group";
import { type Points, pointsOf } from "../plan/nest";
import { loaded } from "./arithmetic";
import { emitCombine, emitPoints } from "./elementwise";
import type { Kernel } from "./kernel";
import { emitProduct } from "./products";
import { emitRows } from "./rows";
import { asShort, matricesOf, shortRoot } from "./short-products";

/** Memory that a product needs beside its operands: for itself, where it cannot go to its own place, and for copies of its operands. */
export interface Scratch {
  readonly c: number | null;
  readonly panels: number;
  readonly left: number;
}

/** One kernel's instructions. */
export function emitGroup(kernel: Kernel, scratch: Scratch): void {
  const { group } = kernel;
  switch (group.kind) {
    case "contraction":
      emitContraction(kernel, group, scratch);
      break;
    case "reduction":
      emitRows(kernel, group);
      break;
    case "map":
      emitPoints(kernel, [group.size], pointsOf(kernel.fusion, group, kernel.places), null);
      break;
    case "scatter":
      loaded(kernel.places.more).emitScatter(kernel, group);
      break;
    case "combine":
      emitCombine(kernel, group);
      break;
    case "scan":
      throw new Error("internal: a scan's kernels are functions of their own");
    default:
      group satisfies never;
  }
}

function emitContraction(kernel: Kernel, group: ContractionGroup, scratch: Scratch): void {
  const { places } = kernel;
  const { root } = group;
  const points = pointsOf(kernel.fusion, group, places);
  const product = matricesOf(group, { addressOf: (tensor) => places.addressOf(tensor), left: scratch.left });
  if (asShort(group)) {
    emitPoints(kernel, [product.batch, product.M, product.N], points, shortRoot(group, product));
    return;
  }
  const c = scratch.c ?? places.addressOf(root);
  const plain = group.a.kind !== "view" && group.b.kind !== "view";
  const viewed = plain
    ? { a: null, b: null }
    : loaded(places.more).viewedOf(kernel, group, scratch.left, scratch.panels);
  emitProduct(kernel.pieces, { ...product, c, packed: scratch.panels }, viewed);
  // The product first, whole; then what is made of it, element by element.
  const rest = scratch.c === null ? lyingThere(points, root) : points;
  if (rest.body.length === 0) return;
  emitPoints(kernel, [group.size], rest, { node: root, accesses: [], value: (values, { flat }) => values.at(c, flat) });
}

/** What is left to do at each point where `node` lies in its memory already. */
function lyingThere({ body, ...points }: Points, node: Tensor): Points {
  const left = body.flatMap((statement) => {
    if (statement.kind !== "store" || statement.memory !== node) return [statement];
    return statement.records.length === 0 ? [] : [{ ...statement, memory: null }];
  });
  return { ...points, body: left };
}
