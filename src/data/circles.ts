import { checkOptions } from "../util/checks";
import { checkNoise, checkRows, type Points, shuffled } from "./points";
import { randomState } from "./random";

/**
 * A circle of radius 1, class 0 with floor(n / 2) of the points, and within it one of radius `factor`, class 1.
 * x [n, 2], y [n]. scikit-learn's `make_circles(n, noise=noise, factor=factor, random_state=seed)`, number for
 * number, computed in float64 and rounded once to float32.
 *
 * `noise` is the standard deviation of what is added to each coordinate, none where left out; `factor` is in [0, 1),
 * 0.8 where left out; `seed` is 0 where left out. Throws RangeError. Source: sklearn/datasets/_samples_generator.py.
 */
export function circles(n: number, options: { noise?: number; factor?: number; seed?: number } = {}): Points {
  checkOptions("circles", options);
  const { noise, factor = 0.8, seed = 0 } = options;
  checkRows("circles", n);
  checkNoise("circles", noise);
  if (!(factor >= 0 && factor < 1)) {
    throw new RangeError(`circles: factor is ${factor}; it must be at least 0 and less than 1, the outer radius.`);
  }
  const random = randomState(seed);

  const outer = Math.floor(n / 2);
  const x = new Float64Array(2 * n);
  const y = new Int32Array(n);
  for (let i = 0; i < n; i++) {
    const inside = i >= outer;
    const angle = inside ? (i - outer) * ((2 * Math.PI) / (n - outer)) : i * ((2 * Math.PI) / outer);
    const radius = inside ? factor : 1;
    x[2 * i] = Math.cos(angle) * radius;
    x[2 * i + 1] = Math.sin(angle) * radius;
    y[i] = inside ? 1 : 0;
  }
  return shuffled(x, y, random, noise);
}
