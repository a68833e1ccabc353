import { randomState } from "../data/random";
import type { Tensor } from "../graph/tensor";
import { checkCount, checkOptions, checkSeed, shown } from "../util/checks";
import { formatShape, type Shape, sizeOf } from "../util/shape";
import { INITIALIZERS } from "./initializers";
import { Dense, type DenseLayer, Dropout, type DropoutLayer, type Layer } from "./layers";

export interface Model {
  readonly inputs: number;
  readonly outputs: number;
  /** The layers in their order, with what was left out filled in: what `writeOnnx` goes by. */
  readonly layers: readonly (DenseLayer | DropoutLayer)[];
  /**
   * Shapes by name, numbered as in the PyTorch Sequential of the same network, where an activation and a dropout are
   * modules of their own: `[dense(3, {activation: "tanh"}), dense(2)]` has "0.weight", "0.bias", "2.weight",
   * "2.bias". A weight is [inputs, units], a bias [units].
   */
  readonly parameters: Record<string, Shape>;
  /** One line a layer: output shape, parameters; and the total. */
  summary(): string;
}

interface Placed<L> {
  readonly layer: L;
  /** The number of its first module in the PyTorch Sequential. */
  readonly index: number;
  readonly inputs: number;
  readonly outputs: number;
}

/** @internal What `sequential` makes, with what the trainer needs of it. */
export class Sequential implements Model {
  static readonly name = "Model";
  readonly outputs: number;
  readonly parameters: Record<string, Shape> = {};
  /** The width of the widest layer, inputs included: what a row takes at most. */
  readonly widest: number;
  private readonly placed: readonly Placed<Dense | Dropout>[];

  constructor(
    readonly inputs: number,
    readonly layers: readonly (Dense | Dropout)[],
    private readonly seed: number,
  ) {
    const placed: Placed<Dense | Dropout>[] = [];
    let width = inputs;
    let widest = inputs;
    let index = 0;
    for (const layer of layers) {
      const outputs = layer instanceof Dense ? layer.units : width;
      placed.push({ layer, index, inputs: width, outputs });
      if (layer instanceof Dense) {
        this.parameters[`${index}.weight`] = [width, outputs];
        if (layer.bias) this.parameters[`${index}.bias`] = [outputs];
      }
      index += layer instanceof Dense && layer.activation !== "linear" ? 2 : 1;
      width = outputs;
      widest = Math.max(widest, width);
    }
    this.placed = placed;
    this.outputs = width;
    this.widest = widest;
  }

  /** Whether a training step draws random numbers. */
  get drops(): boolean {
    return this.placed.some(({ layer }) => layer instanceof Dropout && layer.rate > 0);
  }

  /** x [rows, inputs] -> [rows, outputs]. With `counter`, an int32 scalar that names the step, dropout is on. */
  forward(x: Tensor, weights: Record<string, Tensor>, counter?: Tensor): Tensor {
    let value = x;
    for (const { layer, index } of this.placed) {
      if (layer instanceof Dense) {
        value = layer.forward(value, weights[`${index}.weight`] as Tensor, weights[`${index}.bias`]);
      } else if (counter !== undefined) {
        value = layer.forward(value, counter, this.seedOf(index));
      }
    }
    return value;
  }

  /** The sum over layers of l2/2 * sum(weight²), or null where no layer has one. */
  penalty(weights: Record<string, Tensor>): Tensor | null {
    let sum: Tensor | null = null;
    for (const { layer, index } of this.placed) {
      if (!(layer instanceof Dense) || layer.l2 === 0) continue;
      const term = (weights[`${index}.weight`] as Tensor)
        .square()
        .sum()
        .mul(layer.l2 / 2);
      sum = sum === null ? term : sum.add(term);
    }
    return sum;
  }

  /** First values by name: one generator of the model's seed draws the weights in the order of the layers. */
  initial(): Record<string, Float32Array> {
    const generator = randomState(this.seed);
    const values: Record<string, Float32Array> = {};
    for (const { layer, index, inputs, outputs } of this.placed) {
      if (!(layer instanceof Dense)) continue;
      values[`${index}.weight`] = Float32Array.from(INITIALIZERS[layer.init](generator, inputs, outputs));
      if (layer.bias) values[`${index}.bias`] = new Float32Array(outputs);
    }
    return values;
  }

  summary(): string {
    const rows = [["", "layer", "output", "parameters"]];
    let total = 0;
    for (const { layer, index, outputs } of this.placed) {
      const names = [`${index}.weight`, `${index}.bias`];
      const count = names.reduce(
        (sum, name) => sum + (name in this.parameters ? sizeOf(this.parameters[name] ?? []) : 0),
        0,
      );
      total += count;
      const what = layer instanceof Dense ? `dense ${layer.activation}` : `dropout ${layer.rate}`;
      rows.push([String(index), what, `[rows, ${outputs}]`, String(count)]);
    }
    const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => (row[column] as string).length)));
    const lines = rows.map((row) =>
      row
        .map((cell, column) =>
          column === 3 ? cell.padStart(widths[3] as number) : cell.padEnd(widths[column] as number),
        )
        .join("  "),
    );
    return [`inputs ${formatShape([this.inputs])}`, ...lines, `total ${total} parameters`].join("\n");
  }

  /** Two dropouts of one model draw different masks, and so do two models of different seeds. */
  private seedOf(index: number): number {
    return (this.seed ^ Math.imul(index + 1, 0x9e3779b1)) >>> 1;
  }
}

/**
 * A network of layers, each fed by the one before; the first takes rows of `inputs` numbers. `seed` (default 0) draws
 * the first weights and the masks of dropout. Throws RangeError or TypeError for what makes no network.
 */
export function sequential(inputs: number, layers: readonly Layer[], options: { seed?: number } = {}): Model {
  checkCount("sequential", "inputs", inputs);
  checkOptions("sequential", options, ["seed"]);
  const { seed = 0 } = options;
  checkSeed("sequential", seed);
  if (!Array.isArray(layers)) {
    throw new TypeError(`sequential: layers is ${shown(layers)}; it must be an array of dense(…) and dropout(…).`);
  }
  const known = layers.map((layer: unknown, i) => {
    if (layer instanceof Dense || layer instanceof Dropout) return layer;
    throw new TypeError(`sequential: layer ${i} is ${shown(layer, Dense)}; it must come from dense() or dropout().`);
  });
  if (!known.some((layer) => layer instanceof Dense)) {
    throw new RangeError(`sequential: none of the ${known.length} layers has weights; at least one must be dense(…).`);
  }
  return new Sequential(inputs, known, seed);
}
