import { type DType, type ElementwiseOp, elementwiseRow, rowOf, splitShape } from "../graph/ops";
import { literalOf, type Tensor } from "../graph/tensor";
import {
  type Access,
  accessThrough,
  type Bound,
  boundsOf,
  heldTo,
  stepKey,
  stepOf,
  type ViewStep,
} from "../graph/view";
import { type Shape, sameShape, sizeOf, stridesOf } from "../util/shape";

/** What one point of a kernel's domain computes, over memory, its own earlier values and its position. */
export type Expression =
  | { readonly kind: "literal"; readonly dtype: DType; readonly value: number }
  | { readonly kind: "load"; readonly dtype: DType; readonly tensor: Tensor; readonly access: Access }
  /** The integer at `access` in 0, 1, 2, …: a coordinate. */
  | { readonly kind: "position"; readonly dtype: "int32"; readonly access: Access }
  /** Row `row` (held to 0 … rows - 1), `width` elements from the next, of what begins at `access` in a tensor. */
  | {
      readonly kind: "gather";
      readonly dtype: DType;
      readonly tensor: Tensor;
      readonly row: Expression;
      readonly rows: number;
      readonly width: number;
      readonly access: Access;
    }
  | {
      readonly kind: "apply";
      readonly dtype: DType;
      readonly op: ElementwiseOp;
      readonly operands: readonly Expression[];
    }
  /** `value` where all bounds hold, else `fill`: what lies around a padded tensor. */
  | {
      readonly kind: "guard";
      readonly dtype: DType;
      readonly bounds: readonly Bound[];
      readonly value: Expression;
      readonly fill: number;
    }
  /** A value that this kernel computed before: at the same point, or of the row that the point lies in. */
  | { readonly kind: "own"; readonly dtype: DType; readonly tensor: Tensor };

/** Why an expression cannot be had: a tensor must be copied to memory first, or a value of the kernel itself lies elsewhere. */
export type Obstacle = { readonly kind: "obstacle"; readonly copy: Tensor | null };

export interface Surroundings {
  /** In memory when the kernel starts, a value of this kernel, or computed anew in place. */
  where(node: Tensor): "memory" | "own" | "inline";
  /** Whether a value of this kernel is at hand at the point that `access` names. */
  reaches(node: Tensor, access: Access): boolean;
}

/** Writes nodes as expressions. Equal questions get the same object, so that an emitter computes each once. */
export class Expressions {
  private readonly known = new Map<string, Expression | Obstacle>();
  private readonly definitions = new Map<Tensor, Expression | Obstacle>();
  constructor(private readonly surroundings: Surroundings) {}

  /** The value of `node` as it is defined: its operation applied, whatever memory already holds of it. */
  define(node: Tensor): Expression | Obstacle {
    const known = this.definitions.get(node);
    if (known !== undefined) return known;
    const value = literalOf(node);
    const made = value === null ? this.apply(node, []) : { kind: "literal" as const, dtype: node.dtype, value };
    this.definitions.set(node, made);
    return made;
  }

  value(node: Tensor, steps: readonly ViewStep[] = []): Expression | Obstacle {
    const key = `${node.id};${steps.map(stepKey).join(";")}`;
    const known = this.known.get(key);
    if (known !== undefined) return known;
    const result = this.find(node, steps);
    this.known.set(key, result);
    return result;
  }

  private find(node: Tensor, steps: readonly ViewStep[]): Expression | Obstacle {
    const value = literalOf(node);
    if (value !== null) return { kind: "literal", dtype: node.dtype, value };
    const place = this.surroundings.where(node);
    if (place === "inline") return this.apply(node, steps);
    const access = accessThrough(node.shape, stridesOf(node.shape), steps);
    if ("copy" in access) return place === "own" ? unaligned : { kind: "obstacle", copy: access.copy };
    if (place === "memory")
      return { kind: "load", dtype: node.dtype, tensor: node, access: heldTo(access, sizeOf(node.shape)) };
    return this.surroundings.reaches(node, access) ? { kind: "own", dtype: node.dtype, tensor: node } : unaligned;
  }

  private apply(node: Tensor, steps: readonly ViewStep[]): Expression | Obstacle {
    const { op, operands, shape, dtype } = node;
    switch (op) {
      case "iota": {
        const access = accessThrough(shape, stridesOf(shape), steps);
        return "copy" in access
          ? { kind: "obstacle", copy: access.copy }
          : { kind: "position", dtype: "int32", access };
      }
      case "take":
        return this.gather(node, steps);
      default: {
        const step = stepOf(node);
        if (step !== null) {
          const value = this.value(step.source, [step, ...steps]);
          return step.view === "pad" && value.kind !== "obstacle" ? guarded(step, steps, value) : value;
        }
        const row = elementwiseRow(op);
        if (row === null) return { kind: "obstacle", copy: node };
        const values: Expression[] = [];
        for (const operand of operands) {
          const value = this.value(operand, broadcastTo(operand, shape, steps));
          if (value.kind === "obstacle") return value;
          values.push(value);
        }
        return { kind: "apply", dtype, op: op as ElementwiseOp, operands: values };
      }
    }
  }

