import { randomState } from "../data/random";
import type { OnnxNodes } from "../files/nodes";
import type { TorchModule, TorchModules } from "../files/torch-modules";
import type { Tensor } from "../graph/tensor";
import { checkOptions, checkSeed, shown } from "../util/checks";
import { formatShape, type Shape, sizeOf } from "../util/shape";
import { Chain, checkLayers } from "./layers/chain";
import type { Held, Layer, Part } from "./layers/layer";
import { LayerPass, type Step } from "./pass";

/** A network that can be trained; given to `sequential` as a layer, it is a part of a larger one: a backbone, with a head behind it. */
export interface Model extends Layer {
  /** Numbers in an example. */
  readonly inputs: number;
  /** An example's shape: [features], [C, H, W], [T, features], or [T] tokens. */
  readonly inputShape: Shape;
  /** Numbers in what the network makes of an example. */
  readonly outputs: number;
  readonly outputShape: Shape;
  /** The layers in their order, with what was left out filled in: what `writeOnnx` goes by. */
  readonly layers: readonly Layer[];
  /**
   * Shapes by name, numbered as in the PyTorch Sequential of the same network, where an activation and a dropout are
   * modules of their own: `[dense(3, {activation: "tanh"}), dense(2)]` has "0.weight", "0.bias", "2.weight",
   * "2.bias". A dense weight is [inputs, units], a bias [units].
   */
  readonly parameters: Record<string, Shape>;
  /** What training keeps besides, without a gradient, by name: the running statistics of batchNorm. */
  readonly state: Record<string, Shape>;
  /** One line a layer: output shape, parameters; and the total. */
  summary(): string;
}

/** @internal What `sequential` makes, with what the trainer needs of it. */
export class Sequential implements Model {
  static readonly name = "Model";
  readonly inputs: number;
  readonly outputs: number;
  readonly outputShape: Shape;
  readonly parameters: Record<string, Shape> = {};
  readonly state: Record<string, Shape> = {};
  /** Parameters and state, by name. */
  readonly held: Record<string, Held>;
  /** The width of the widest layer, inputs included: what a row takes at most. */
  readonly widest: number;
  /** Of how many tokens an example is made; null where it is made of numbers. */
  readonly vocabulary: number | null;
  /** How many rows of a loss an example has: the positions of a sequence, else 1; and the numbers in each. */
  readonly positions: number;
  readonly units: number;

  constructor(
    readonly inputShape: Shape,
    readonly layers: readonly Part[],
    private readonly seed: number,
    /** All of it as one layer. */
    readonly whole: Part = new Chain(layers),
  ) {
    this.held = whole.held(inputShape);
    for (const [name, { shape, state }] of Object.entries(this.held)) {
      if (state) this.state[name] = shape;
      else this.parameters[name] = shape;
    }
    this.outputShape = this.whole.output(inputShape);
    this.inputs = sizeOf(inputShape);
    this.outputs = sizeOf(this.outputShape);
    this.widest = Math.max(this.inputs, this.whole.widest(inputShape));
    this.vocabulary = whole.vocabulary;
    this.positions = this.outputShape.length === 2 ? (this.outputShape[0] as number) : 1;
    this.units = this.outputs / this.positions;
  }

  get name(): string {
    return this.whole.name;
  }

  /** By what the last layer makes probabilities of its outputs, or null. */
  get squashes(): string | null {
    return this.whole.squashes;
  }

  /** Names that PyTorch's file of the network may have besides those that are held. */
  get passedOver(): readonly string[] {
    return this.whole.passedOver;
  }

  /** How many rows a batch must have in training. */
  get leastRows(): number {
    return this.whole.leastRows(this.inputShape);
  }

  /** x [rows, inputs] -> [rows, ...outputShape]. Without `step` it is a prediction. */
  forward(x: Tensor, held: Record<string, Tensor>, step: Step | null = null): Tensor {
    const rows = x.shape[0] as number;
    const examples = (this.vocabulary === null ? x : x.toInt32()).reshape([rows, ...this.inputShape]);
    return this.whole.apply(examples, held, new LayerPass(step, this.seed));
  }

