import { isFold } from "../../graph/ops";
import type { Tensor } from "../../graph/tensor";
import type { Access } from "../../graph/view";
import { accumulate } from "../../kernels/partials";
import type { Turns } from "../../kernels/turns";
import type { Accumulator, Points, Statement, Store } from "../../plan/nest";
import { type Axis, Body, type Index, indexAt, type Point } from "./wgsl";

/** Where a kernel's nest is written as WGSL: what differs between a dispatch of its own and a part of a larger kernel. */
export abstract class Site {
  /** Of the loops that are written here. */
  abstract readonly turns: Turns;

  /** WGSL of an element in memory. */
  abstract load(tensor: Tensor, index: Index): string;
  /** The line that gives an element in memory a value. */
  abstract assign(tensor: Tensor, index: Index, value: string): string;
  /** The line that leaves a scalar at a place of the step's record. */
  abstract record(place: number, value: string): string;
  /** The variable of a reduction to one number that the kernel begins. */
  abstract variableOf(accumulator: Accumulator): string;

  /** The lines of what is done at the point `flat`: all that is computed, then what becomes of it. `given` are at hand by these names. */
  at(
    flat: Index,
    axes: readonly Axis[],
    { body }: Points,
    given: readonly (readonly [Tensor, string])[] = [],
    prefix = "v",
  ): string[] {
    const values = new Map(given);
    const computed = new Body(this.point(flat, axes, values), prefix);
    const effects = this.effects(computed, values, body, flat);
    return [...computed.lines, ...effects];
  }

  /** What becomes of values that `body` computes, which are at hand in `values` from then on. */
  effects(
    body: Body,
    values: Map<Tensor, string>,
    statements: readonly Statement[],
    index: Index,
    take = (into: Accumulator, value: string) => this.accumulate(into, value),
  ): string[] {
    return statements.flatMap((statement) => {
      switch (statement.kind) {
        case "let":
          values.set(statement.node, body.value(statement.value));
          return [];
        case "store":
          return this.store(statement, index, atHand(values, statement.node));
        case "accumulate": {
          return [take(statement.into, body.value(statement.value))];
        }
        default:
          return statement satisfies never;
      }
    });
  }

  /** The line that takes a term into a reduction to one number. */
  accumulate(into: Accumulator, value: string): string {
    const { op } = into;
    if (!isFold(op)) throw new Error(`internal: ${op} begins in one kernel and ends in another`);
    return accumulate({ op, variable: this.variableOf(into) }, value);
  }

  /** The lines that leave a value where it is wanted. */
  store({ node, memory, records }: Store, index: Index, value: string): string[] {
    return [
      ...records.map((place) => this.record(place, node.dtype === "int32" ? `f32(${value})` : value)),
      ...(memory === null ? [] : [this.assign(memory, index, value)]),
    ];
  }

  /** The point `flat` of the kernel's domain, where `values` are at hand. */
  point(flat: Index, axes: readonly Axis[], values: ReadonlyMap<Tensor, string>): Point {
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
