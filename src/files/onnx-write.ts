import { ShapeError } from "../util/errors";
import { formatShape } from "../util/shape";
import { quoted } from "./json";
import type { OnnxNodes } from "./nodes";
import { ACTIVATIONS, Graph } from "./onnx-graph";
import { encodeModel, type OnnxTensor } from "./onnx-messages";

/** A layer as `dense` and `dropout` make it, with the same defaults; dropout is off in a trained network. */
export type OnnxLayer =
  | {
      readonly name: "dense";
      readonly units: number;
      /** Default "linear". */
      readonly activation?: "linear" | "relu" | "tanh" | "sigmoid" | "gelu" | "silu" | "softplus" | "elu" | "leakyRelu";
      /** Default true. */
      readonly bias?: boolean;
    }
  | { readonly name: "dropout" };

/** A network of layers, each fed by the one before: what `sequential` makes, or plain data. */
export interface OnnxModel {
  /** Numbers in a row of x. */
  readonly inputs: number;
  /** Of plain data: `OnnxLayer`. */
  readonly layers: readonly (OnnxLayer | { readonly name: string })[];
}

/** A model of `sequential`: its layers tell of themselves. */
interface Network {
  readonly inputShape: readonly number[];
  readonly outputShape: readonly number[];
  readonly vocabulary: number | null;
  readonly held: Readonly<Record<string, { readonly shape: readonly number[] }>>;
  onnx(to: OnnxNodes, x: string, own: (name: string) => string): string;
}

/** A number for each column: its mean, and its standard deviation, which is above 0. */
export interface OnnxColumns {
  readonly mean: ArrayLike<number>;
  readonly deviation: ArrayLike<number>;
}

/** What `writeOnnx` puts into the file around the network. */
export interface OnnxOptions {
  /**
   * What each of the `inputs` columns of x was standardised by before the network was trained on it. The file then takes
   * rows as they were before: its first nodes are (x - mean) / deviation. Left out: rows as the network was given them.
   */
  standardize?: OnnxColumns;
  /**
   * What each of the outputs' targets was standardised by. The file then gives numbers as they were before: its last
   * nodes are y * deviation + mean. Not together with `probabilities`.
   */
  restore?: OnnxColumns;
  /**
   * Makes probabilities of the last layer's outputs, as `predict` does: "softmax" for a network trained with
   * softmaxCrossEntropy, "sigmoid" with binaryCrossEntropy. Left out: the outputs as they are.
   */
  probabilities?: "softmax" | "sigmoid";
  /** The graph's name; default "network". */
  name?: string;
}

const PROBABILITIES = { softmax: "Softmax", sigmoid: "Sigmoid" } as const;
/** A protobuf message may not be longer: its readers count in int32. */
const MAX_BYTES = 2 ** 31 - 1;

/**
 * Writes a trained network as an ONNX file: "input" float32 [batch, inputs] -> "output" float32 [batch, outputs], the
 * batch of any size. x is as the network was trained on it, or as it was before that with `standardize`. A dense layer is a Gemm and its activation; operator set 13, IR version 7, which runtimes since
 * 2021 read. `weights` are as `Trainer.weights` gives them: by the names of `Model.parameters`, a weight
 * [inputs, units], a bias [units]; the file's initializers keep these names.
 *
 * Throws TypeError for what is no network, ShapeError for weights that are missing, unknown or of another length and
 * for means and deviations that are not one a column, and RangeError for numbers that are not finite in float32, a
 * deviation that is not above 0 there and a file past 2 GiB. Source: ONNX, Operators.md and IR.md.
 */
