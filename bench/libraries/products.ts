// Products over typed arrays, blocked: four rows of the second factor a pass over two rows of the result, so that each
// value loaded is used twice and each value stored takes eight products. Row-major, float32 in memory.

const depth = 64;
const width = 1024;

/** c [M, N] = a [M, K] · b [K, N]. */
export function product(a: Float32Array, b: Float32Array, c: Float32Array, M: number, K: number, N: number): void {
  accumulate(a, K, 1, b, c, M, K, N);
}

/** c [M, N] = aᵀ · b, for a [K, M] and b [K, N]. */
export function productOfTransposed(
  a: Float32Array,
  b: Float32Array,
  c: Float32Array,
  M: number,
  K: number,
  N: number,
): void {
  accumulate(a, 1, M, b, c, M, K, N);
}

/** bt [N, K] of b [K, N]. */
export function transpose(b: Float32Array, bt: Float32Array, K: number, N: number): void {
  for (let k = 0; k < K; k++) for (let n = 0; n < N; n++) bt[n * K + k] = b[k * N + n] as number;
}

/** The factor a is read at `a[row * down + k * along]`. */
function accumulate(
  a: Float32Array,
  down: number,
  along: number,
  b: Float32Array,
  c: Float32Array,
  M: number,
  K: number,
  N: number,
): void {
  c.fill(0, 0, M * N);
  for (let left = 0; left < N; left += width) {
    const right = Math.min(N, left + width);
    for (let top = 0; top < K; top += depth) {
      const bottom = Math.min(K, top + depth);
      let i = 0;
      for (; i + 1 < M; i += 2) pair(a, i * down, down, along, b, c, i * N, N, left, right, top, bottom);
      if (i < M) single(a, i * down, along, b, c, i * N, N, left, right, top, bottom);
    }
  }
}

function pair(
  a: Float32Array,
  at: number,
  down: number,
  along: number,
  b: Float32Array,
  c: Float32Array,
  to: number,
  N: number,
  left: number,
  right: number,
  top: number,
  bottom: number,
): void {
  let k = top;
  for (; k + 3 < bottom; k += 4) {
    const first = at + k * along;
    const second = first + down;
    const a0 = a[first] as number;
    const a1 = a[first + along] as number;
    const a2 = a[first + 2 * along] as number;
    const a3 = a[first + 3 * along] as number;
    const e0 = a[second] as number;
    const e1 = a[second + along] as number;
    const e2 = a[second + 2 * along] as number;
    const e3 = a[second + 3 * along] as number;
    const row0 = k * N;
    const row1 = row0 + N;
    const row2 = row1 + N;
    const row3 = row2 + N;
    const next = to + N;
    for (let j = left; j < right; j++) {
      const b0 = b[row0 + j] as number;
      const b1 = b[row1 + j] as number;
      const b2 = b[row2 + j] as number;
      const b3 = b[row3 + j] as number;
      c[to + j] = (c[to + j] as number) + (a0 * b0 + a1 * b1 + (a2 * b2 + a3 * b3));
      c[next + j] = (c[next + j] as number) + (e0 * b0 + e1 * b1 + (e2 * b2 + e3 * b3));
    }
  }
  if (k < bottom) {
    single(a, at, along, b, c, to, N, left, right, k, bottom);
    single(a, at + down, along, b, c, to + N, N, left, right, k, bottom);
  }
}

function single(
  a: Float32Array,
  at: number,
  along: number,
  b: Float32Array,
  c: Float32Array,
  to: number,
  N: number,
  left: number,
  right: number,
  top: number,
  bottom: number,
): void {
  for (let k = top; k < bottom; k++) {
    const factor = a[at + k * along] as number;
    const row = k * N;
    for (let j = left; j < right; j++) c[to + j] = (c[to + j] as number) + factor * (b[row + j] as number);
  }
}
