import type { RandomState } from "../data/random";

/**
 * How a weight begins: drawn by the model's seed from a distribution that suits its layer's width, or all zeros, or all ones.
 */
export type Initializer = "glorotUniform" | "heNormal" | "lecunNormal" | "normal" | "zeros" | "ones";

/**
 * First values of a weight, row-major, drawn from `random`: `count` numbers, for a layer that sums over `inputs` numbers for each of
 * its outputs, and where each input goes into `units` sums. Those of a dense layer are [inputs, units].
 *
 * | name | distribution | source |
 * |---|---|---|
 * | glorotUniform | uniform on ±√(6 / (inputs + units)) | Glorot and Bengio 2010, eq. 16 |
 * | heNormal | normal, deviation √(2 / inputs) | He et al. 2015, eq. 10 |
 * | lecunNormal | normal, deviation √(1 / inputs) | LeCun et al. 1998, §4.6 |
 * | normal | standard normal, as NumPy's `randn(inputs, units)` | |
 * | zeros | 0; hidden units then stay equal to one another | |
 * | ones | 1: for a factor | |
 */
export const INITIALIZERS: Record<
  Initializer,
  (random: RandomState, inputs: number, units: number, count: number) => Float64Array
> = {
  glorotUniform(random, inputs, units, count) {
    const limit = Math.sqrt(6 / (inputs + units));
    return random.uniform(-limit, limit, count);
  },
  heNormal: (random, inputs, _units, count) => random.normal(0, Math.sqrt(2 / inputs), count),
  lecunNormal: (random, inputs, _units, count) => random.normal(0, Math.sqrt(1 / inputs), count),
  normal: (random, _inputs, _units, count) => random.randn(count),
  zeros: (_random, _inputs, _units, count) => new Float64Array(count),
  ones: (_random, _inputs, _units, count) => new Float64Array(count).fill(1),
};