export function writeOnnx(
  model: OnnxModel,
  weights: Readonly<Record<string, ArrayLike<number>>>,
  options: OnnxOptions = {},
): Uint8Array<ArrayBuffer> {
  const { probabilities, standardize, restore, name = "network" } = options;
  if (probabilities !== undefined && !Object.hasOwn(PROBABILITIES, probabilities)) {
    throw new TypeError(
      `writeOnnx: probabilities is ${quoted(probabilities)}; it must be "softmax", "sigmoid" or left out.`,
    );
  }
  if (probabilities !== undefined && restore !== undefined) {
    throw new TypeError(
      "writeOnnx: restore is for numbers, and probabilities are none; one of the two must be left out.",
    );
  }
  if (typeof name !== "string" || name === "") {
    throw new TypeError(`writeOnnx: name is ${quoted(name)}; it must be a string, not empty.`);
  }
  const network = isNetwork(model) ? model : plain(model);
  const { inputShape, outputShape, vocabulary, held } = network;
  const graph = new Graph();
  const named = (tensor: OnnxTensor) => {
    graph.tensors.push(tensor);
    return tensor.name;
  };
  let last = "input";
  if (standardize !== undefined) {
    if (inputShape.length !== 1 || vocabulary !== null)
      throw new TypeError(
        `writeOnnx: standardize is for rows of columns; the network takes ${formatShape(inputShape)}.`,
      );
    const [mean, rest, deviation] = columns("standardize", standardize, inputShape[0] as number).map(named) as Named;
    for (const part of [mean, rest]) last = graph.node("Sub", [last, part]);
    last = graph.node("Div", [last, deviation]);
  }
  const before = graph.nodes.length;
  last = network.onnx(graph, last, (key) => {
    const shape = held[key]?.shape;
    if (shape === undefined) throw new Error(`internal: a layer asks for "${key}", which the network has not`);
    return named(take(weights, key, shape));
  });
  if (graph.nodes.length === before)
    throw new TypeError(
      "writeOnnx: none of the layers is dense; at least one must be, or another that makes something.",
    );
  const unknown = Object.keys(weights).find((key) => !Object.hasOwn(held, key));
  if (unknown !== undefined) {
    throw new ShapeError(
      `writeOnnx: there are weights ${quoted(unknown)}, which the network has not; its are ${Object.keys(held).join(", ")}.`,
    );
  }
  if (probabilities !== undefined) last = graph.node(PROBABILITIES[probabilities], [last]);
  if (restore !== undefined) {
    if (outputShape.length !== 1)
      throw new TypeError(`writeOnnx: restore is for rows of columns; the network gives ${formatShape(outputShape)}.`);
    const [mean, rest, deviation] = columns("restore", restore, outputShape[0] as number).map(named) as Named;
    last = graph.node("Mul", [last, deviation]);
    for (const part of [rest, mean]) last = graph.node("Add", [last, part]);
  }
  graph.end(last, "output");
  const { nodes, tensors, operatorSet } = graph;
  const sizeBytes = tensors.reduce(
    (sum, tensor) => sum + ("encoded" in tensor ? tensor.encoded : tensor.values).byteLength + tensor.name.length + 64,
    4096,
  );
  if (sizeBytes > MAX_BYTES) {
    throw new RangeError(`writeOnnx: the file would have ${sizeBytes} bytes; at most ${MAX_BYTES} are allowed.`);
  }
  return encodeModel({
    name,
    nodes,
    tensors,
    input: { name: "input", shape: inputShape, type: vocabulary === null ? "float32" : "int32" },
    output: { name: "output", shape: outputShape, type: "float32" },
    operatorSet,
  });
}

type Named = [string, string, string];

function isNetwork(model: object): model is Network {
  return typeof (model as Partial<Network> | null)?.onnx === "function";
}