  /** Its first `count` layers, and the others behind them: two networks whose names and random numbers are those of this one. Of a chain only. */
  parted(count: number): { first: Sequential; rest: Sequential } | null {
    if (!(this.whole instanceof Chain)) return null;
    const [before, behind] = [this.whole.layers.slice(0, count), this.whole.layers.slice(count)];
    const first = new Sequential(this.inputShape, before, this.seed);
    const modules = before.reduce((sum, layer) => sum + layer.modules, 0);
    return { first, rest: new Sequential(first.outputShape, behind, this.seed, new Chain(behind, modules)) };
  }

  /** The sum over what is held of l2/2 * sum(values²), or null where nothing has one. `half` stands for each l2/2 where it is given. */
  penalty(held: Record<string, Tensor>, half?: Tensor): Tensor | null {
    let sum: Tensor | null = null;
    for (const [name, { l2 = 0 }] of Object.entries(this.held)) {
      if (l2 === 0) continue;
      const term = (held[name] as Tensor)
        .square()
        .sum()
        .mul(half ?? l2 / 2);
      sum = sum === null ? term : sum.add(term);
    }
    return sum;
  }

  /** The same network of another seed. */
  seeded(seed: number): Sequential {
    return new Sequential(this.inputShape, this.layers, seed, this.whole);
  }

  /** First values by name: one generator of the model's seed draws them in the order of the layers. */
  initial(): Record<string, Float32Array> {
    const generator = randomState(this.seed);
    const values: Record<string, Float32Array> = {};
    for (const [name, { first }] of Object.entries(this.held)) values[name] = Float32Array.from(first(generator));
    return values;
  }

  /** The network's nodes, from the name of its input to that of its output. */
  onnx(to: OnnxNodes, x: string, own: (name: string) => string): string {
    return this.whole.onnx(to, x, own, this.inputShape);
  }

  /** The network as modules of PyTorch. */
  pytorch(to: TorchModules): TorchModule {
    const { whole } = this;
    const modules =
      whole instanceof Chain ? whole.torchModules(to, this.inputShape) : whole.pytorch(to, this.inputShape);
    return to.sequential(modules);
  }

  summary(): string {
    const rows = [["", "layer", "output", "parameters"]];
    let total = 0;
    for (const { name, told, outputs, parameters } of this.whole.lines(this.inputShape)) {
      total += parameters;
      rows.push([name, told, `[rows, ${outputs.join(", ")}]`, String(parameters)]);
    }
    const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => (row[column] as string).length)));
    const lines = rows.map((row) =>
      row
        .map((cell, column) =>
          column === 3 ? cell.padStart(widths[3] as number) : cell.padEnd(widths[column] as number),
        )
        .join("  "),
    );
    return [`inputs ${formatShape(this.inputShape)}`, ...lines, `total ${total} parameters`].join("\n");
  }
}

/**
 * A network of layers, each fed by the one before. `inputs` is a number of features, or the shape of one example: [features],
 * [C, H, W], [T, features], or [T] for int32 tokens before an embedding(). A model among the layers is a part of this one, as a Sequential
 * within another: its layers as they are, its parameters as "0.0.weight", … `seed` (default 0) draws the first weights and the masks of
 * dropout. Throws RangeError, TypeError or ShapeError for what makes no network.
 */
export function sequential(
  inputs: number | readonly number[],
  layers: readonly Layer[],
  options: { seed?: number } = {},
): Model {
  const shape = Array.isArray(inputs) ? inputs : [inputs];
  if (shape.length < 1 || shape.length > 3 || !shape.every((length) => Number.isSafeInteger(length) && length >= 1)) {
    const given = shape.every((length) => typeof length === "number") ? formatShape(shape) : shown(inputs);
    throw new RangeError(
      `sequential: inputs is ${Array.isArray(inputs) ? given : shown(inputs)}; it must be an integer of at least 1, or an example's shape of one to three of them.`,
    );
  }
  checkOptions("sequential", options, ["seed"]);
  const { seed = 0 } = options;
  checkSeed("sequential", seed);
  const known = checkLayers("sequential", layers);
  const late = known.findIndex((layer, i) => i > 0 && layer.vocabulary !== null);
  if (late > 0) {
    throw new RangeError(
      `sequential: layer ${late} is ${known[late]?.name}, which takes tokens; it must be the first, fed by the data.`,
    );
  }
  const model = new Sequential([...shape], known, seed);
  if (Object.keys(model.parameters).length === 0) {
    throw new RangeError(
      `sequential: none of the ${known.length} layers has weights; at least one must, such as dense(…).`,
    );
  }
  return model;
}
