import type { Numbers } from "../graph/ops";
import type { Tensor } from "../graph/tensor";

/** A node's exact values, and how far any correct float32 device may lie from each. */
export interface Uncertain {
  readonly values: Numbers;
  /**
   * Infinity where nothing can be said: near a pole, or beyond float32. Of what is NaN or infinite: 0 where every device's is so too,
   * and NaN where it is infinite without a sure sign, as what was divided by 0 is.
   */
  readonly errors: Numbers;
  /** A device's values cannot be negative, whatever the errors say. */
  readonly nonnegative: boolean;
}

/** A rule's word for what is infinite with either sign. */
export const EITHER_SIGN = -1;

/** The errors of a node's values, from what is known of its operands. NaN means that there is no bound. */
export type ErrorRule = (node: Tensor, operands: readonly Uncertain[], values: Numbers) => Numbers;
