import { type FileTensor, readSafetensors, writeSafetensors } from "../files/safetensors";
import { ShapeError } from "../util/errors";
import { formatShape, type Shape, sameShape } from "../util/shape";
import type { Arrays } from "./state";

/** Weights as PyTorch's Linear keeps them: [units, inputs], the transpose of ours. */
export function writeWeights(shapes: Record<string, Shape>, weights: Arrays): Uint8Array<ArrayBuffer> {
  const tensors: Record<string, FileTensor> = {};
  for (const [name, shape] of Object.entries(shapes)) {
    const values = weights[name] as Float32Array;
    tensors[name] = { shape: [...shape].reverse(), values: transposed(values, shape) };
  }
  return writeSafetensors(tensors, { format: "pt" });
}

/** Reads them back. Throws FormatError for what is no safetensors, ShapeError or RangeError for what does not fit the network. */
export function readWeights(file: Uint8Array, shapes: Record<string, Shape>): Arrays {
  const tensors = readSafetensors(file);
  const inFile = Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, [...shape].reverse()]));
  const values = matching("load", tensors, inFile);
  return Object.fromEntries(
    Object.entries(inFile).map(([name, shape]) => [name, transposed(values[name] as Float32Array, shape)]),
  );
}

/**
 * The values of tensors read from a file, as float32, once they are those that are looked for: the same names and
 * shapes, floating point, finite. Throws ShapeError or RangeError.
 */
export function matching(
  part: string,
  tensors: ReturnType<typeof readSafetensors>,
  shapes: Record<string, Shape>,
): Arrays {
  const values: Arrays = {};
  for (const [name, shape] of Object.entries(shapes)) {
    const found = tensors[name];
    if (found === undefined) {
      throw new ShapeError(
        `${part}: the file has no tensor "${name}", which the network has; the file's are ${Object.keys(tensors).join(", ") || "none"}.`,
      );
    }
    if (!sameShape(found.shape, shape)) {
      throw new ShapeError(
        `${part}: tensor "${name}" of the file is ${formatShape(found.shape)}; for this network it must be ${formatShape(shape)}.`,
      );
    }
    if (!/^B?F\d+$/.test(found.dtype)) {
      throw new ShapeError(
        `${part}: tensor "${name}" of the file is ${found.dtype}; it must be floating point, such as F32.`,
      );
    }
    const array = Float32Array.from(found.values);
    const at = array.findIndex((value) => !Number.isFinite(value));
    if (at >= 0) {
      throw new RangeError(
        `${part}: tensor "${name}" of the file has ${found.values[at]} at index ${at}; it must be finite in float32.`,
      );
    }
    values[name] = array;
  }
  const unknown = Object.keys(tensors).find((name) => !Object.hasOwn(shapes, name));
  if (unknown !== undefined) {
    throw new ShapeError(
      `${part}: the file has a tensor "${unknown}", which the network has not; the network's are ${Object.keys(shapes).join(", ")}.`,
    );
  }
  return values;
}

/** [rows, columns] -> [columns, rows]; one axis stays as it is. */
function transposed(values: Float32Array, [rows, columns]: Shape): Float32Array {
  if (rows === undefined || columns === undefined) return values;
  const out = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++)
      out[column * rows + row] = values[row * columns + column] as number;
  }
  return out;
}
