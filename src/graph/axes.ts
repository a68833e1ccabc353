import { checkFlag, checkOptions, shown } from "../util/checks";
import { ShapeError } from "../util/errors";
import { formatShape, type Shape, sizeOf } from "../util/shape";

/** One axis or several; a negative one counts from the last. */
export type Axes = number | readonly number[];

/** Each axis as a place in the shape. Throws ShapeError for one that is not there, or twice there, and for none. */
export function axesOf(op: string, shape: Shape, axes: Axes | undefined): Set<number> {
  if (axes === undefined) return new Set(shape.keys());
  const list: readonly number[] = Array.isArray(axes) ? axes : [axes as number];
  const places = new Set(list.map((axis) => checkAxis(op, shape, axis)));
  if (places.size !== list.length || list.length === 0) {
    throw new ShapeError(
      `${op}: axes are [${list.join(", ")}] of a tensor of shape ${formatShape(shape)}; each must be there once, and there must be one`,
    );
  }
  return places;
}

export function without(shape: Shape, from: number, to: number): Shape {
  return [...shape.slice(0, from), ...shape.slice(to)];
}

/** A shape whose one length of -1 is what the others leave of `size`. */
export function withoutOpen(shape: Shape, size: number): Shape {
  if (!Array.isArray(shape) || !shape.includes(-1)) return shape;
  const rest = sizeOf(shape.filter((length) => length !== -1));
  const open = shape.filter((length) => length === -1).length;
  if (open > 1 || !Number.isInteger(size / rest)) {
    throw new ShapeError(
      `reshape: ${size} elements do not fit ${formatShape(shape)}; one length may be -1, and the others must divide them`,
    );
  }
  return shape.map((length) => (length === -1 ? size / rest : length));
}

export function checkAxis(op: string, shape: Shape, axis: number): number {
  const rank = shape.length;
  if (typeof axis !== "number") throw new TypeError(`${op}: the axis is ${shown(axis)}; it must be an integer`);
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
    throw new ShapeError(
      rank === 0
        ? `${op}: axis ${axis} of a scalar, which has no axes`
        : `${op}: axis ${axis} is not in a tensor of shape ${formatShape(shape)}; axes go from ${-rank} to ${rank - 1}`,
    );
  }
  return axis < 0 ? axis + rank : axis;
}

export function checkShape(part: string, shape: Shape): void {
  if (!Array.isArray(shape)) throw new TypeError(`${part}: a shape is an array of numbers, not ${shown(shape)}`);
  for (const length of shape as readonly unknown[]) {
    if (!Number.isSafeInteger(length) || (length as number) < 1) {
      throw new ShapeError(
        `${part}: shape ${formatShape(shape)} has an axis of length ${shown(length)}; each must be an integer of at least 1`,
      );
    }
  }
  if (!Number.isSafeInteger(sizeOf(shape)) || sizeOf(shape) > 2 ** 31) {
    throw new ShapeError(
      `${part}: shape ${formatShape(shape)} has ${sizeOf(shape)} elements; at most 2147483648 can be indexed`,
    );
  }
}

export function keeps(op: string, options: { keepDims?: boolean } = {}): boolean {
  checkOptions(op, options, ["keepDims"]);
  const { keepDims = false } = options;
  checkFlag(op, "keepDims", keepDims);
  return keepDims;
}

export function isPair(value: unknown): boolean {
  return Array.isArray(value) && value.length === 2;
}
