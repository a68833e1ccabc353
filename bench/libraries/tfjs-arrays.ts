import * as tf from "@tensorflow/tfjs-core";
import type { Array2 } from "../tasks";

export interface Training {
  /** One step; the loss before it where that is asked for. */
  step(wantsLoss: boolean): tf.Tensor | null;
  /** What the last step wrote. */
  last(): tf.Tensor;
  dispose(): void;
}

export function tensor({ shape, values }: Array2 | undefined = { shape: [], values: new Float32Array(1) }): tf.Tensor {
  return tf.tensor(values, [...shape], values instanceof Int32Array ? "int32" : "float32");
}
