import type { Array2, Data } from "./tasks";
import { uniform } from "./uniform";

/** Networks of layers, trained on one batch with Adam as torch.optim has it by default, the loss of every step read. */
export type NetworkTask =
  /** Convolutions over [1, 28, 28], each with ReLU and a pool of 2; dense layers with ReLU; ten classes. */
  | { kind: "cnn"; batch: number; convolutions: readonly Convolution[]; hidden: readonly number[] }
  /** Embeddings of tokens and places; blocks of causal attention and 4 · width GELU, each on its layer norm; AdamW with 0.01. */
  | {
      kind: "gpt";
      batch: number;
      length: number;
      vocabulary: number;
      width: number;
      heads: number;
      blocks: number;
    }
  /** A GRU's last output to one number, mean squared error. */
  | { kind: "gru"; batch: number; length: number; features: number; units: number }
  /**
   * A whole job: what a frozen network makes of `images` [3, size, size] (convolutions of 3 with a stride of 2 and ReLU, each channel's
   * mean), and `epochs` of a dense layer on it, in batches of `batch` in their order, from the same start each time.
   */
  | {
      kind: "head";
      images: number;
      size: number;
      filters: readonly number[];
      classes: number;
      epochs: number;
      batch: number;
    };

export interface Convolution {
  filters: number;
  kernel: number;
  padding: "same" | "valid";
}
type Cnn = Extract<NetworkTask, { kind: "cnn" }>;
type Head = Extract<NetworkTask, { kind: "head" }>;
type Shape = readonly number[];

export const imageSize = 28;
export const digits = 10;
/** AdamW's, of the GPT. */
export const weightDecay = 0.01;
/** Of the layer norms, as PyTorch has it. */
export const normEpsilon = 1e-5;

/** What a convolution of the CNN is given and makes: channels and the image's edge before, and the edge after it and after its pool. */
export function convolutionsOf({ convolutions }: Cnn) {
  let [channels, edge] = [1, imageSize];
  return convolutions.map(({ filters, kernel, padding }) => {
    const made = padding === "same" ? edge : edge - kernel + 1;
    const one = { filters, kernel, padding, channels, edge, made, pooled: Math.floor(made / 2) };
    [channels, edge] = [filters, one.pooled];
    return one;
  });
}

/** The frozen network's convolutions: channels before, filters, the edge after. */
export function frozenOf({ filters, size }: Head) {
  let [channels, edge] = [3, size];
  return filters.map((made) => {
    const one = { channels, filters: made, edge: Math.ceil(edge / 2) };
    [channels, edge] = [made, one.edge];
    return one;
  });
}

/** Dense layers of the CNN, behind its convolutions: inputs and units. */
export function denseOf(task: Cnn): { inputs: number; units: number }[] {
  const last = convolutionsOf(task).at(-1);
  let inputs = last ? last.filters * last.pooled ** 2 : imageSize ** 2;
  return [...task.hidden, digits].map((units) => {
    const one = { inputs, units };
    inputs = units;
    return one;
  });
}

/** Parameters by PyTorch's names of the same Sequential, in its order; a dense weight is [inputs, units]. */
export function parametersOf(task: NetworkTask): Record<string, Shape> {
  const shapes: Record<string, Shape> = {};
  const add = (prefix: string | number, weight: Shape, bias: number | null) => {
    shapes[`${prefix}.weight`] = weight;
    if (bias !== null) shapes[`${prefix}.bias`] = [bias];
  };
  switch (task.kind) {
    case "cnn": {
      const convolutions = convolutionsOf(task);
      convolutions.forEach(({ filters, channels, kernel }, i) => {
        add(3 * i, [filters, channels, kernel, kernel], filters); // with a ReLU and a pool behind it
      });
      denseOf(task).forEach(({ inputs, units }, i) => {
        add(3 * convolutions.length + 1 + 2 * i, [inputs, units], units);
      });
      return shapes;
    }
    case "gpt": {
      const { vocabulary, length, width, blocks } = task;
      add(0, [vocabulary, width], null);
      add(1, [length, width], null);
      for (let block = 0; block < blocks; block++) {
        const [attention, wide] = [2 + 2 * block, 3 + 2 * block];
        add(`${attention}.body.0`, [width], width);
        shapes[`${attention}.body.1.in_proj_weight`] = [3 * width, width];
        shapes[`${attention}.body.1.in_proj_bias`] = [3 * width];
        add(`${attention}.body.1.out_proj`, [width, width], width);
        add(`${wide}.body.0`, [width], width);
        add(`${wide}.body.1`, [width, 4 * width], 4 * width);
        add(`${wide}.body.3`, [4 * width, width], width); // with a GELU before it
      }
      add(2 + 2 * blocks, [width], width);
      add(3 + 2 * blocks, [width, vocabulary], vocabulary);
      return shapes;
    }
    case "gru": {
      const { features, units } = task;
      Object.assign(shapes, {
        "0.weight_ih_l0": [3 * units, features],
        "0.weight_hh_l0": [3 * units, units],
        "0.bias_ih_l0": [3 * units],
        "0.bias_hh_l0": [3 * units],
      });
      add(1, [units, 1], 1);
      return shapes;
    }
    case "head": {
      frozenOf(task).forEach(({ channels, filters }, i) => {
        add(`frozen.${2 * i}`, [filters, channels, 3, 3], filters); // with a ReLU behind it
      });
      add("0", [task.filters.at(-1) as number, task.classes], task.classes);
      return shapes;
    }
    default:
      return task satisfies never;
  }
}

