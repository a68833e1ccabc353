import type { ContractionGroup } from "../plan/group";
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
      emitPoints(kernel, [group.size], null);
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
  const { root, members, partials } = group;
  const product = matricesOf(group, { addressOf: (tensor) => places.addressOf(tensor), left: scratch.left });
  if (asShort(group)) {
    emitPoints(kernel, [product.batch, product.M, product.N], shortRoot(group, product));
    return;
  }
  const c = scratch.c ?? places.addressOf(root);
  const plain = group.a.kind !== "view" && group.b.kind !== "view";
  const viewed = plain
    ? { a: null, b: null }
    : loaded(places.more).viewedOf(kernel, group, scratch.left, scratch.panels);
  emitProduct(kernel.pieces, { ...product, c, packed: scratch.panels }, viewed);
  // The product first, whole; then what is made of it, element by element.
  const store = places.recordsOf(root).length > 0 || (scratch.c !== null && places.isStored(root));
  if (!store && members.length + partials.length === 0) return;
  emitPoints(kernel, [group.size], {
    node: root,
    accesses: [],
    value: (values, { flat }) => values.at(c, flat),
    store,
  });
}