  private gather(node: Tensor, steps: readonly ViewStep[]): Expression | Obstacle {
    const [x, indices] = node.operands as readonly [Tensor, Tensor];
    const table = tableOf(x);
    if (this.surroundings.where(table) !== "memory") return { kind: "obstacle", copy: table };
    const { from = 0, to = 0 } = node.attributes;
    const { outer, length: rows, inner } = splitShape(x.shape, from, to);
    const whole = [outer, indices.shape[1] as number, inner];
    const shaped = [{ view: "reshape", shape: node.shape, source: node }, ...steps] as const;
    const row = this.value(indices, broadcastTo(indices, whole, shaped));
    if (row.kind === "obstacle") return row;
    const access = accessThrough(whole, [rows * inner, 0, 1], shaped);
    if ("copy" in access) return { kind: "obstacle", copy: access.copy };
    const held = heldTo(access, (outer - 1) * rows * inner + inner);
    return { kind: "gather", dtype: x.dtype, tensor: table, row, rows, width: inner, access: held };
  }
}

/** The tensor in whose memory rows are looked up: what was only given another shape lies there as it is. */
export function tableOf(x: Tensor): Tensor {
  let table = x;
  while (table.op === "reshape") table = table.operands[0] as Tensor;
  return table;
}

/** What a point of a padded tensor is, where `value` is what it would be of the tensor itself. */
function guarded(
  step: ViewStep & { readonly view: "pad" },
  steps: readonly ViewStep[],
  value: Expression,
): Expression | Obstacle {
  const bounds = boundsOf(step, steps);
  if ("copy" in bounds) return { kind: "obstacle", copy: bounds.copy };
  return bounds.length === 0 ? value : { kind: "guard", dtype: value.dtype, bounds, value, fill: step.fill };
}

const unaligned: Obstacle = { kind: "obstacle", copy: null };

function broadcastTo(operand: Tensor, shape: Shape, steps: readonly ViewStep[]): readonly ViewStep[] {
  return sameShape(operand.shape, shape) ? steps : [{ view: "broadcast", shape, source: operand }, ...steps];
}

/** Every expression below these, each once, operands first. */
export function walk(roots: readonly Expression[], visit: (expression: Expression) => void): void {
  const seen = new Set<Expression>();
  const go = (expression: Expression) => {
    if (seen.has(expression)) return;
    seen.add(expression);
    if (expression.kind === "apply") expression.operands.forEach(go);
    if (expression.kind === "gather") go(expression.row);
    if (expression.kind === "guard") go(expression.value);
    visit(expression);
  };
  roots.forEach(go);
}

/**
 * A kernel's nodes, each behind those whose values it reads: one that joined last may be read by what others compute in place. `read` gives
 * the expression of a node.
 */
export function inOrder(nodes: readonly Tensor[], read: (node: Tensor) => Expression | Obstacle): Tensor[] {
  const own = new Set(nodes);
  const ordered = new Set<Tensor>();
  const visit = (node: Tensor) => {
    if (!own.delete(node)) return;
    const expression = read(node);
    if (expression.kind !== "obstacle")
      walk([expression], (part) => {
        if (part.kind === "own") visit(part.tensor);
      });
    ordered.add(node);
  };
  nodes.forEach(visit);
  return [...ordered];
}

/** The tensors that these expressions read from memory. */
export function loadsOf(roots: readonly Expression[]): Set<Tensor> {
  const loads = new Set<Tensor>();
  walk(roots, (expression) => {
    if (expression.kind === "load" || expression.kind === "gather") loads.add(expression.tensor);
  });
  return loads;
}

/** Every access that an expression has of its own: to memory, to positions, and to what a guard holds in bounds. */
export function accessesOf(expression: Expression): readonly Access[] {
  if (expression.kind === "guard") return expression.bounds.map(({ access }) => access);
  return "access" in expression ? [expression.access] : [];
}

/** Operations that a point computes, each once. */
export function countOps(roots: readonly Expression[]): number {
  let ops = 0;
  walk(roots, (part) => {
    if (part.kind === "apply") ops += elementwiseRow(part.op)?.operations ?? 1;
  });
  return ops;
}

/** Whether a node is computed where it is used, unless it has a kernel: views, elementwise operations, gathers, iota. */
export function isInlinable(node: Tensor): boolean {
  const { kind } = rowOf(node.op);
  return kind === "view" || kind === "elementwise" || kind === "gather" || node.op === "iota";
}
