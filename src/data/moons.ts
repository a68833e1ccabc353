import { checkOptions } from "../util/checks";
import { checkNoise, checkRows, type Points, shuffled } from "./points";
import { randomState } from "./random";

/**
 * Two half circles of radius 1, each with an end inside the other; the outer moon is class 0 and has
 * floor(n / 2) of the points. x [n, 2], y [n]. scikit-learn's `make_moons(n, noise=noise, random_state=seed)`,
 * number for number, computed in float64 and rounded once to float32.
 *
 * `noise` is the standard deviation of what is added to each coordinate, none where left out; `seed` is 0 where left
 * out. Throws RangeError. Source: sklearn/datasets/_samples_generator.py.
 */
export function moons(n: number, options: { noise?: number; seed?: number } = {}): Points {
  checkOptions("moons", options);
  const { noise, seed = 0 } = options;
  checkRows("moons", n);
  checkNoise("moons", noise);
  const random = randomState(seed);

  const outer = Math.floor(n / 2);
  const x = new Float64Array(2 * n);
  const y = new Int32Array(n);
  for (let i = 0; i < outer; i++) {
    const angle = halfTurn(i, outer);
    x[2 * i] = Math.cos(angle);
    x[2 * i + 1] = Math.sin(angle);
  }
  for (let i = outer; i < n; i++) {
    const angle = halfTurn(i - outer, n - outer);
    x[2 * i] = 1 - Math.cos(angle);
    x[2 * i + 1] = 1 - Math.sin(angle) - 0.5;
    y[i] = 1;
  }
  return shuffled(x, y, random, noise);
}

/** Element i of NumPy's `linspace(0, pi, count)`, which sets the last one to the end exactly. */
function halfTurn(i: number, count: number): number {
  if (i === 0) return 0;
  return i === count - 1 ? Math.PI : i * (Math.PI / (count - 1));
}
