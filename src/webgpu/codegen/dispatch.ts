import type { KernelText } from "../../kernels/kernel";
import type { StepArguments } from "../../kernels/step-arguments";
import type { Storage, Stores } from "../../plan/storage";
import type { PersistentStep, ProductShape } from "./plan";

/** A dispatch whose bindings are storages. */
export interface LoweredDispatch {
  readonly kernel: KernelText;
  readonly label: string;
  readonly bindings: readonly { readonly storage: Storage; readonly access: "read" | "read_write" }[];
  readonly stepArguments: StepArguments | null;
  readonly flops: number;
  readonly bytes: number;
  readonly output: string;
  readonly shapes: string;
  readonly product?: ProductShape;
  readonly persistent?: PersistentStep;
}

/** Where the values of WGSL's kernels go. */
export interface KernelStores extends Stores {
  /** How kernels are told the record of their step. */
  readonly stepArguments: StepArguments;
}
