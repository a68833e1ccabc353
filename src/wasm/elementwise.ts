import type { Tensor } from "../graph/tensor";
import type { Access } from "../graph/view";
import type { CombineGroup } from "../plan/group";
import { expressionsOf } from "../plan/schedule";
import { Axes, cutsOf, overVectors, type Site, vectorsDealt } from "./domain";
import { pointsNs } from "./grain";
import { FLAT, type Kernel } from "./kernel";
import { V_STORE32_LANE } from "./opcodes";
import type { Scope, Value } from "./scope";
import { neutral, type Total, total } from "./totals";
import type { Frame, Values } from "./values";

/** What a product's epilogue needs besides its expressions. */
export interface Root {
  readonly node: Tensor;
  readonly accesses: readonly Access[];
  value(values: Values, frame: Frame): Value;
  /** Whether the product was left elsewhere, so that it is still to be stored. */
  readonly store: boolean;
}

/** Computes a kernel's members at each point of its domain, whose axes are at least cut as `shape` says. */
export function emitPoints(kernel: Kernel, shape: readonly number[], root: Root | null): void {
  const { group, places } = kernel;
  const axes = new Axes(shape);
  for (const access of [...(root?.accesses ?? []), ...kernel.accesses().element]) axes.admit(access);
  const frame: Frame = { axes, through: (access) => access, flat: axes.strides(FLAT(group.size)) ?? [] };
  const deal = vectorsDealt(axes.lengths);
  const ns = pointsNs(expressionsOf(kernel.fusion, group), group.size);
  kernel.pieces.piece(group.partials.length > 0 ? 1 : deal.parts, ns, (part) => {
    const { f } = kernel;
    const totals = group.partials.map(({ op }): Total => total(f.root, op, group.size / 4));
    const visit = (scope: Scope, sites: readonly Site[]) => {
      for (const site of sites) emitSite(kernel, frame, scope, site, root, totals);
    };
    overVectors(f.root, axes.lengths, visit, 1, cutsOf(axes, kernel.bounds()), part && { ...part, ...deal });
    group.partials.forEach((partial, i) => {
      const sum = (totals[i] as Total).whole();
      f.root.i32(0).get(sum.local).memory(V_STORE32_LANE, places.partialAddress(partial), 0);
    });
  });
}

function emitSite(
  kernel: Kernel,
  frame: Frame,
  scope: Scope,
  site: Site,
  root: Root | null,
  totals: readonly Total[],
): void {
  const { fusion, group, f } = kernel;
  const own = new Map<Tensor, Value>();
  const values = kernel.values(frame, site, (tensor) => own.get(tensor));
  const stores: [Tensor, Value][] = [];
  if (root !== null) {
    own.set(root.node, root.value(values, frame));
    if (root.store) stores.push([root.node, own.get(root.node) as Value]);
  }
  for (const node of group.members) {
    const value = values.value(kernel.definition(node));
    own.set(node, value);
    stores.push([node, value]);
  }
  const terms = group.partials.map((partial) => values.value(fusion.expression(group, partial.value)));
  // Values first, stores last: an update in place must not be seen by another value of the same point.
  for (const [node, value] of stores) kernel.store(scope, values, node, value);
  group.partials.forEach(({ op }, i) => {
    (totals[i] as Total).add(scope, neutral(f, op, terms[i] as Value, site.valid), null);
  });
}

/** Ends reductions that other kernels have begun, and goes on with their results. */
export function emitCombine(kernel: Kernel, { combines }: CombineGroup): void {
  const { group, places } = kernel;
  kernel.pieces.piece(1, 0, () => {
    const frame: Frame = { axes: new Axes([]), through: (access) => access, flat: [] };
    const own = new Map<Tensor, Value>();
    const values = kernel.values(frame, { coordinates: [], valid: 1 }, (tensor) => own.get(tensor));
    for (const partial of combines) own.set(partial.node, values.at(places.partialAddress(partial), []));
    for (const node of group.members) own.set(node, values.value(kernel.definition(node)));
    for (const [node, value] of own) kernel.store(kernel.f.root, values, node, value);
  });
  if (group.partials.length > 0) throw new Error("internal: a combination begins a reduction");
}
