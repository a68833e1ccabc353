import type { Tensor } from "../graph/tensor";
import type { Expression } from "./expression";

export interface MatrixOperand {
  readonly tensor: Tensor;
  /** Whether memory holds the transpose of what the product reads. */
  readonly transposed: boolean;
}

/** A reduction of all elements to one number, begun in one kernel as partial results and ended in another. */
export interface Partial {
  readonly node: Tensor;
  readonly op: "sum" | "max";
  readonly value: Tensor;
}

/** x [outer, rows, inner] with values [outer, count, inner] added to rows that indices, repeated to as many, name. */
export interface Scatter {
  readonly outer: number;
  readonly rows: number;
  readonly inner: number;
  readonly count: number;
  readonly x: Tensor;
  readonly indices: Tensor;
  readonly values: Tensor;
}

/** Nodes that one kernel computes. */
export interface Group {
  readonly kind: "matmul" | "rows" | "elementwise" | "combine" | "scatter";
  /** Points of the domain: elements of a product or of a chain; a combination has one. */
  readonly size: number;
  /** rows: the domain as [outer, length, inner], reduced along `length`. */
  readonly split: { readonly outer: number; readonly length: number; readonly inner: number } | null;
  readonly scatter?: Scatter;
  /** A product, or a scatter. */
  readonly root: Tensor | null;
  readonly a: MatrixOperand | null;
  readonly b: MatrixOperand | null;
  /** Everything computed here beside the root, operands first: elementwise nodes, copies of views, and a rows kernel's reductions. */
  readonly members: Tensor[];
  /** What this kernel begins. */
  readonly partials: Partial[];
  /** combine: what it ends. */
  readonly combines: Partial[];
  readonly index: number;
}

/** A product's operands and sizes. */
export function productOf({ root, a, b }: Group) {
  if (root === null || a === null || b === null) throw new Error("internal: a product without operands");
  const [M, N] = root.shape as readonly [number, number];
  const K = (root.operands[0] as Tensor).shape[1] as number;
  return { root, a, b, M, N, K, transposed: { a: a.transposed, b: b.transposed } };
}

/** What a scatter's kernel is made of, and its root, in whose memory it adds up. */
export function scatterOf({ root, scatter }: Group): Scatter & { readonly root: Tensor } {
  if (root === null || scatter === undefined) throw new Error("internal: a scatter without operands");
  return { ...scatter, root };
}

/** What a scatter reads to begin with: x, indices and values; of another kernel nothing. */
export function scatteredBy({ scatter }: Group): readonly Tensor[] {
  return scatter ? [scatter.x, scatter.indices, scatter.values] : [];
}

export interface Fusion {
  readonly groups: readonly Group[];
  /** Scalars that nothing in the step waits for: combined once a submission, for all its steps. */
  readonly tail: Group | null;
  readonly home: ReadonlyMap<Tensor, Group>;
  /** Nodes that must be in memory after their kernel. */
  readonly stored: ReadonlySet<Tensor>;
  readonly definition: (group: Group, node: Tensor) => Expression;
  readonly expression: (group: Group, node: Tensor) => Expression;
}

export const MAX_MEMBERS = 192;

export interface FusionLimits {
  /** Different buffers that one kernel may read and, for the program's results, write. */
  readonly maxBuffers: number;
  /** Nodes that one kernel may compute, and twice the operations that may be done in place for one of them; by default MAX_MEMBERS. */
  readonly maxMembers?: number;
}

/** A parameter and its new value. */
export interface Update {
  readonly parameter: Tensor;
  readonly node: Tensor;
}
