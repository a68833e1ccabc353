import { moons, randomState } from "../src/index";
import { type NetworkTask, networkBytes, networkData, networkFlops } from "./networks";
import { uniform } from "./uniform";

/** A network or product to run, as plain data: it crosses into pages and into Python. */
export type Task =
  /** x [batch, inputs] -> `hidden` ReLU -> `outputs`, no biases, squared error summed, plain descent at `rate`. */
  | { kind: "two-layer"; batch: number; inputs: number; hidden: number; outputs: number; rate: number }
  /** 2 -> 3 tanh -> softmax of 2 on 200 points, gradients summed, penalty 0.01/2 of the squared weights, rate 0.01. */
  | { kind: "moons" }
  /** So many of them at once on the same points, each from weights of its own. */
  | { kind: "many-moons"; count: number }
  /** 784 -> 512 -> 256 -> 10 with ReLU and biases, mean softmax cross entropy, Adam as torch.optim has it by default. */
  | { kind: "classifier"; batch: number }
  /** c = a b, all [size, size]. */
  | { kind: "matmul"; size: number }
  | NetworkTask;

export interface Array2 {
  shape: readonly number[];
  values: Float32Array | Int32Array;
}
/** Inputs and starting weights by name, the same for every contender. */
export type Data = Readonly<Record<string, Array2>>;

/** Of the moons, a loss is wanted once in so many passes, as the program prints it; of the others at each step. */
export function recordEvery(task: Task): number {
  return task.kind === "moons" || task.kind === "many-moons" ? 1000 : 1;
}

export const classifierSizes = [784, 512, 256, 10] as const;

/** Layers of the classifier: names of weight and bias, inputs and units. */
export function classifierLayers(): { weight: string; bias: string; inputs: number; units: number }[] {
  return classifierSizes.slice(1).map((units, layer) => ({
    weight: `w${layer + 1}`,
    bias: `b${layer + 1}`,
    inputs: classifierSizes[layer] as number,
    units,
  }));
}

/** The data of a task, the same numbers wherever they are made. */
export function dataOf(task: Task): Data {
  switch (task.kind) {
    case "two-layer":
      return twoLayerData(task);
    case "moons":
      return moonsData(1);
    case "many-moons":
      return moonsData(task.count);
    case "classifier": {
      const random = randomState(1);
      const inputs = classifierSizes[0];
      const data: Record<string, Array2> = {
        x: { shape: [task.batch, inputs], values: Float32Array.from(random.randn(task.batch * inputs)) },
        y: { shape: [task.batch], values: random.randint(0, 10, task.batch) },
      };
      for (const { weight, bias, inputs, units } of classifierLayers()) {
        const scale = Math.sqrt(2 / inputs);
        const values = Float32Array.from(random.randn(inputs * units), (value) => value * scale);
        data[weight] = { shape: [inputs, units], values };
        data[bias] = { shape: [units], values: new Float32Array(units) };
      }
      return data;
    }
    case "matmul": {
      const { size } = task;
      return {
        a: { shape: [size, size], values: uniform(1, size * size) },
        b: { shape: [size, size], values: uniform(2, size * size) },
      };
    }
    case "cnn":
    case "gpt":
    case "gru":
    case "head":
      return networkData(task);
    default:
      return task satisfies never;
  }
}

/** The points, and the weights of so many networks, [count, ...] where there are more than one: the first has the seed program's own. */
function moonsData(count: number): Data {
  const points = moons(200, { noise: 0.2, seed: 0 });
  const each = Array.from({ length: count }, (_, seed) => {
    const random = randomState(seed);
    const scaled = (n: number, by: number) => Float32Array.from(random.randn(n), (value) => value / by);
    return { W1: scaled(6, Math.sqrt(2)), W2: scaled(6, Math.sqrt(3)) };
  });
  const joined = (name: "W1" | "W2") => Float32Array.from(each.flatMap((weights) => [...weights[name]]));
  const many = count > 1 ? [count] : [];
  return {
    X: { shape: [200, 2], values: points.x },
    y: { shape: [200], values: points.y },
    W1: { shape: [...many, 2, 3], values: joined("W1") },
    b1: { shape: [...many, 1, 3], values: new Float32Array(3 * count) },
    W2: { shape: [...many, 3, 2], values: joined("W2") },
    b2: { shape: [...many, 1, 2], values: new Float32Array(2 * count) },
  };
}

type TwoLayer = Extract<Task, { kind: "two-layer" }>;

/** The seed program's own numbers at its own sizes; quicker ones, scaled for their width, at others. */
function twoLayerData({ batch, inputs, hidden, outputs, rate }: TwoLayer): Data {
  const seed = isSeed000({ kind: "two-layer", batch, inputs, hidden, outputs, rate });
  const random = randomState(0);
  let stream = 3;
  const draw = (rows: number, columns: number, scale: number): Array2 => {
    const n = rows * columns;
    const values = seed ? Float32Array.from(random.randn(n)) : uniform(stream++, n).map((value) => value * scale);
    return { shape: [rows, columns], values };
  };
  return {
    x: draw(batch, inputs, 1),
    y: draw(batch, outputs, 1),
    w1: draw(inputs, hidden, Math.sqrt(3 / inputs)),
    w2: draw(hidden, outputs, Math.sqrt(3 / hidden)),
  };
}

function isSeed000({ batch, inputs, hidden, outputs }: TwoLayer): boolean {
  return batch === 64 && inputs === 1000 && hidden === 100 && outputs === 10;
}

/** The arithmetic that the formulas of one step ask for in products; the rest is small beside it. */
export function flopsOf(task: Task): number {
  switch (task.kind) {
    case "two-layer":
      // Forward and the weights' gradients of both layers, and the hidden gradient.
      return 2 * task.batch * task.hidden * (2 * task.inputs + 3 * task.outputs);
    case "moons":
      return 200 * (2 * (2 * 6 + 3 * 6) + 3 * 8 + 2 * 10);
    case "many-moons":
      return task.count * flopsOf({ kind: "moons" });
    case "classifier":
      return classifierLayers().reduce(
        (sum, { inputs, units }, layer) => sum + 2 * task.batch * inputs * units * (layer === 0 ? 2 : 3),
        0,
      );
    case "matmul":
      return 2 * task.size ** 3;
    case "cnn":
    case "gpt":
    case "gru":
    case "head":
      return networkFlops(task);
    default:
      return task satisfies never;
  }
}

/** Bytes that one step cannot do without: each input read once, each weight and moment read and written once. */
export function leastBytesOf(task: Task): number {
  switch (task.kind) {
    case "two-layer": {
      const { batch, inputs, hidden, outputs } = task;
      return 4 * (batch * (inputs + outputs) + 2 * hidden * (inputs + outputs));
    }
    case "moons":
      return 4 * (200 * 3 + 2 * 17);
    case "many-moons":
      return 4 * (200 * 3 + task.count * 2 * 17);
    case "classifier": {
      const parameters = classifierLayers().reduce((sum, { inputs, units }) => sum + (inputs + 1) * units, 0);
      return 4 * (task.batch * (classifierSizes[0] + 1) + 6 * parameters);
    }
    case "matmul":
      return 4 * 3 * task.size ** 2;
    case "cnn":
    case "gpt":
    case "gru":
    case "head":
      return networkBytes(task);
    default:
      return task satisfies never;
  }
}
