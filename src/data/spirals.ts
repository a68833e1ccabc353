import { checkOptions } from "../util/checks";
import { checkClasses, checkNoise, checkRows, type Points, shares, shuffled } from "./points";
import { randomState } from "./random";

/**
 * Arms of Archimedes' spiral, one a class, evenly turned about the origin. x [n, 2], y [n].
 *
 * With m points on the arm of class k, its point i has t = (i + 1) / m, radius t and angle
 * 2π(turns · t + k / classes): all arms end on the unit circle and none has a point on the origin, where they would
 * meet. Where `classes` does not divide n, the first arms have a point more. The order is random, then `noise`
 * is added.
 *
 * `noise` is the standard deviation of what is added to each coordinate, none where left out; `classes` is 2 and at
 * most n, `turns` 1, `seed` 0 where left out. Throws RangeError.
 */
export function spirals(
  n: number,
  options: { noise?: number; classes?: number; turns?: number; seed?: number } = {},
): Points {
  checkOptions("spirals", options);
  const { noise, classes = 2, turns = 1, seed = 0 } = options;
  checkClasses("spirals", classes);
  checkRows("spirals", n, classes);
  checkNoise("spirals", noise);
  if (!Number.isFinite(turns)) throw new RangeError(`spirals: turns is ${turns}; it must be a finite number.`);
  const random = randomState(seed);

  const x = new Float64Array(2 * n);
  const y = new Int32Array(n);
  let row = 0;
  shares(n, classes).forEach((points, k) => {
    for (let i = 0; i < points; i++, row++) {
      const t = (i + 1) / points;
      const angle = 2 * Math.PI * (turns * t + k / classes);
      x[2 * row] = t * Math.cos(angle);
      x[2 * row + 1] = t * Math.sin(angle);
      y[row] = k;
    }
  });
  return shuffled(x, y, random, noise);
}
