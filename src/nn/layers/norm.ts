import type { Tensor } from "../../graph/tensor";
import { checkAmount } from "../../util/checks";
import type { Shape } from "../../util/shape";
import type { Held } from "./layer";

/** A factor of 1 and a summand of 0 for each of `length` features. */
export function scaleAndShift(length: number): { weight: Held; bias: Held } {
  return {
    weight: { shape: [length], first: () => new Float32Array(length).fill(1) },
    bias: { shape: [length], first: () => new Float32Array(length) },
  };
}

/** [features] as [features, 1, …], to lie along the channels of an example of this shape. */
export function alongChannels(x: Tensor, example: Shape): Tensor {
  return example.length === 1 ? x : x.reshape([-1, ...example.slice(1).map(() => 1)]);
}

/** (x - mean) / √(variance + epsilon) over `axes`; the variance by deviations, so that 1,000 ± 1 keeps its digits. */
export function normalised(x: Tensor, axes: number | readonly number[], epsilon: number): Tensor {
  const deviations = x.sub(x.mean(axes, { keepDims: true }));
  const variance = deviations.square().mean(axes, { keepDims: true });
  return deviations.div(variance.add(epsilon).sqrt());
}

export function checkEpsilon(part: string, epsilon: number): void {
  checkAmount(part, "epsilon", epsilon);
  // Of a constant the variance is 0, and what float32 cannot hold is 0 too.
  if (Math.fround(epsilon) < 2 ** -126)
    throw new RangeError(
      `${part}: epsilon is ${epsilon}; it must be at least 2^-126, or what is constant is divided by 0.`,
    );
}
