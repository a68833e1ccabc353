import type { OnnxNodes } from "../files/nodes";
import type { DecodedNode, DecodedTensor } from "../files/onnx-decode";
import { input, parameter, type Tensor } from "../graph/tensor";
import { type Held, type Line, Part, type Pass } from "../nn/layers/layer";
import { FormatError, ShapeError } from "../util/errors";
import { formatShape, type Shape, sameShape, sizeOf } from "../util/shape";
import { known, OnnxValue } from "./call";
import { apply } from "./operators/index";

/** The part of a file's graph that makes one of its values of one input. */
export interface Read {
  readonly name: string;
  readonly opset: number;
  /** In their order; each is known. */
  readonly nodes: readonly DecodedNode[];
  readonly initializers: ReadonlyMap<string, DecodedTensor>;
  readonly input: string;
  readonly output: string;
  readonly example: Shape;
  /** For how many rows the file was written, where it says a number. */
  readonly written: number | null;
  readonly vocabulary: number | null;
}

/** In a trial of the graph. */
const ROWS = 2;
/** Operator sets in which the nodes of the layers that stand beside it mean the same. */
const [LEAST_SET, MOST_SET] = [13, 17];
const PROBABILITIES: Readonly<Record<string, string>> = { Softmax: "softmax", Sigmoid: "sigmoid" };
const PASSING = ["Identity", "Flatten", "Reshape", "Squeeze"];

/**
 * A graph of ONNX as a layer. What it holds are the float initializers: those that a BatchNormalization normalises by are state, those
 * that are asked for as numbers (the factors of a Resize) and those without axes are constants, and the others parameters.
 */
export class OnnxNetwork extends Part {
  static override readonly name = "Layer";
  readonly name: string;
  readonly #read: Read;
  readonly #held: Record<string, Held> = {};
  readonly #constants = new Map<string, OnnxValue>();
  readonly #lines: Line[] = [];
  readonly #outputs: Shape;
  #widest = 0;
  #leastRows = 1;
  /** Whether the file has a number of rows in its shapes. */
  #fixed = false;

