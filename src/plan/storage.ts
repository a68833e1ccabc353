import type { Tensor } from "../graph/tensor";
import type { PartialReduction } from "./group";

/** A buffer before it has a place in memory. */
export interface Storage {
  readonly name: string;
  readonly elements: number;
  readonly dtype: Tensor["dtype"];
  /** Partial results of deferred scalars: how many of the elements belong to one record. */
  readonly perRecord?: number;
  /** Whether the program's copies share it. Of all else each copy has so many elements for itself. */
  readonly shared?: boolean;
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
  /** Scalars in a record. */
  readonly recordSize: number;
  /** The partial results of a reduction, made when the kernel that leaves them is known. */
  partials(partial: PartialReduction, count: number, deferred: boolean): Storage;
}
