import type { Tensor } from "../graph/tensor";
import { type Shape, sizeOf } from "../util/shape";

/** Which element of a flat array belongs to each point of `shape`: the sum of coordinate times stride. Canonical: no axis of
 *  length 1, neighbours that step as one are one axis. */
export interface Access {
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

/** One view on the way from a tensor to where it is used. `source` is the tensor before the view. */
export type ViewStep = { readonly shape: Shape; readonly source: Tensor } & (
  | { readonly view: "reshape" | "broadcast" }
  /** `axes`: the axis before that each axis is. */
  | { readonly view: "permute"; readonly axes: readonly number[] }
);

/** The view that a node is of its operand; null where it is none. */
export function stepOf({ op, operands, shape, attributes }: Tensor): ViewStep | null {
  const source = operands[0] as Tensor;
  switch (op) {
    case "permute":
      return { view: op, shape, source, axes: attributes.axes ?? [] };
    case "reshape":
    case "broadcast":
      return { view: op, shape, source };
    default:
      return null;
  }
}

/** The access through `steps` to a row-major array of `shape`, or the tensor that must be copied first for it to be one. */
export function accessThrough(
  shape: Shape,
  strides: readonly number[],
  steps: readonly ViewStep[],
): Access | { copy: Tensor } {
  let from = [...shape];
  let by = [...strides];
  for (const step of steps) {
    const to = step.shape;
    switch (step.view) {
      case "permute": {
        const before = by;
        by = step.axes.map((axis) => before[axis] as number);
        break;
      }
      case "broadcast": {
        const lead = to.length - from.length;
        by = to.map((length, axis) => (axis < lead || from[axis - lead] !== length ? 0 : (by[axis - lead] as number)));
        break;
      }
      case "reshape": {
        const next = reshapeStrides(from, by, to);
        if (next === null) return { copy: step.source };
        by = next;
        break;
      }
      default:
        step satisfies never;
    }
    from = [...to];
  }
  return canonical(from, by);
}

/** Strides that give the same elements in the same order under another shape, or null where none do. */
function reshapeStrides(from: readonly number[], by: readonly number[], to: Shape): number[] | null {
  const { shape, strides } = canonical(from, by);
  const out = new Array<number>(to.length).fill(0);
  let axis = shape.length - 1;
  let left = shape[axis] ?? 1;
  let stride = strides[axis] ?? 0;
  for (let at = to.length - 1; at >= 0; at--) {
    const length = to[at] as number;
    if (length === 1) continue;
    if (left === 1) {
      axis--;
      left = shape[axis] ?? 1;
      stride = strides[axis] ?? 0;
    }
    if (left % length !== 0) return null;
    out[at] = stride;
    stride *= length;
    left /= length;
  }
  return out;
}

export function canonical(shape: readonly number[], strides: readonly number[]): Access {
  const lengths: number[] = [];
  const steps: number[] = [];
  shape.forEach((length, axis) => {
    if (length === 1) return;
    const stride = strides[axis] as number;
    const last = lengths.length - 1;
    if (last >= 0 && steps[last] === stride * length) {
      lengths[last] = (lengths[last] as number) * length;
      steps[last] = stride;
    } else {
      lengths.push(length);
      steps.push(stride);
    }
  });
  return { shape: lengths, strides: steps };
}

/** Each point reads the element of its own flat index. */
export function isAligned({ shape, strides }: Access): boolean {
  return shape.length === 0 || (shape.length === 1 && strides[0] === 1);
}

export function sameAccess(a: Access, b: Access): boolean {
  return a.shape.join() === b.shape.join() && a.strides.join() === b.strides.join();
}

/** A matrix operand: a row-major buffer read as [rows, columns], or as its transpose; null where it is neither. */
export function asMatrix(access: Access, rows: number, columns: number): { transposed: boolean } | null {
  if (sizeOf(access.shape) !== rows * columns) return null;
  if (sameAccess(access, canonical([rows, columns], [columns, 1]))) return { transposed: false };
  if (sameAccess(access, canonical([rows, columns], [1, rows]))) return { transposed: true };
  return null;
}

/** The element that an access reads at the flat index `at` of its domain. */
export function elementAt({ shape, strides }: Access, at: number): number {
  let [left, element] = [at, 0];
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const length = shape[axis] as number;
    element += (left % length) * (strides[axis] as number);
    left = Math.floor(left / length);
  }
  return element;
}