  constructor(read: Read) {
    super();
    this.name = read.name;
    this.#read = read;
    const asked = this.#constantsOf();
    const running = statisticsOf(read.nodes);
    for (const [name, tensor] of read.initializers) {
      const { shape, values, type } = tensor;
      if (asked.has(name)) this.#constants.set(name, known(values, shape, type));
      else {
        const at = values.findIndex((value) => !Number.isFinite(Math.fround(value)));
        if (at >= 0)
          throw new FormatError(
            `onnx: the initializer "${name}" has ${values[at]} at index ${at}; it must be finite in float32.`,
          );
        this.#held[name] = { shape, first: () => values, state: running.has(name) };
      }
    }
    const made = this.#run(input([ROWS, ...read.example], read.vocabulary === null ? "float32" : "int32"), null, {
      node: (node, values) => this.#noteOf(node, values),
    });
    this.#outputs = this.#checked(made, ROWS).shape.slice(1);
  }

  /** Names of initializers that stay as they are: a trial run tells which are asked for as numbers. */
  #constantsOf(): ReadonlySet<string> {
    const { initializers, example, vocabulary } = this.#read;
    const asked = new Set<string>();
    for (const [name, { shape, type }] of initializers) {
      if (type === "integer" || shape.length === 0 || sizeOf(shape) === 0) asked.add(name);
    }
    const x = input([ROWS, ...example], vocabulary === null ? "float32" : "int32");
    this.#run(x, null, {
      initializer: (name, { shape, values, type }) => {
        if (asked.has(name)) return known(values, shape, type);
        const ask = () => {
          asked.add(name);
          return values;
        };
        return new OnnxValue(parameter(shape), ask, name);
      },
    });
    return asked;
  }

  /** The value of the graph's output for x [rows, ...example]. */
  #run(
    x: Tensor,
    held: Readonly<Record<string, Tensor>> | null,
    how: {
      pass?: Pass;
      initializer?(name: string, tensor: DecodedTensor): OnnxValue;
      node?(node: DecodedNode, values: readonly OnnxValue[]): void;
    },
  ): Tensor {
    const { nodes, initializers, opset, written, input: fed, output } = this.#read;
    const values = new Map<string, OnnxValue | null>([["", null]]);
    for (const [name, tensor] of initializers) {
      const own = this.#held[name];
      values.set(
        name,
        how.initializer?.(name, tensor) ??
          this.#constants.get(name) ??
          new OnnxValue(held?.[name] ?? parameter(own?.shape ?? []), null, name),
      );
    }
    values.set(fed, new OnnxValue(x, null));
    const rows = { given: x.shape[0] as number, written, replaced: false };
    const context = { opset, rows, ...(how.pass && { pass: how.pass }) };
    for (const node of nodes) {
      const made = apply(
        node,
        node.inputs.map((name) => values.get(name) ?? null),
        context,
      );
      node.outputs.forEach((name, i) => {
        if (name !== "") values.set(name, made[i] ?? null);
      });
      how.node?.(node, made);
    }
    this.#fixed ||= rows.replaced;
    const result = values.get(output);
    if (!result) throw new FormatError(`onnx: "${output}" is not made by any node.`);
    return result.tensor.toFloat32();
  }

  #checked(made: Tensor, rows: number): Tensor {
    if (made.shape[0] === rows) return made;
    const { output, written } = this.#read;
    throw new FormatError(
      `onnx: "${output}" is ${formatShape(made.shape)} for ${rows} rows; it must have a row for each. ${
        written === null ? "The first axis must be that of rows." : "Export the file with a dynamic first axis."
      }`,
    );
  }

  #noteOf(node: DecodedNode, values: readonly OnnxValue[]): void {
    const made = values.filter((value) => !value.knowable);
    for (const { tensor } of made) this.#widest = Math.max(this.#widest, Math.ceil(sizeOf(tensor.shape) / ROWS));
    const outputs = values[0]?.tensor.shape.slice(1) ?? [];
    if (node.op === "BatchNormalization" && sizeOf(outputs.slice(1)) === 1) this.#leastRows = 2;
    const own = node.inputs.filter((name) => this.#held[name] !== undefined && !this.#held[name]?.state);
    const [first] = own;
    if (first === undefined) return;
    const parameters = own.reduce((sum, name) => sum + sizeOf(this.#held[name]?.shape ?? []), 0);
    const name = first.includes(".") ? first.slice(0, first.lastIndexOf(".")) : first;
    this.#lines.push({ name, told: node.op, outputs, parameters });
  }

  override get told(): string {
    return `${this.name}, ${this.#read.nodes.length} nodes of ONNX`;
  }

  override get vocabulary(): number | null {
    return this.#read.vocabulary;
  }

  override get squashes(): string | null {
    const { nodes, output } = this.#read;
    let at: string | undefined = output;
    for (;;) {
      const node: DecodedNode | undefined = nodes.find(({ outputs }) => at !== undefined && outputs.includes(at));
      if (node === undefined || !PASSING.includes(node.op)) return PROBABILITIES[node?.op ?? ""] ?? null;
      at = node.inputs[0];
    }
  }

  override output(inputs: Shape): Shape {
    const { example } = this.#read;
    if (sameShape(inputs, example)) return this.#outputs;
    throw new ShapeError(
      `${this.name} takes ${formatShape(example)}, as its file says, and is given ${formatShape(inputs)}.`,
    );
  }

  override held(_inputs: Shape): Record<string, Held> {
    return this.#held;
  }

  override widest(_inputs: Shape): number {
    return this.#widest;
  }

  override leastRows(_inputs: Shape): number {
    return this.#leastRows;
  }

  override lines(): Line[] {
    return this.#lines;
  }

  apply(x: Tensor, held: Record<string, Tensor>, pass: Pass): Tensor {
    return this.#checked(this.#run(x, held, { pass }), x.shape[0] as number);
  }

  pytorch(): never {
    throw new TypeError(
      `writePyTorch: ${this.name} was read from an ONNX file; the module that it was exported from is PyTorch's own: load_state_dict what save() gives there.`,
    );
  }

  /** The nodes as the file has them, with the weights as they are now. */
  onnx(to: OnnxNodes, x: string, own: (name: string) => string): string {
    const { nodes, initializers, input: fed, output, opset } = this.#read;
    if (opset < LEAST_SET || opset > MOST_SET)
      throw new TypeError(
        `writeOnnx: ${this.name} was read from a file of operator set ${opset}; files of ${LEAST_SET} to ${MOST_SET} are written.`,
      );
    if (this.#fixed)
      throw new TypeError(
        `writeOnnx: ${this.name} was read from a file for ${this.#read.written} rows at a time; export that with a dynamic first axis.`,
      );
    to.needs(opset);
    const names = new Map([
      ["", ""],
      [fed, x],
    ]);
    for (const [name, { encoded }] of initializers)
      names.set(name, this.#held[name] === undefined ? to.copied(name, encoded) : own(name));
    const named = (name: string) => {
      const found = names.get(name);
      if (found === undefined) throw new Error(`internal: "${name}" is taken before it is made`);
      return found;
    };
    for (const { op, inputs, outputs, encoded } of nodes) {
      const made = to.copy(op, inputs.map(named), outputs, encoded);
      outputs.forEach((name, i) => {
        names.set(name, made[i] as string);
      });
    }
    return named(output);
  }
}

/** Names of what BatchNormalizations normalise by, each used once. */
function statisticsOf(nodes: readonly DecodedNode[]): ReadonlySet<string> {
  const uses = new Map<string, number>();
  for (const name of nodes.flatMap(({ inputs }) => inputs)) uses.set(name, (uses.get(name) ?? 0) + 1);
  const norms = nodes.filter(({ op }) => op === "BatchNormalization");
  return new Set(norms.flatMap(({ inputs }) => inputs.slice(3, 5)).filter((name) => uses.get(name) === 1));
}
