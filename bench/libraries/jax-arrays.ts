import { type Array as Jax, numpy as np } from "@jax-js/jax";
import type { Array2 } from "../tasks";

/** What trains, a step a call. */
export interface Training {
  step(wantsLoss: boolean): Jax | null;
  /** What the last step wrote. */
  last(): Jax;
  dispose(): void;
}

export function array({ shape, values }: Array2 | undefined = { shape: [], values: new Float32Array(1) }): Jax {
  const copy = values.slice() as Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer>;
  return np.array(copy, { shape: [...shape] });
}
