import type { Tensor } from "../../graph/tensor";
import type { Access } from "../../graph/view";
import { accumulate, type Partial as Begun } from "../../kernels/partials";
import type { Turns } from "../../kernels/turns";
import { type Fusion, type Group, rootOf } from "../../plan/group";
import { type Axis, type Body, indexAt, type Point } from "./wgsl";

/** Where a group of nodes is written as WGSL: what differs between a dispatch of its own and a part of a larger kernel. */
export abstract class Site {
  /** Of the loops that are written here. */
  abstract readonly turns: Turns;

  constructor(
    readonly fusion: Fusion,
    readonly group: Group,
  ) {}

  /** WGSL of an element in memory. */
  abstract load(tensor: Tensor, index: string): string;
  /** The line that assigns a node's value to its place in memory. */
  abstract assign(node: Tensor, index: string, value: string): string;
  abstract isStored(node: Tensor): boolean;
  /** The lines that leave a scalar in the step's record; none where nobody wants it. */
  abstract recorded(node: Tensor, value: string): string[];
  /** The variables in which reductions to one number begin, in the group's order. */
  abstract partialSpecs(): Begun[];

  /** The lines that leave a node's value where it goes; none where nobody wants it. */
  stored(node: Tensor, index: string, value: string): string[] {
    return [...this.recorded(node, value), ...(this.isStored(node) ? [this.assign(node, index, value)] : [])];
  }

  /** The statements of members at one point, in order, their stores last. */
  epilogue(body: Body, values: Map<Tensor, string>, index: string): string[] {
    const stores: string[] = [];
    const { group } = this;
    const { members, partials } = group;
    const root = rootOf(group);
    const value = root === null ? "" : (values.get(root) as string);
    // A scatter has added up in its place.
    if (root !== null)
      stores.push(...(group.kind === "scatter" ? this.recorded(root, value) : this.stored(root, index, value)));
    for (const node of members) {
      const value = body.value(this.fusion.definition(this.group, node));
      values.set(node, value);
      stores.push(...this.stored(node, index, value));
    }
    const specs = this.partialSpecs();
    partials.forEach(({ value }, i) => {
      stores.push(accumulate(specs[i] as Begun, body.value(this.fusion.expression(this.group, value))));
    });
    return stores;
  }

  /** The point `flat` of the group's domain, where `values` are at hand. */
  point(flat: string, axes: readonly Axis[], values: ReadonlyMap<Tensor, string>): Point {
    const index = (access: Access) => indexAt(flat, axes, access);
    return {
      index,
      load: (tensor, access) => this.load(tensor, index(access)),
      element: (tensor, at) => this.load(tensor, at),
      own: (tensor) => atHand(values, tensor),
    };
  }
}

/** The value of a node that must have been computed before. */
export function atHand(values: ReadonlyMap<Tensor, string>, tensor: Tensor): string {
  const value = values.get(tensor);
  if (value === undefined) throw new Error(`internal: ${tensor.op} #${tensor.id} is read before it is computed`);
  return value;
}

/** WGSL of a node's value for the record, which holds float32. */
export function asFloat({ dtype }: Tensor, value: string): string {
  return dtype === "int32" ? `f32(${value})` : value;
}
