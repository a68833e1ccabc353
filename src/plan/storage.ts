import type { Tensor } from "../graph/tensor";
import type { KernelText } from "../kernels/kernel";
import type { Slot } from "../kernels/slot";
import type { Partial } from "./group";
import type { ProductShape, WholeStep } from "./plan";

/** A buffer before it has a place in memory. */
export interface Storage {
  readonly name: string;
  readonly elements: number;
  readonly dtype: Tensor["dtype"];
  /** Partial results of the tail: how many of the elements belong to one record. */
  readonly perRecord?: number;
}

/** A dispatch whose bindings are storages. */
export interface LoweredDispatch {
  readonly kernel: KernelText;
  readonly label: string;
  readonly bindings: readonly { readonly storage: Storage; readonly access: "read" | "read_write" }[];
  readonly slot: Slot | null;
  readonly flops: number;
  readonly bytes: number;
  readonly output: string;
  readonly shapes: string;
  readonly product?: ProductShape;
  readonly whole?: WholeStep;
}

/** Where a kernel's values go; shared by all kernels of a plan. */
export interface Stores {
  /** The buffer of a node or leaf in memory. */
  storageOf(tensor: Tensor): Storage;
  /** The places in a record that a scalar output has. */
  recordsOf(tensor: Tensor): readonly number[];
  /** Whether the node must be in memory after its kernel. */
  isStored(tensor: Tensor): boolean;
  readonly history: Storage | null;
  /** How kernels are told the record of their step. */
  readonly slot: Slot;
  /** Scalars in a record. */
  readonly recordSize: number;
  /** The partial results of a reduction, made when the kernel that leaves them is known. */
  partials(partial: Partial, count: number, tail: boolean): Storage;
}
