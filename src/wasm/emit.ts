import { emitCombine, emitPoints } from "./elementwise";
import type { Kernel } from "./kernel";
import { emitProduct } from "./products";
import { emitRows } from "./rows";
import { emitScatter } from "./scatter";
import { asShort, productOf, shortRoot } from "./short-products";

/** One kernel's instructions. A product goes to `scratch`, or where that is null to its own place; its panels go to `panels`. */
export function emitGroup(kernel: Kernel, scratch: number | null, panels: number): void {
  const { group } = kernel;
  switch (group.kind) {
    case "matmul":
      emitMatmul(kernel, scratch, panels);
      break;
    case "rows":
      emitRows(kernel);
      break;
    case "elementwise":
      emitPoints(kernel, [group.size], null);
      break;
    case "scatter":
      emitScatter(kernel);
      break;
    case "combine":
      emitCombine(kernel);
      break;
    default:
      group.kind satisfies never;
  }
}

function emitMatmul(kernel: Kernel, scratch: number | null, panels: number): void {
  const { f, group, places } = kernel;
  const { root, members, partials } = group;
  const product = productOf(group, (tensor) => places.addressOf(tensor));
  if (product === null || root === null) throw new Error("internal: a product without operands");
  if (asShort(group)) {
    emitPoints(kernel, root.shape, shortRoot(group, product));
    return;
  }
  const c = scratch ?? places.addressOf(root);
  emitProduct(f, { ...product, c, packed: panels });
  // The product first, whole; then what is made of it, element by element.
  const store = places.recordsOf(root).length > 0 || (scratch !== null && places.isStored(root));
  if (!store && members.length + partials.length === 0) return;
  emitPoints(kernel, [group.size], {
    node: root,
    accesses: [],
    value: (values, { flat }) => values.at(c, flat),
    store,
  });
}
