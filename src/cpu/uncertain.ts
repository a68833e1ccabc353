import type { Numbers } from "../graph/ops";
import type { Tensor } from "../graph/tensor";

/** A node's exact values, and how far any correct float32 device may lie from each. */
export interface Uncertain {
  readonly values: Numbers;
  /** Infinity where nothing can be said: near a pole, or beyond float32. */
  readonly errors: Numbers;
  /** A device's values cannot be negative, whatever the errors say. */
  readonly nonnegative: boolean;
}

/** The errors of a node's values, from what is known of its operands. */
export type ErrorRule = (node: Tensor, operands: readonly Uncertain[], values: Numbers) => Numbers;
