import { shown } from "../util/checks";
import type { RandomState } from "./random";

/** Points of the plane with their classes: x [n, 2], row-major; y [n], each from 0 to classes - 1. */
export interface Points {
  x: Float32Array;
  y: Int32Array;
}

export function checkRows(part: string, n: number, least = 1): void {
  if (!Number.isInteger(n) || n < least || n > 2 ** 30) {
    throw new RangeError(`${part}: n is ${shown(n)}; it must be an integer, at least ${least} and at most ${2 ** 30}.`);
  }
}

export function checkNoise(part: string, noise: number | undefined): void {
  if (noise !== undefined && !(typeof noise === "number" && noise >= 0 && noise < Infinity)) {
    throw new RangeError(
      `${part}: noise is ${shown(noise)}; it must be a standard deviation, finite and not negative, or left out for none.`,
    );
  }
}

export function checkClasses(part: string, classes: number): void {
  if (!Number.isInteger(classes) || classes < 1) {
    throw new RangeError(`${part}: classes is ${shown(classes)}; it must be an integer, at least 1.`);
  }
}

/** Rows of each class: as even as they can be, the first n % classes having one more. */
export function shares(n: number, classes: number): number[] {
  return Array.from({ length: classes }, (_, k) => Math.floor(n / classes) + (k < n % classes ? 1 : 0));
}

/** Float64 points and their classes in random order; noise is added after, as scikit-learn's generators do it. */
export function shuffled(x: Float64Array, y: Int32Array, random: RandomState, noise?: number): Points {
  const order = random.permutation(y.length);
  const jitter = noise === undefined ? undefined : random.normal(0, noise, x.length);
  const points = { x: new Float32Array(x.length), y: new Int32Array(y.length) };
  order.forEach((from, to) => {
    points.y[to] = y[from] as number;
    for (let axis = 0; axis < 2; axis++) {
      const at = 2 * to + axis;
      points.x[at] = (x[2 * from + axis] as number) + (jitter?.[at] ?? 0);
    }
  });
  return points;
}
