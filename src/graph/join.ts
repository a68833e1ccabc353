import { shown } from "../util/checks";
import { ShapeError } from "../util/errors";
import { formatShape } from "../util/shape";
import { checkAxis } from "./axes";
import { Tensor } from "./tensor";

/**
 * Tensors one after another along an axis; all other axes must be equal: [.., a, ..] and [.., b, ..] -> [.., a + b, ..]. Throws
 * TypeError for none or for mixed types, ShapeError with both shapes where they do not fit.
 */
export function concat(tensors: readonly Tensor[], axis = 0): Tensor {
  const first = checked("concat", tensors);
  const place = checkAxis("concat", first.shape, axis);
  const lengths = tensors.map(({ shape }) => {
    if (shape.length !== first.shape.length || shape.some((length, i) => i !== place && length !== first.shape[i])) {
      throw new ShapeError(
        `concat: ${formatShape(shape)} beside ${formatShape(first.shape)}; all axes but axis ${axis} must be equal`,
      );
    }
    return shape[place] as number;
  });
  const total = lengths.reduce((sum, length) => sum + length, 0);
  let before = 0;
  // Each in its place among zeros, whose sum is all of them: a kernel reads what is there through its view.
  const placed = tensors.map((tensor, i) => {
    const length = lengths[i] as number;
    const widths = tensor.shape.map((_, each) =>
      each === place ? ([before, total - before - length] as const) : ([0, 0] as const),
    );
    before += length;
    return tensor.pad(widths);
  });
  return sumOf(placed);
}

/** Tensors of one shape side by side along a new axis. Throws as `concat`. */
export function stack(tensors: readonly Tensor[], axis = 0): Tensor {
  const { shape } = checked("stack", tensors);
  const other = tensors.find((tensor) => formatShape(tensor.shape) !== formatShape(shape));
  if (other !== undefined)
    throw new ShapeError(`stack: ${formatShape(other.shape)} beside ${formatShape(shape)}; all shapes must be equal`);
  const place = checkAxis("stack", [...shape, 1], axis);
  const wide = [...shape.slice(0, place), 1, ...shape.slice(place)];
  return concat(
    tensors.map((tensor) => tensor.reshape(wide)),
    place,
  );
}

/** As a tree, so that many of them are not one deep chain. */
function sumOf(tensors: readonly Tensor[]): Tensor {
  if (tensors.length === 1) return tensors[0] as Tensor;
  const half = Math.ceil(tensors.length / 2);
  return sumOf(tensors.slice(0, half)).add(sumOf(tensors.slice(half)));
}

function checked(part: string, tensors: readonly Tensor[]): Tensor {
  const first = Array.isArray(tensors) ? tensors[0] : undefined;
  if (first === undefined) throw new TypeError(`${part}: takes an array of at least one Tensor, not ${shown(tensors)}`);
  for (const tensor of tensors) {
    if (!(tensor instanceof Tensor))
      throw new TypeError(`${part}: one of them is ${shown(tensor, Tensor)}, not a Tensor`);
    if (tensor.dtype !== first.dtype)
      throw new TypeError(`${part}: one is ${first.dtype} and one ${tensor.dtype}; toFloat32() or toInt32() converts`);
  }
  return first;
}
