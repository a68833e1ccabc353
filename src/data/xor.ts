import { checkOptions } from "../util/checks";
import { checkNoise, checkRows, type Points, shuffled } from "./points";
import { randomState } from "./random";

/**
 * Points drawn uniformly from the square [-1, 1) x [-1, 1); the class is 1 where the signs of the two coordinates
 * differ, else 0. x [n, 2], y [n]. Noise is added after the class is known, so that it blurs the border.
 *
 * `noise` is the standard deviation of what is added to each coordinate, none where left out; `seed` is 0 where left
 * out. Throws RangeError.
 */
export function xor(n: number, options: { noise?: number; seed?: number } = {}): Points {
  checkOptions("xor", options);
  const { noise, seed = 0 } = options;
  checkRows("xor", n);
  checkNoise("xor", noise);
  const random = randomState(seed);

  const x = random.uniform(-1, 1, 2 * n);
  const y = Int32Array.from({ length: n }, (_, i) =>
    (x[2 * i] as number) < 0 !== (x[2 * i + 1] as number) < 0 ? 1 : 0,
  );
  return shuffled(x, y, random, noise);
}
