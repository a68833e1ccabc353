import type { RandomState } from "../data/random";

export type Initializer = "glorotUniform" | "heNormal" | "lecunNormal" | "normal" | "zeros";

/**
 * First values of a weight [inputs, units], row-major, drawn from `random`:
 *
 * | name | distribution | source |
 * |---|---|---|
 * | glorotUniform | uniform on ±√(6 / (inputs + units)) | Glorot and Bengio 2010, eq. 16 |
 * | heNormal | normal, deviation √(2 / inputs) | He et al. 2015, eq. 10 |
 * | lecunNormal | normal, deviation √(1 / inputs) | LeCun et al. 1998, §4.6 |
 * | normal | standard normal, as NumPy's `randn(inputs, units)` | |
 * | zeros | 0; hidden units then stay equal to one another | |
 */
export const INITIALIZERS: Record<Initializer, (random: RandomState, inputs: number, units: number) => Float64Array> = {
  glorotUniform(random, inputs, units) {
    const limit = Math.sqrt(6 / (inputs + units));
    return random.uniform(-limit, limit, inputs * units);
  },
  heNormal: (random, inputs, units) => random.normal(0, Math.sqrt(2 / inputs), inputs * units),
  lecunNormal: (random, inputs, units) => random.normal(0, Math.sqrt(1 / inputs), inputs * units),
  normal: (random, inputs, units) => random.randn(inputs * units),
  zeros: (_random, inputs, units) => new Float64Array(inputs * units),
};
