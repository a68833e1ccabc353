import { elementwiseRow } from "../graph/ops";
import type { Tensor } from "../graph/tensor";
import { type Expression, isInlinable, loadsOf, walk } from "../plan/expression";
import { expressionsOf } from "../plan/schedule";
import { sizeOf } from "../util/shape";
import type { Kernel } from "./kernel";

/** When a kernel's values are there, by passes over its rows. */
interface Passes {
  readonly count: number;
  readyAt(node: Tensor): number;
  definition(node: Tensor): Expression;
}

/**
 * Values of elements that a later pass over the row wants again and that take long, such as a softmax's exp: each waits in the memory of
 * a result of its size that only the last pass writes, or in its own. By value, that result.
 */
export function parkedIn(kernel: Kernel, passes: Passes): Map<Tensor, Tensor> {
  const { fusion, group, places } = kernel;
  const parked = new Map<Tensor, Tensor>();
  const elements = group.members.filter((node) => isInlinable(node) && sizeOf(node.shape) === group.size);
  const read = new Set([...loadsOf(expressionsOf(fusion, group))].map((tensor) => places.addressOf(tensor)));
  const free = elements.filter((node) => places.isStored(node) && !read.has(places.addressOf(node)));
  const uses = (expression: Expression, node: Tensor) => {
    let found = false;
    walk([expression], (part) => {
      found ||= part.kind === "own" && part.tensor === node;
    });
    return found;
  };
  for (const node of elements) {
    if (node.dtype !== "float32" || !isExpensive(kernel.definition(node))) continue;
    const at = passes.readyAt(node);
    const users = group.members.filter((user) => uses(passes.definition(user), node));
    const summed = users.some((user) => !isInlinable(user) && passes.readyAt(user) === at + 1);
    const later = users.some((user) => isInlinable(user) && passes.readyAt(user) > at);
    const isLast = (result: Tensor) => passes.readyAt(result) === passes.count && result.dtype === node.dtype;
    const place = free.find((result) => result === node || (passes.count > at && isLast(result)));
    if (!summed || !later || place === undefined || [...parked.values()].includes(place)) continue;
    parked.set(node, place);
  }
  return parked;
}

function isExpensive(expression: Expression): boolean {
  let found = false;
  walk([expression], (part) => {
    found ||= part.kind === "apply" && elementwiseRow(part.op)?.expensive === true;
  });
  return found;
}
