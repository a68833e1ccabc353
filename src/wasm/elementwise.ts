import type { Tensor } from "../graph/tensor";
import type { Access } from "../graph/view";
import type { CombineGroup } from "../plan/group";
import { type Points, pointsOf } from "../plan/nest";
import { expressionsOf } from "../plan/schedule";
import { Axes, cutsOf, overVectors, type Site, vectorsDealt } from "./domain";
import { pointsNs } from "./grain";
import { FLAT, type Kernel } from "./kernel";
import type { Scope, Value } from "./scope";
import type { Frame, Values } from "./values";

/** What is given to a kernel's points: a product's sums, for instance. */
export interface Root {
  readonly node: Tensor;
  readonly accesses: readonly Access[];
  value(values: Values, frame: Frame): Value;
}

/** Computes what a kernel does at each point of its domain, whose axes are at least cut as `shape` says. */
export function emitPoints(kernel: Kernel, shape: readonly number[], { body }: Points, root: Root | null): void {
  const { group } = kernel;
  const axes = new Axes(shape);
  for (const access of [...(root?.accesses ?? []), ...kernel.accesses().element]) axes.admit(access);
  const frame: Frame = { axes, through: (access) => access, flat: axes.strides(FLAT(group.size)) ?? [] };
  const deal = vectorsDealt(axes.lengths);
  const ns = pointsNs(expressionsOf(kernel.fusion, group), group.size);
  kernel.pieces.piece(group.partials.length > 0 ? 1 : deal.parts, ns, (part) => {
    const begun = kernel.begin(group.size / 4);
    const visit = (scope: Scope, sites: readonly Site[]) => {
      for (const site of sites) {
        const known = new Map<Tensor, Value>();
        const values = kernel.values(frame, site, (tensor) => known.get(tensor));
        if (root !== null) known.set(root.node, root.value(values, frame));
        kernel.emit(scope, body, values, known, (into, value) => begun.add(scope, into, value, site.valid));
      }
    };
    overVectors(kernel.f.root, axes.lengths, visit, 1, cutsOf(axes, kernel.bounds()), part && { ...part, ...deal });
    begun.end();
  });
}

/** Ends reductions that other kernels have begun, and goes on with their results. */
export function emitCombine(kernel: Kernel, group: CombineGroup): void {
  const { fusion, places } = kernel;
  kernel.pieces.piece(1, 0, () => {
    const frame: Frame = { axes: new Axes([]), through: (access) => access, flat: [] };
    const known = new Map<Tensor, Value>();
    const values = kernel.values(frame, { coordinates: [], valid: 1 }, (tensor) => known.get(tensor));
    for (const partial of group.combines) known.set(partial.node, values.at(places.partialAddress(partial), []));
    kernel.emit(kernel.f.root, pointsOf(fusion, group, places).body, values, known, () => {
      throw new Error("internal: a combination begins a reduction");
    });
  });
}
