import { type Shape, sizeOf } from "../util/shape";
import type { Tensor } from "./tensor";

/**
 * Which element of a flat array belongs to each point of `shape`: `offset` and the sum of coordinate times stride. Canonical: no
 * axis of length 1, neighbours that step as one are one axis.
 */
export interface Access {
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly offset: number;
  /** Where it leads outside the array at some points, of which a guard takes nothing: the array's last element, to which it is held. */
  readonly last: number | null;
}

/** One view on the way from a tensor to where it is used. `source` is the tensor before the view. */
export type ViewStep = { readonly shape: Shape; readonly source: Tensor } & (
  | { readonly view: "reshape" | "broadcast" }
  /** `axes`: the axis before that each axis is. */
  | { readonly view: "permute"; readonly axes: readonly number[] }
  /** Along each axis every `steps`-th element, from `starts` on. */
  | { readonly view: "slice"; readonly starts: readonly number[]; readonly steps: readonly number[] }
  /** So many elements more before each axis, and what is left of `shape` behind it, all of them `fill`. */
  | { readonly view: "pad"; readonly starts: readonly number[]; readonly fill: number }
  /** Element j of the new last axis at place i of `axis` is element i · stride + j · dilation. */
  | { readonly view: "windows"; readonly axis: number; readonly stride: number; readonly dilation: number }
  /** The last axis, along which the last two were equally far on. */
  | { readonly view: "diagonal" }
);

/** The view that a node is of its operand; null where it is none. */
export function stepOf({ op, operands, shape, attributes }: Tensor): ViewStep | null {
  const source = operands[0] as Tensor;
  const { axes = [], starts = [], steps = [], fill = 0, axis = 0, stride = 1, dilation = 1 } = attributes;
  switch (op) {
    case "permute":
      return { view: op, shape, source, axes };
    case "slice":
      return { view: op, shape, source, starts, steps };
    case "pad":
      return { view: op, shape, source, starts, fill };
    case "windows":
      return { view: op, shape, source, axis, stride, dilation };
    case "reshape":
    case "broadcast":
    case "diagonal":
      return { view: op, shape, source };
    default:
      return null;
  }
}

/** Equal keys of steps from one tensor on, equal views. */
export function stepKey(step: ViewStep): string {
  const { shape, source: _, ...rest } = step;
  return `${shape.join()}${JSON.stringify(rest)}`;
}

/** Strides of the axes after a view, from those before; null where a reshape has none. */
function stridesAfter(step: ViewStep, from: Shape, by: readonly number[]): number[] | null {
  const to = step.shape;
  switch (step.view) {
    case "permute":
      return step.axes.map((axis) => by[axis] as number);
    case "broadcast": {
      const lead = to.length - from.length;
      return to.map((length, axis) => (axis < lead || from[axis - lead] !== length ? 0 : (by[axis - lead] as number)));
    }
    case "slice":
      return by.map((stride, axis) => stride * (step.steps[axis] as number));
    case "pad":
      return [...by];
    case "windows": {
      const along = by[step.axis] as number;
      return [...by.map((stride, axis) => (axis === step.axis ? stride * step.stride : stride)), along * step.dilation];
    }
    case "diagonal":
      return [...by.slice(0, -2), (by[by.length - 2] as number) + (by[by.length - 1] as number)];
    case "reshape":
      return reshapeStrides(from, by, to);
    default:
      return step satisfies never;
  }
}

/** How far a view moves the first element, by the strides before it. */
function moved(step: ViewStep, by: readonly number[]): number {
  if (step.view !== "slice" && step.view !== "pad") return 0;
  const sum = step.starts.reduce((sum, start, axis) => sum + start * (by[axis] as number), 0);
  return step.view === "slice" ? sum : -sum;
}

/**
 * The access through `steps` to an array of `shape` with `strides` from `offset` on, or the tensor that must be copied first for it
 * to be one.
 */
export function accessThrough(
  shape: Shape,
  strides: readonly number[],
  steps: readonly ViewStep[],
  offset = 0,
): Access | { copy: Tensor } {
  let from = [...shape];
  let by = [...strides];
  let first = offset;
  for (const step of steps) {
    const next = stridesAfter(step, from, by);
    if (next === null) return { copy: step.source };
    first += moved(step, by);
    by = next;
    from = [...step.shape];
  }
  return canonical(from, by, first);
}

/** The access, held to an array of so many elements where it could lead outside. */
export function heldTo(access: Access, elements: number): Access {
  const [least, most] = rangeOf(access);
  return least >= 0 && most < elements ? access : { ...access, last: elements - 1 };
}

/** The least and the largest that an access gives. */
export function rangeOf({ shape, strides, offset }: Access): readonly [number, number] {
  const far = strides.map((stride, axis) => stride * ((shape[axis] as number) - 1));
  const sum = (pick: (a: number, b: number) => number) => far.reduce((sum, each) => sum + pick(each, 0), offset);
  return [sum(Math.min), sum(Math.max)];
}

/**
 * What must hold of a point of `step`'s padded tensor, seen through `steps`, for it to be one of what was padded: coordinates, each
 * to be at least 0 and below `length`. Those that always hold are left out.
 */
export function boundsOf(
  step: ViewStep & { readonly view: "pad" },
  steps: readonly ViewStep[],
): readonly Bound[] | { copy: Tensor } {
  const bounds: Bound[] = [];
  for (const [axis, start] of step.starts.entries()) {
    const length = step.source.shape[axis] as number;
    if (length === step.shape[axis]) continue;
    const unit = step.shape.map((_, each) => (each === axis ? 1 : 0));
    const access = accessThrough(step.shape, unit, steps, -start);
    if ("copy" in access) return access;
    const [least, most] = rangeOf(access);
    if (least < 0 || most >= length) bounds.push({ access, length });
  }
  return bounds;
}

/** A coordinate, which must be at least 0 and below `length`. */
export interface Bound {
  readonly access: Access;
  readonly length: number;
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

export function canonical(shape: readonly number[], strides: readonly number[], offset = 0): Access {
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
  return { shape: lengths, strides: steps, offset, last: null };
}

/** Each point reads the element of its own flat index. */
export function isAligned({ shape, strides, offset, last }: Access): boolean {
  return offset === 0 && last === null && (shape.length === 0 || (shape.length === 1 && strides[0] === 1));
}

export function sameAccess(a: Access, b: Access): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/**
 * A row-major buffer read as matrices [batch, rows, columns], or as their transposes; `repeated` where it is one matrix for the whole
 * batch. Null where it is neither.
 */
export function asMatrices(
  access: Access,
  batch: number,
  rows: number,
  columns: number,
): { transposed: boolean; repeated: boolean } | null {
  if (sizeOf(access.shape) !== batch * rows * columns) return null;
  for (const repeated of batch === 1 ? [false] : [false, true]) {
    const step = repeated ? 0 : rows * columns;
    for (const transposed of [false, true]) {
      const strides = transposed ? [step, 1, rows] : [step, columns, 1];
      if (sameAccess(access, canonical([batch, rows, columns], strides))) return { transposed, repeated };
    }
  }
  return null;
}

/** The element that an access reads at the flat index `at` of its domain. */
export function elementAt({ shape, strides, offset, last }: Access, at: number): number {
  let [left, element] = [at, offset];
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const length = shape[axis] as number;
    element += (left % length) * (strides[axis] as number);
    left = Math.floor(left / length);
  }
  return last === null ? element : Math.min(Math.max(element, 0), last);
}
