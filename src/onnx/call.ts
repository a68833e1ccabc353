import { reference } from "../cpu/reference";
import type { Attribute, DecodedNode, DecodedTensor } from "../files/onnx-decode";
import { constant, type Tensor } from "../graph/tensor";
import type { Pass } from "../nn/layers/layer";
import { FormatError } from "../util/errors";
import { sizeOf } from "../util/shape";

/**
 * A value of an ONNX graph: a tensor, and its numbers where they are known before anything runs. Shapes, axes and the like must be: what
 * files compute of them is computed here, while the graph is built, and only when an operator asks.
 */
export class OnnxValue {
  #numbers: ArrayLike<number> | null | (() => ArrayLike<number> | null);

  constructor(
    readonly tensor: Tensor,
    numbers: ArrayLike<number> | null | (() => ArrayLike<number> | null),
    /** In the file, of an initializer. */
    readonly name: string | null = null,
  ) {
    this.#numbers = numbers;
  }

  get numbers(): ArrayLike<number> | null {
    if (typeof this.#numbers === "function") this.#numbers = this.#numbers();
    return this.#numbers;
  }

  /** Whether its numbers may be known; to ask for them may cost a computation. */
  get knowable(): boolean {
    return this.#numbers !== null;
  }

  /** Whether it has no elements, which no tensor can say. */
  get empty(): boolean {
    return typeof this.#numbers === "object" && this.#numbers?.length === 0;
  }
}

/** A tensor has one element at least; of what is empty only the numbers, none, are true. */
export function known(values: ArrayLike<number>, shape: readonly number[], type: DecodedTensor["type"]): OnnxValue {
  const tensor = sizeOf(shape) === 0 ? constant([0], [1]) : constant(values, shape);
  return new OnnxValue(type === "integer" ? tensor.toInt32() : tensor, values);
}

/** The numbers of a tensor made of constants alone. */
export function evaluated(tensor: Tensor): ArrayLike<number> {
  const { value } = reference({ inputs: {}, parameters: {}, outputs: { value: tensor.toFloat32() } }).run({});
  return value as Float64Array;
}

export interface Rows {
  readonly given: number;
  readonly written: number | null;
  /** Whether that number has been taken for the rows somewhere. */
  replaced: boolean;
}

/** What an operator is given. */
export class Call {
  constructor(
    readonly node: DecodedNode,
    private readonly inputs: readonly (OnnxValue | null)[],
    readonly opset: number,
    /** Of a network that may be in training; null where the file is taken as it stands. */
    readonly pass: Pass | null = null,
    /** How many rows there are, and for how many the file was written, where it says a number. */
    private readonly rows: Rows | null = null,
  ) {}

  /** How many inputs there are, left-out ones at the end not counted. */
  get count(): number {
    return this.inputs.length;
  }
  has(i: number): boolean {
    return (this.inputs[i] ?? null) !== null;
  }
  value(i = 0): OnnxValue {
    return this.inputs[i] ?? this.refuse(`its input ${i} is missing`);
  }
  x(i = 0): Tensor {
    return this.value(i).tensor;
  }
  /** As float32: comparisons and conditions are 0 and 1 there. */
  float(i = 0): Tensor {
    return this.x(i).toFloat32();
  }
  values(): OnnxValue[] {
    return this.inputs.map((_, i) => this.value(i));
  }
  all(): Tensor[] {
    return this.inputs.map((_, i) => this.x(i));
  }
  /** The numbers of an input that must be known here; null where it is left out. */
  numbers(i: number): number[] | null {
    const value = this.inputs[i] ?? null;
    if (value === null) return null;
    const numbers =
      value.numbers ??
      this.refuse(`its input ${i} is computed of what is fed; it must be a constant of the file, or made of shapes`);
    return Array.from(numbers);
  }
  number(name: string, otherwise: number): number {
    const value = this.node.attributes.get(name);
    return typeof value === "number" ? value : otherwise;
  }
  text(name: string, otherwise: string): string {
    const value = this.node.attributes.get(name);
    return typeof value === "string" ? value : otherwise;
  }
  list(name: string): number[] | null {
    const value = this.node.attributes.get(name);
    return Array.isArray(value) && value.every((each) => typeof each === "number") ? value : null;
  }
  attribute(name: string): Attribute | undefined {
    return this.node.attributes.get(name);
  }
  /** An axis list that is an attribute in older operator sets, and an input in newer ones. */
  axes(name: string, input: number): number[] | null {
    return this.list(name) ?? this.numbers(input);
  }
  /**
   * A shape that the file has as numbers, for as many rows as there are. Files that were written for a fixed number have it in there too:
   * it is the first of what does not fit otherwise.
   */
  forRows(shape: number[], size: number): number[] {
    const { rows } = this;
    if (rows === null || shape[0] !== rows.written || shape.includes(-1) || sizeOf(shape) === size) return shape;
    const other = [rows.given, ...shape.slice(1)];
    if (sizeOf(other) !== size) return shape;
    rows.replaced = true;
    return other;
  }
  refuse(why: string): never {
    throw new FormatError(`onnx: ${toldOf(this.node)}: ${why}`);
  }
}

/** A node as messages name it: its operator, its domain where that is not ONNX's own, and its name. */
export function toldOf({ op, domain, name, outputs }: DecodedNode): string {
  return `${domain === "" || domain === "ai.onnx" ? "" : `${domain}.`}${op} "${name || outputs[0]}"`;
}

export type Operator = (call: Call) => Tensor | readonly (Tensor | OnnxValue)[];
export type Operators = Readonly<Record<string, Operator>>;

export const unary =
  (of: (x: Tensor) => Tensor): Operator =>
  (call) =>
    of(call.x());
export const binary =
  (of: (a: Tensor, b: Tensor) => Tensor): Operator =>
  (call) =>
    of(call.x(0), call.x(1));

/** A negative axis counts from the last. */
export function placeOf(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}

/** One number a channel beside x [N, C, ...]. */
export function perChannel(values: Tensor, x: Tensor): Tensor {
  return values.reshape([-1, ...x.shape.slice(2).map(() => 1)]);
}
