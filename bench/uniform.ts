/** Uniform on [-1, 1), from a generator that is fast enough for millions of numbers. Source: mulberry32, T. Ettinger. */
export function uniform(seed: number, n: number): Float32Array {
  let state = Math.imul(seed, 0x9e3779b9);
  const values = new Float32Array(n);
  for (let i = 0; i < n; i++) {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    values[i] = ((t ^ (t >>> 14)) >>> 0) / 2 ** 31 - 1;
  }
  return values;
}
