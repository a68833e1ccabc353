import { type DecodedGraph, type DecodedNode, type DecodedTensor, decodeModel } from "../files/onnx-decode";
import { type Model, Sequential } from "../nn/model";
import { checkFile, checkOptions, shown } from "../util/checks";
import { FormatError } from "../util/errors";
import { formatShape, type Shape } from "../util/shape";
import { toldOf } from "./call";
import { OnnxNetwork } from "./network";
import { isKnown } from "./operators/index";

/** Which part of a file `readOnnx` takes, and of what shape its examples are. */
export interface ReadOnnxOptions {
  /**
   * A parameter, or the beginning of the names of some: the network ends before the first node that takes one of them, "classifier" or "fc"
   * before the head of most of torchvision's. What is behind is left out, its parameters too.
   */
  before?: string;
  /** The value of the file's graph that the network gives; default the graph's first output. */
  output?: string;
  /** An example's shape, for a file that leaves lengths besides the first axis open. */
  inputShape?: readonly number[];
}

/**
 * A network of another tool as a model of ours, to predict with or to train on; what PyTorch's `torch.onnx.export` writes of a network in
 * eval(). The first axis of its input is that of rows, whatever number the file has for it. Parameters are the file's float initializers
 * that have an axis, by their names ("features.0.weight") and in their layouts, their first values those of the file; what should stay as
 * it is belongs into a trainer's `frozen`. The running mean and variance of a BatchNormalization are the model's state: predict and
 * evaluate normalise by them, training by its batches, moving them, as PyTorch's train() does, save where they are frozen. A Dropout that is
 * left in the file drops in training. Exporters that fold a BatchNormalization into the convolution before it
 * leave none to train; torch.onnx.TrainingMode.PRESERVE keeps it.
 *
 * Given to `sequential` as a layer, it is a backbone with a head of your own: `sequential(backbone.inputShape, [backbone, dense(3)])`,
 * where its parameters are "0.features.0.weight", … and `frozen: ["0"]` keeps all of it.
 *
 * Throws FormatError for what is no ONNX file, and with the node and operator for what is not known; RangeError for options that name
 * nothing in the file. Source: ONNX, Operators.md and IR.md.
 */
export function readOnnx(file: Uint8Array, options: ReadOnnxOptions = {}): Model {
  checkFile("readOnnx", file);
  checkOptions("readOnnx", options, ["before", "output", "inputShape"]);
  const { graph: whole, opset } = decodeModel(file);
  const graph = apart(whole);
  const output = outputOf(graph, options);
  const nodes = needed(graph.nodes, output);
  const unknown = nodes.filter((node) => !isKnown(node));
  if (unknown[0] !== undefined) {
    const others = [...new Set(unknown.map(({ op }) => op))].slice(1);
    throw new FormatError(
      `onnx: ${toldOf(unknown[0])} of operator set ${opset} is not known here${others.length > 0 ? `, nor are ${others.join(", ")}` : ""}.`,
    );
  }
  const used = new Set(nodes.flatMap(({ inputs }) => inputs).concat(output));
  const inputs = graph.inputs.filter(({ name }) => used.has(name));
  const [fed] = inputs;
  if (fed === undefined || inputs.length > 1) {
    const names = inputs.map(({ name }) => `"${name}"`).join(", ");
    throw new FormatError(`onnx: the network takes ${names || "nothing"}; a model has one input.`);
  }
  if (fed.type === null) throw new FormatError(`onnx: the input "${fed.name}" is of a type that is not known.`);
  const example = exampleOf(fed.name, fed.shape, options.inputShape);
  const network = new OnnxNetwork({
    name: graph.name || "onnx",
    opset,
    nodes,
    initializers: new Map([...graph.initializers].filter(([name]) => used.has(name))),
    input: fed.name,
    output,
    example,
    written: fed.shape?.[0] ?? null,
    vocabulary: fed.type === "float" ? null : vocabularyOf(graph, fed.name),
  });
  return new Sequential(example, [network], 0, network);
}

/**
 * PyTorch keeps one of several initializers that are equal, such as the scales of new normalisations, and makes Identities of the others:
 * here each is one of its own again.
 */
