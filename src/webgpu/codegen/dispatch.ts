import { bytesOf } from "../../graph/ops";
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
  /** Copies of the program, side by side along the third axis of a dispatch. */
  readonly copies: number;
}

/** Bytes of an element of workgroup memory, and of a persistent kernel's state: the bits of whatever lies there. */
export const WORD_BYTES = bytesOf("int32");

/** WGSL of a copy's number in a main function. */
export const COPY = "group.z";

/** WGSL of the first element of a record, of which each has `size` for every copy. */
export function inRecord({ copies }: KernelStores, record: string, size: number, copy = COPY): string {
  return copies === 1 ? `${record} * ${size}u` : `(${record} * ${copies}u + ${copy}) * ${size}u`;
}

/** Bytes of a storage in all copies. */
export function bytesIn(of: { readonly copies: number }, storage: Storage): number {
  return elementsIn(of, storage) * bytesOf(storage.dtype);
}

/** Elements of a storage in all copies. */
export function elementsIn({ copies }: { readonly copies: number }, { elements, shared }: Storage): number {
  return shared ? elements : copies * elements;
}
