import { checkOptions } from "../util/checks";
import { checkClasses, checkNoise, checkRows, type Points, shares, shuffled } from "./points";
import { randomState } from "./random";

/**
 * Round clouds of points, one a class, about centers drawn uniformly from [-10, 10) x [-10, 10). x [n, 2], y [n].
 * scikit-learn's `make_blobs(n, centers=classes, cluster_std=noise, random_state=seed)`, number for number,
 * computed in float64 and rounded once to float32.
 *
 * `noise` is the standard deviation of each coordinate about its center, 1 where left out; `classes` is 3 and at most
 * n, `seed` 0 where left out. Throws RangeError. Source: sklearn/datasets/_samples_generator.py.
 */
export function blobs(n: number, options: { noise?: number; classes?: number; seed?: number } = {}): Points {
  checkOptions("blobs", options);
  const { noise = 1, classes = 3, seed = 0 } = options;
  checkClasses("blobs", classes);
  checkRows("blobs", n, classes);
  checkNoise("blobs", noise);
  const random = randomState(seed);

  const centers = random.uniform(-10, 10, 2 * classes);
  const offsets = random.normal(0, noise, 2 * n);
  const y = Int32Array.from(shares(n, classes).flatMap((points, k) => new Array<number>(points).fill(k)));
  const x = offsets.map((offset, at) => (centers[2 * (y[at >> 1] as number) + (at & 1)] as number) + offset);
  return shuffled(x, y, random);
}
