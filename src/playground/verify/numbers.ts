import type { Shape } from "../../index";

/** Uniform numbers in [0, 1) from a seed; mulberry32. Small, and the same in Node and in the browser. */
export function uniform(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let z = Math.imul(state ^ (state >>> 15), state | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Normal numbers, rounded to float32. Source: Box and Muller 1958. */
export function normal(count: number, seed: number): Float32Array {
  const next = uniform(seed);
  return Float32Array.from(
    { length: count },
    () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()),
  );
}

/** Integers in [0, below). */
export function integers(count: number, below: number, seed: number): Int32Array {
  const next = uniform(seed);
  return Int32Array.from({ length: count }, () => Math.floor(next() * below));
}

export function sizeOf(shape: Shape): number {
  return shape.reduce((size, length) => size * length, 1);
}
