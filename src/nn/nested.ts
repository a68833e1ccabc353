import type { Values } from "../graph/program";
import { isNumbers, shown } from "../util/checks";
import { ShapeError } from "../util/errors";
import { type Shape, sizeOf } from "../util/shape";

/** Numbers row after row, in whatever array; or rows in arrays of their own, nested as deep as an example has axes. */
export type DataValues =
  | Values
  | Uint8Array
  | Uint8ClampedArray
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | readonly DataValues[];

export interface Nested {
  /** How long the arrays are, from the outermost to the innermost: [numbers], [rows, numbers], [rows, …, numbers]. */
  readonly shape: Shape;
  /** The innermost, in their order. What is in them is not looked at. */
  readonly arrays: readonly ArrayLike<unknown>[];
}

/** Numbers that may be nested. Throws TypeError, or ShapeError where rows are not alike. */
export function nested(part: string, name: string, given: DataValues): Nested {
  if (!isNumbers(given)) {
    throw new TypeError(
      `${part}: ${name} is ${shown(given)}; it must be a Float32Array, Float64Array, Int32Array or another array of numbers, row after row, or an array of rows.`,
    );
  }
  const shape: number[] = [];
  for (let array: unknown = given; isNumbers(array); array = array[0]) shape.push(array.length);
  let arrays: ArrayLike<unknown>[] = [given];
  for (let depth = 1; depth < shape.length; depth++) {
    const inner: ArrayLike<unknown>[] = [];
    for (const array of arrays) {
      for (let i = 0; i < array.length; i++) {
        const value = array[i];
        if (!isNumbers(value) || value.length !== shape[depth]) {
          throw new ShapeError(`${part}: ${unlike(name, inner.length, shape.slice(0, depth + 1), value)}`);
        }
        inner.push(value);
      }
    }
    arrays = inner;
  }
  return { shape, arrays };
}

/** What is wrong with array `at` of those at the depth of the last of `lengths`. */
function unlike(name: string, at: number, lengths: readonly number[], value: unknown): string {
  const within = lengths.slice(1, -1);
  const row = Math.floor(at / sizeOf(within));
  const first = `row 0 an array of ${lengths.at(-1)}`;
  if (within.length === 0)
    return `row ${row} of ${name} is ${shown(value)}, and ${first}; all rows must have as many numbers.`;
  const path = within.map((length, i) => Math.floor(at / sizeOf(within.slice(i + 1))) % length);
  return `row ${row} of ${name} has ${shown(value)} at [${path.join(", ")}], and ${first}; all rows must be alike.`;
}
