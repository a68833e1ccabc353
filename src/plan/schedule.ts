import type { Tensor } from "../graph/tensor";
import { isAligned } from "../graph/view";
import { sizeOf } from "../util/shape";
import { type Expression, isInlinable, loadsOf, walk } from "./expression";
import { combinedBy, type Fusion, type Group, operandLoads, scatteredBy, valuesOf } from "./group";
import { stepStoresOf } from "./scan-stores";
import type { Storage, Stores } from "./storage";

export interface Schedule {
  /** The step's kernels in an order in which every value is there when it is read. */
  readonly order: readonly Group[];
  /** Updates that are written straight over their parameter: parameter by node. */
  readonly inPlace: ReadonlyMap<Tensor, Tensor>;
}

/** All expressions that a kernel evaluates. */
export function expressionsOf(fusion: Fusion, group: Group): Expression[] {
  return [
    ...scatteredBy(group).map((node) => fusion.expression(group, node)),
    ...group.members.map((node) =>
      isInlinable(node) || node.operands.length === 0
        ? fusion.definition(group, node)
        : fusion.expression(group, node.operands[0] as Tensor),
    ),
    ...group.partials.map(({ value }) => fusion.expression(group, value)),
  ];
}

/** What a product or a scan reads whole, beside the expressions at its points. */
function operandsOf(group: Group): readonly Tensor[] {
  if (group.kind === "scan") return group.scan.operands.filter((operand) => operand !== null);
  return group.kind === "contraction" ? [...operandLoads(group.a), ...operandLoads(group.b)] : [];
}

/** The tensors that a kernel reads from memory. */
export function readsOf(fusion: Fusion, group: Group): Set<Tensor> {
  const reads = loadsOf(expressionsOf(fusion, group));
  for (const tensor of operandsOf(group)) reads.add(tensor);
  for (const tensor of reads) {
    if (fusion.home.has(tensor) && !fusion.stored.has(tensor))
      throw new Error(`internal: ${tensor.op} #${tensor.id} is read but not stored`);
  }
  return reads;
}

/** What a kernel reads and writes in memory, but for tensors that are only `passed` on in registers. */
export function touchesOf(
  fusion: Fusion,
  stores: Stores,
  group: Group,
  passed: ReadonlySet<Tensor> = new Set(),
): { reads: Storage[]; writes: Storage[] } {
  return {
    reads: [...readsOf(fusion, group)].flatMap((tensor) => (passed.has(tensor) ? [] : [stores.storageOf(tensor)])),
    writes: valuesOf(group)
      .filter((node) => stores.isStored(node) && !passed.has(node))
      .map((node) => stores.storageOf(node))
      .concat(group.kind === "scan" ? stepStoresOf(group).own : []),
  };
}

/** Whether two sets have something in common. */
export function overlap(a: ReadonlySet<unknown>, b: ReadonlySet<unknown>): boolean {
  for (const item of a) if (b.has(item)) return true;
  return false;
}

/**
 * Orders kernels and decides which updates overwrite their parameter: those whose kernel can run after every other reader of
 * the old value, and that itself reads it only at the element that it writes.
 */
export function schedule(fusion: Fusion, updates: ReadonlyMap<Tensor, Tensor>): Schedule {
  const { groups, home } = fusion;
  const reads = new Map(groups.map((group) => [group, readsOf(fusion, group)]));
  const before = new Map<Group, Set<Group>>(groups.map((group) => [group, new Set()]));
  const begin = new Map<Tensor, Group>();
  for (const group of groups) for (const { node } of group.partials) begin.set(node, group);
  for (const group of groups) {
    const own = before.get(group) as Set<Group>;
    for (const tensor of reads.get(group) ?? []) {
      const source = home.get(tensor);
      if (source !== undefined) own.add(source);
    }
    for (const { node } of combinedBy(group)) own.add(begin.get(node) as Group);
  }
  let order = sorted(groups, before);
  if (order === null) throw new Error("internal: kernels wait for one another");

  const inPlace = new Map<Tensor, Tensor>();
  for (const [parameter, node] of updates) {
    const writer = home.get(node);
    if (writer === undefined || inPlace.has(node) || !mayOverwrite(fusion, writer, parameter, node)) continue;
    const readers = groups.filter((group) => group !== writer && reads.get(group)?.has(parameter));
    const waits = before.get(writer) as Set<Group>;
    const added = readers.filter((reader) => !waits.has(reader));
    for (const reader of added) waits.add(reader);
    const next = sorted(groups, before);
    if (next === null) {
      for (const reader of added) waits.delete(reader);
    } else {
      order = next;
      inPlace.set(node, parameter);
    }
  }
  return { order, inPlace };
}

/** Whether a kernel reads `parameter` only where the same thread, at the same point, will write `update`. */
function mayOverwrite(fusion: Fusion, group: Group, parameter: Tensor, update: Tensor): boolean {
  if (group.kind === "contraction" && operandsOf(group).includes(parameter)) return false;
  // Its steps may read again what the last of them writes.
  if (group.kind === "scan") return false;
  const touches = (expressions: readonly Expression[]) => loadsOf(expressions).has(parameter);
  const all = expressionsOf(fusion, group);
  if (!touches(all)) return true;
  if (group.kind === "scatter") {
    // A thread may be done while others still read indices and values; and of what it adds to in place it has the old value only to begin with.
    const [, ...added] = scatteredBy(group).map((node) => fusion.expression(group, node));
    const after = update === group.root ? all.slice(scatteredBy(group).length) : [];
    if (touches([...added, ...after])) return false;
  }
  if (group.kind === "reduction") {
    // A pass over a row may compute an element again, and several threads read what belongs to the row: only a value of
    // the row may go where its own definition alone has read.
    const ofRow = sizeOf(update.shape) === group.split.outer * group.split.inner;
    const alone = all.filter((expression) => touches([expression])).length === 1;
    if (!ofRow || !alone || !isInlinable(update) || !touches([fusion.definition(group, update)])) return false;
  }
  let may = true;
  walk(all, (expression) => {
    if (expression.kind === "gather" && expression.tensor === parameter) may = false;
    if (expression.kind === "load" && expression.tensor === parameter && !isAligned(expression.access)) may = false;
  });
  return may;
}

/** Topological, earliest first; null where there is a circle. */
function sorted(groups: readonly Group[], before: ReadonlyMap<Group, ReadonlySet<Group>>): Group[] | null {
  const after = new Map<Group, Group[]>();
  const waiting = new Map<Group, number>();
  for (const group of groups) {
    const needs = before.get(group) ?? new Set();
    if (needs.has(group)) return null;
    waiting.set(group, needs.size);
    for (const need of needs) after.set(need, [...(after.get(need) ?? []), group]);
  }
  const ready = groups.filter((group) => waiting.get(group) === 0);
  const order: Group[] = [];
  while (ready.length > 0) {
    let first = 0;
    for (let i = 1; i < ready.length; i++) if ((ready[i] as Group).index < (ready[first] as Group).index) first = i;
    const [group] = ready.splice(first, 1) as [Group];
    order.push(group);
    for (const next of after.get(group) ?? []) {
      const left = (waiting.get(next) ?? 0) - 1;
      waiting.set(next, left);
      if (left === 0) ready.push(next);
    }
  }
  return order.length === groups.length ? order : null;
}