/** Layers that are plain data as a network. */
function plain(model: OnnxModel): Network {
  if (typeof model !== "object" || model === null || !Array.isArray(model.layers)) {
    throw new TypeError("writeOnnx: the model must be an object with inputs and layers, as sequential makes it.");
  }
  checkCount("inputs", model.inputs);
  const held: Record<string, { shape: readonly number[] }> = {};
  const steps: Network["onnx"][] = [];
  let width = model.inputs;
  // The number of a layer is that of its first module in the PyTorch Sequential, where an activation is one of its own.
  let index = 0;
  for (const layer of model.layers as readonly OnnxLayer[]) {
    if (layer.name === "dense") {
      const { units, activation = "linear", bias = true } = layer;
      checkCount(`units of layer ${index}`, units);
      if (!ACTIVATIONS.includes(activation)) {
        throw new TypeError(
          `writeOnnx: activation of layer ${index} is ${quoted(activation)}; it must be one of ${ACTIVATIONS.join(", ")}.`,
        );
      }
      const names = [`${index}.weight`, `${index}.bias`] as const;
      held[names[0]] = { shape: [width, units] };
      if (bias) held[names[1]] = { shape: [units] };
      steps.push((to, x, own) =>
        to.activation(activation, to.linear(x, own(names[0]), bias ? own(names[1]) : null, 1)),
      );
      index += activation === "linear" ? 1 : 2;
      width = units;
    } else if (layer.name === "dropout") {
      index++;
    } else {
      layer satisfies never;
      throw new TypeError(`writeOnnx: layer ${index} is ${quoted(layer)}; it must be dense or dropout.`);
    }
  }
  return {
    inputShape: [model.inputs],
    outputShape: [width],
    vocabulary: null,
    held,
    onnx: (to, x, own) => steps.reduce((last, step) => step(to, last, own), x),
  };
}

/**
 * The initializers of columns that are standardised. What float32 leaves of a mean has one of its own: beside a small
 * deviation it is not small.
 */
function columns(option: string, given: OnnxColumns, length: number): [OnnxTensor, OnnxTensor, OnnxTensor] {
  if (typeof given !== "object" || given === null) {
    throw new TypeError(`writeOnnx: ${option} is ${quoted(given)}; it must be { mean, deviation }.`);
  }
  const tensor = (part: "mean" | "deviation") => {
    const name = `${option}.${part}`;
    const found = given[part]?.length;
    if (found !== length) {
      throw new ShapeError(`writeOnnx: ${name} has ${found ?? "no"} values; it must have one a column, ${length}.`);
    }
    const values = Float32Array.from(given[part]);
    const at = values.findIndex((value) => !Number.isFinite(value) || (part === "deviation" && !(value > 0)));
    if (at !== -1) {
      const wanted = part === "mean" ? "finite" : "finite and above 0";
      throw new RangeError(
        `writeOnnx: ${name}: value ${at} is ${String(given[part][at])}; it must be ${wanted} in float32.`,
      );
    }
    return { name, shape: [length], values };
  };
  const [mean, deviation] = [tensor("mean"), tensor("deviation")];
  const rest = mean.values.map((value, at) => (given.mean[at] as number) - value);
  return [mean, { name: `${option}.rest`, shape: [length], values: rest }, deviation];
}

function take(
  weights: Readonly<Record<string, ArrayLike<number>>>,
  name: string,
  shape: readonly number[],
): OnnxTensor {
  const given = Object.hasOwn(weights, name) ? weights[name] : undefined;
  const length = shape.reduce((size, axis) => size * axis, 1);
  if (given?.length !== length) {
    const found = given === undefined ? "are missing" : `have ${given.length} values`;
    throw new ShapeError(`writeOnnx: weights "${name}" ${found}; shape ${formatShape(shape)} has ${length}.`);
  }
  const values = Float32Array.from(given);
  const at = values.findIndex((value) => !Number.isFinite(value));
  if (at !== -1) {
    throw new RangeError(
      `writeOnnx: weights "${name}": value ${at} is ${String(given[at])}; it must be finite in float32.`,
    );
  }
  return { name, shape, values };
}

function checkCount(name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new TypeError(`writeOnnx: ${name} is ${String(value)}; it must be an integer of at least 1.`);
  }
}
