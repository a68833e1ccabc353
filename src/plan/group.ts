import { contractionSizes, type FoldOp, rowOf } from "../graph/ops";
import type { Scan } from "../graph/scan-node";
import { Tensor } from "../graph/tensor";
import { type Shape, sizeOf } from "../util/shape";
import { type Expression, loadsOf } from "./expression";

/** What a contraction reads as [batch, rows, columns]. */
export type MatrixOperand =
  /** Matrices in memory, one behind the other, or the same for the whole batch. */
  | {
      readonly kind: "plain";
      readonly tensor: Tensor;
      /** Whether memory holds the transpose of what the product reads. */
      readonly transposed: boolean;
      readonly repeated: boolean;
    }
  /** Any view of memory: read through, element by element. `transposed`: whether neighbouring rows lie nearer than neighbouring columns. */
  | { readonly kind: "view"; readonly expression: Expression; readonly transposed: boolean };

/** A reduction of all elements to one number, begun in one kernel as partial results and ended in another. */
export interface PartialReduction {
  readonly node: Tensor;
  readonly op: FoldOp;
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

/** A scan, whose step is cut into kernels as a program is. */
export interface ScanPlan {
  readonly node: Scan;
  /** What the operands are in memory; null for carries that begin as zeros. */
  readonly operands: readonly (Tensor | null)[];
  /** Its parts that something asks for. */
  readonly items: Tensor[];
  /** In each step: the node of each next carry, then that of each y, null where nothing asks for it. */
  readonly results: readonly (Tensor | null)[];
  readonly fusion: Fusion;
  readonly order: readonly Group[];
}

/** What every kernel has, whatever it computes. */
interface Kernel {
  /** Points of the domain: elements of a product or of a chain; a combination has one. */
  readonly size: number;
  /** Everything computed here beside the root, operands first: elementwise nodes, copies of views, and a reduction kernel's reductions. */
  readonly members: Tensor[];
  /** What this kernel begins. */
  readonly partials: PartialReduction[];
  readonly index: number;
}

/** A product of matrices, or a batch of them. */
export interface ContractionGroup extends Kernel {
  readonly kind: "contraction";
  readonly root: Tensor;
  readonly a: MatrixOperand;
  readonly b: MatrixOperand;
}

/** Reductions along one axis: the domain as [outer, length, inner], reduced along `length`. */
export interface ReductionGroup extends Kernel {
  readonly kind: "reduction";
  readonly split: Split;
}

export interface Split {
  readonly outer: number;
  readonly length: number;
  readonly inner: number;
}

/** A chain of elementwise operations. */
export interface MapGroup extends Kernel {
  readonly kind: "map";
}

/** The end of reductions to one number, and scalars that follow. */
export interface CombineGroup extends Kernel {
  readonly kind: "combine";
  /** What it ends. */
  readonly combines: PartialReduction[];
}

export interface ScatterGroup extends Kernel {
  readonly kind: "scatter";
  /** In whose memory it adds up. */
  readonly root: Tensor;
  readonly scatter: Scatter;
}

export interface ScanGroup extends Kernel {
  readonly kind: "scan";
  readonly scan: ScanPlan;
}

/** Nodes that one kernel computes. Whoever asks what a group is handles every kind, or does not compile. */
export type Group = ContractionGroup | ReductionGroup | MapGroup | CombineGroup | ScatterGroup | ScanGroup;

/** What a kernel is made for: a product, a scatter; null where all that it computes is alike. */
export function rootOf(group: Group): Tensor | null {
  return group.kind === "contraction" || group.kind === "scatter" ? group.root : null;
}

/** How a reduction's domain is reduced; null for every other kernel. */
export function splitOf(group: Group): Split | null {
  return group.kind === "reduction" ? group.split : null;
}

/** Reductions that a kernel ends. */
export function combinedBy(group: Group): readonly PartialReduction[] {
  return group.kind === "combine" ? group.combines : [];
}

/** The root and the members: what is computed at the points of the domain. */
export function nodesOf(group: Group): Tensor[] {
  const root = rootOf(group);
  return [...(root ? [root] : []), ...group.members];
}

/** Everything that a kernel computes and that may be in memory after it. */
export function valuesOf(group: Group): Tensor[] {
  const items = group.kind === "scan" ? group.scan.items : [];
  return [...nodesOf(group), ...combinedBy(group).map(({ node }) => node), ...items];
}

/** The most points that one of a kernel's loops has. */
export function widthOf(group: Group): number {
  return group.kind === "scan" ? Math.max(1, ...group.scan.order.map(widthOf)) : group.size;
}

/** A view that shows its operand as it is: as a kernel, a copy. */
export function copyOf(node: Tensor): Tensor {
  return new Tensor("reshape", [node], node.shape, node.dtype);
}

/** A contraction's operands and sizes. */
export function productOf({ root, a, b }: ContractionGroup) {
  const [aShape, bShape] = root.operands.map(({ shape }) => shape) as [Shape, Shape];
  const sizes = contractionSizes(aShape, bShape, root.attributes);
  return { root, a, b, ...sizes, transposed: { a: a.transposed, b: b.transposed } };
}

/** One product of two matrices in memory; null for a batch of them, or where an operand is a view of another kind. */
export function plainProductOf(group: ContractionGroup) {
  const { a, b, batch, ...rest } = productOf(group);
  return a.kind === "plain" && b.kind === "plain" && batch === 1 ? { a, b, ...rest } : null;
}

/** A contraction's shapes in words. */
export function shapesOf(group: ContractionGroup): string {
  const { a, b, batch, M, N, K } = productOf(group);
  const operand = ({ kind, transposed }: MatrixOperand, rows: number, columns: number) =>
    `[${rows}, ${columns}]${kind === "view" ? " through a view" : transposed ? "ᵀ" : ""}`;
  return `${batch > 1 ? `${batch} of ` : ""}${operand(a, M, K)} x ${operand(b, K, N)}`;
}

/** The tensors that an operand is read from. */
export function operandLoads(operand: MatrixOperand): Set<Tensor> {
  switch (operand.kind) {
    case "plain":
      return new Set([operand.tensor]);
    case "view":
      return loadsOf([operand.expression]);
    default:
      return operand satisfies never;
  }
}

/** What a scatter reads to begin with: x, indices and values; of another kernel nothing. */
export function scatteredBy(group: Group): readonly Tensor[] {
  return group.kind === "scatter" ? [group.scatter.x, group.scatter.indices, group.scatter.values] : [];
}

export interface Fusion {
  readonly groups: readonly Group[];
  /** Scalars that nothing in the step waits for: combined once a submission, for all its steps. */
  readonly deferred: CombineGroup | null;
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

/**
 * What leaves a program's result in a buffer of its own, for which a leaf must be copied. A number that a scan leaves is copied too: it may
 * belong to the record.
 */
export function resultOf(node: Tensor): Tensor {
  const number = rowOf(node.op).kind === "item" && sizeOf(node.shape) === 1;
  return node.operands.length === 0 || number ? copyOf(node) : node;
}