function apart(graph: DecodedGraph): DecodedGraph {
  const initializers = new Map(graph.initializers);
  const nodes = graph.nodes.filter(({ op, inputs: [of = ""], outputs: [name = ""] }) => {
    const same = op === "Identity" ? initializers.get(of) : undefined;
    if (same === undefined || same.type === "integer") return true;
    initializers.set(name, { ...same, name });
    return false;
  });
  return { ...graph, nodes, initializers };
}

/** The nodes that a value is made by, in their order. */
function needed(nodes: readonly DecodedNode[], output: string): DecodedNode[] {
  const wanted = new Set([output]);
  const kept: DecodedNode[] = [];
  for (const node of [...nodes].reverse()) {
    if (!node.outputs.some((name) => wanted.has(name))) continue;
    for (const name of node.inputs) if (name !== "") wanted.add(name);
    kept.push(node);
  }
  return kept.reverse();
}

function outputOf(graph: DecodedGraph, { before, output }: ReadOnnxOptions): string {
  if (before !== undefined && output !== undefined)
    throw new TypeError(
      "readOnnx: before and output both say where the network ends; one of the two must be left out.",
    );
  if (before !== undefined) return endBefore(graph, before);
  if (output === undefined) {
    const [first] = graph.outputs;
    if (first === undefined) throw new FormatError("onnx: the graph has no output.");
    return first;
  }
  const made = graph.nodes.flatMap(({ outputs }) => outputs);
  if (made.includes(output)) return output;
  throw new RangeError(`readOnnx: output is ${shown(output)}, which no node makes; the values are ${made.join(", ")}.`);
}

/** The value that goes into the first node that takes a parameter of this name, or under it. */
function endBefore(graph: DecodedGraph, before: string): string {
  const beginning = before.endsWith(".") ? before : `${before}.`;
  const fed = new Set(graph.inputs.map(({ name }) => name));
  // Parameters, and what is made of them alone.
  const own = new Set([...graph.initializers.keys()].filter((name) => name === before || name.startsWith(beginning)));
  for (const { inputs, outputs } of graph.nodes) {
    const [x] = inputs.filter((name) => fed.has(name));
    const takes = inputs.some((name) => own.has(name));
    if (takes && x !== undefined) return x;
    if (x !== undefined) for (const name of outputs) fed.add(name);
    else if (takes) for (const name of outputs) own.add(name);
  }
  throw new RangeError(
    `readOnnx: before is ${shown(before)}, which is no parameter or beginning of one; they are ${[...graph.initializers.keys()].join(", ")}.`,
  );
}

function exampleOf(name: string, shape: readonly (number | null)[] | null, given: Shape | undefined): Shape {
  const positive = (each: unknown) => Number.isSafeInteger(each) && (each as number) >= 1;
  if (given !== undefined) {
    if (!Array.isArray(given) || given.length === 0 || !given.every(positive))
      throw new RangeError(`readOnnx: inputShape is ${shown(given)}; it must be the lengths of an example's axes.`);
    const fits =
      shape === null ||
      (shape.length === given.length + 1 && given.every((each, i) => (shape[i + 1] ?? each) === each));
    if (fits) return [...given];
    throw new RangeError(
      `readOnnx: inputShape is ${formatShape(given)}; the file's "${name}" is [${shape.map((each) => each ?? "?").join(", ")}], rows first.`,
    );
  }
  const example = shape?.slice(1) ?? [];
  if (example.length > 0 && example.every(positive)) return example as number[];
  const told = shape === null ? "of any shape" : `[${shape.map((each) => each ?? "?").join(", ")}]`;
  throw new FormatError(
    `onnx: the input "${name}" is ${told}; it must be rows of examples. Where their lengths are open, give inputShape.`,
  );
}

/** How many tokens there are: as many as rows of the table that they are looked up in. */
function vocabularyOf({ nodes, initializers }: DecodedGraph, input: string): number {
  const tokens = new Set([input]);
  for (const { op, inputs, outputs, attributes } of nodes) {
    const [first = "", second = ""] = inputs;
    if (["Identity", "Cast"].includes(op) && tokens.has(first)) for (const name of outputs) tokens.add(name);
    const table: DecodedTensor | undefined =
      op === "Gather" && tokens.has(second) ? initializers.get(first) : undefined;
    if (table !== undefined) return table.shape[Number(attributes.get("axis") ?? 0)] ?? 1;
  }
  // What float32 holds exactly, which data of a network are.
  return 2 ** 24;
}
