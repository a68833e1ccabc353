import { type FileTensor, readSafetensors, writeSafetensors } from "../files/safetensors";
import { checkFlag, checkOptions, shown } from "../util/checks";
import { ShapeError } from "../util/errors";
import { formatShape, type Shape, sameShape } from "../util/shape";
import type { Arrays } from "./state";

/** What is held, by name: its shape, and whether PyTorch has its two axes the other way round. */
type Layouts = Readonly<Record<string, { readonly shape: Shape; readonly turned?: boolean }>>;

/** Weights and state as PyTorch keeps them: of a Linear [units, inputs], the transpose of ours. "format" is "pt", whatever `metadata` has. */
export function writeWeights(
  layouts: Layouts,
  weights: Arrays,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const tensors: Record<string, FileTensor> = {};
  for (const [name, { shape, turned }] of Object.entries(layouts)) {
    const values = weights[name] as Float32Array;
    tensors[name] = turned ? { shape: [...shape].reverse(), values: transposed(values, shape) } : { shape, values };
  }
  return writeSafetensors(tensors, { ...metadata, format: "pt" });
}

/** Which tensors of a file `load` takes. */
export interface LoadOptions {
  /**
   * Whether the file must have all that the network has, and nothing else; default true. Otherwise what only one of the two has is passed
   * over. A tensor that both have must have the network's shape in any case.
   */
  strict?: boolean;
  /** What names in the file begin with and the network's do not: "features." of a network within another. What begins otherwise is passed over. */
  prefix?: string;
}

/**
 * Reads them back; `passedOver` are names that the file may have besides. Throws FormatError for what is no safetensors, ShapeError or
 * RangeError for what does not fit the network.
 */
export function readWeights(
  file: Uint8Array,
  layouts: Layouts,
  passedOver: readonly string[],
  options: LoadOptions = {},
): Arrays {
  checkOptions("load", options, ["strict", "prefix"]);
  const { strict = true, prefix = "" } = options;
  checkFlag("load", "strict", strict);
  if (typeof prefix !== "string") throw new TypeError(`load: prefix is ${shown(prefix)}; it must be a string.`);
  const tensors: ReturnType<typeof readSafetensors> = Object.create(null);
  const found = readSafetensors(file);
  for (const [full, tensor] of Object.entries(found)) {
    const name = full.slice(prefix.length);
    const known = Object.hasOwn(layouts, name) || (strict && !passedOver.includes(name));
    if (full.startsWith(prefix) && known) tensors[name] = tensor;
  }
  if (!strict) {
    const inBoth = Object.keys(layouts).filter((name) => name in tensors);
    if (inBoth.length === 0) {
      throw new ShapeError(
        `load: none of the file's tensors is one of the network's; the file's are ${Object.keys(found).join(", ") || "none"}, the network's ${Object.keys(
          layouts,
        )
          .map((name) => prefix + name)
          .join(", ")}.`,
      );
    }
    layouts = Object.fromEntries(inBoth.map((name) => [name, layouts[name] as Layouts[string]]));
  }
  const inFile: Record<string, Shape> = {};
  for (const [name, { shape, turned }] of Object.entries(layouts)) inFile[name] = turned ? [...shape].reverse() : shape;
  const values = matching("load", tensors, inFile);
  for (const [name, { turned }] of Object.entries(layouts)) {
    if (turned) values[name] = transposed(values[name] as Float32Array, inFile[name] as Shape);
  }
  return values;
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