/** Shapes of x and y, and how many classes or tokens there are where they are such. */
function examplesOf(task: NetworkTask): { x: Shape; tokens: number | null; y: Shape; classes: number | null } {
  switch (task.kind) {
    case "cnn":
      return { x: [task.batch, 1, imageSize, imageSize], tokens: null, y: [task.batch], classes: digits };
    case "gpt": {
      const shape = [task.batch, task.length];
      return { x: shape, tokens: task.vocabulary, y: shape, classes: task.vocabulary };
    }
    case "gru":
      return { x: [task.batch, task.length, task.features], tokens: null, y: [task.batch, 1], classes: null };
    case "head":
      return { x: [task.images, 3, task.size, task.size], tokens: null, y: [task.images], classes: task.classes };
    default:
      return task satisfies never;
  }
}

/** x, y and the starting weights. */
export function networkData(task: NetworkTask): Data {
  let stream = 1;
  const draw = (shape: Shape, below: number | null): Array2 => {
    const values = uniform(stream++, sizeOf(shape));
    return { shape, values: below === null ? values : Int32Array.from(values, (value) => ((value + 1) / 2) * below) };
  };
  const { x, tokens, y, classes } = examplesOf(task);
  const data: Record<string, Array2> = { x: draw(x, tokens), y: draw(y, classes) };
  for (const [name, shape] of Object.entries(parametersOf(task))) {
    const values = new Float32Array(sizeOf(shape));
    // A weight of one axis is a norm's; what is long is scaled by what it is multiplied with.
    if (shape.length === 1) values.fill(name.endsWith("weight") ? 1 : 0);
    else {
      const dense =
        shape.length === 2 && !name.includes("proj_weight") && !name.includes("_l0") && !name.includes("out_proj");
      const fan = dense ? (shape[0] as number) : sizeOf(shape.slice(1));
      values.set(uniform(stream++, values.length).map((value) => value * Math.sqrt(3 / fan)));
    }
    data[name] = { shape, values };
  }
  return data;
}

/** Of products and convolutions: once forward, and in training once for the weights and, but for the first layer, once for what it was given. */
export function networkFlops(task: NetworkTask): number {
  switch (task.kind) {
    case "cnn": {
      const convolved = convolutionsOf(task).reduce(
        (sum, { filters, channels, kernel, made }, i) =>
          sum + 2 * made ** 2 * filters * channels * kernel ** 2 * (i === 0 ? 2 : 3),
        0,
      );
      return task.batch * denseOf(task).reduce((sum, { inputs, units }) => sum + 6 * inputs * units, convolved);
    }
    case "gpt": {
      const { batch, length, vocabulary, width, blocks } = task;
      // Scores and what they pick: two products, as long as the text.
      const block = 12 * width ** 2 + 2 * length * width;
      return 6 * batch * length * (blocks * block + width * vocabulary);
    }
    case "gru": {
      const { batch, length, features, units } = task;
      return batch * (length * 6 * units * (2 * features + 3 * units) + 6 * units);
    }
    case "head": {
      const frozen = frozenOf(task).reduce(
        (sum, { channels, filters, edge }) => sum + 2 * edge ** 2 * filters * channels * 9,
        0,
      );
      return task.images * (frozen + 4 * task.epochs * (task.filters.at(-1) as number) * task.classes);
    }
    default:
      return task satisfies never;
  }
}

export function networkBytes(task: NetworkTask): number {
  const { x, y } = examplesOf(task);
  const parameters = Object.values(parametersOf(task)).reduce((sum, shape) => sum + sizeOf(shape), 0);
  // The frozen network's weights are read; those that are trained are read and written, with both moments.
  return 4 * (sizeOf(x) + sizeOf(y) + parameters * (task.kind === "head" ? 1 : 6));
}

/** Steps of the head's training in one job. */
export function headSteps({ images, batch, epochs }: Head): number {
  return epochs * Math.ceil(images / batch);
}

function sizeOf(shape: Shape): number {
  return shape.reduce((size, length) => size * length, 1);
}
