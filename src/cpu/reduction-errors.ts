import { type Numbers, splitShape } from "../graph/ops";
import type { Tensor } from "../graph/tensor";
import { accumulated, LARGEST, LEAST, rounded } from "./rounding";
import type { ErrorRule, Uncertain } from "./uncertain";

/** Where a node's reduced axis lies, as loops want it: for each result, the places of what it is made of. */
function* rows(node: Tensor): Generator<{ result: number; first: number; step: number; length: number }> {
  const { from = 0, to = 0 } = node.attributes;
  const { outer, length, inner } = splitShape((node.operands[0] as Tensor).shape, from, to);
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) yield { result: o * inner + i, first: o * length * inner + i, step: inner, length };
  }
}

/** Each addend takes part in at most (count - 1) additions, in any order; adding zeros rounds nothing, nor do integers up to 2²⁴. */
export const sum: ErrorRule = (node, [x], values) => {
  const { values: a, errors: ea } = x as Uncertain;
  const errors = new Float64Array(values.length);
  for (const { result, first, step, length } of rows(node)) {
    let magnitude = 0;
    let carried = 0;
    let count = 0;
    let whole = true;
    for (let l = 0, at = first; l < length; l++, at += step) {
      const size = Math.abs(a[at] as number) + (ea[at] as number);
      if (size === 0) continue;
      magnitude += size;
      carried += ea[at] as number;
      count++;
      whole &&= Number.isInteger(a[at]);
    }
    const additions = Math.max(count - 1, 0);
    if (whole && carried === 0 && magnitude <= 2 ** 24) continue;
    if (magnitude <= LARGEST) errors[result] = carried + accumulated(additions) * magnitude + additions * LEAST;
    else errors[result] = Number.POSITIVE_INFINITY;
  }
  return errors;
};

/** [M, K] x [K, N]: of a product's K terms each is rounded once and added K - 1 times at most; terms that are 0 do not count. */
export const matmul: ErrorRule = (node, operands, values) => {
  const [{ values: a, errors: ea }, { values: b, errors: eb }] = operands as readonly [Uncertain, Uncertain];
  const [M, K] = (node.operands[0] as Tensor).shape as [number, number];
  const N = node.shape[1] as number;
  const size = b.map((value, i) => Math.abs(value) + (eb[i] as number));
  const carries = eb.some((error) => error > 0);
  const errors = new Float64Array(values.length);
  const magnitude = new Float64Array(N);
  const carried = new Float64Array(N);
  const count = new Float64Array(N);
  for (let m = 0; m < M; m++) {
    magnitude.fill(0);
    carried.fill(0);
    count.fill(0);
    for (let k = 0; k < K; k++) {
      const A = Math.abs(a[m * K + k] as number);
      const EA = ea[m * K + k] as number;
      if (A + EA === 0) continue;
      for (let n = 0, at = k * N; n < N; n++, at++) {
        const B = size[at] as number;
        if (B === 0) continue;
        magnitude[n] = (magnitude[n] as number) + (A + EA) * B;
        count[n] = (count[n] as number) + 1;
        if (EA > 0 || carries) carried[n] = (carried[n] as number) + EA * B + A * (eb[at] as number);
      }
    }
    for (let n = 0; n < N; n++) {
      const at = m * N + n;
      const terms = count[n] as number;
      const total = magnitude[n] as number;
      // Partial sums may overflow in one order and not in another.
      if (!(total <= LARGEST)) errors[at] = Number.POSITIVE_INFINITY;
      else if (terms <= 1) errors[at] = rounded(values[at] as number, carried[n] as number);
      else errors[at] = (carried[n] as number) + accumulated(terms) * total + 2 * terms * LEAST;
    }
  }
  return errors;
};

/** Of all that the maximum may be. */
export const max: ErrorRule = (node, [x], values) => {
  const { values: a, errors: ea } = x as Uncertain;
  const errors = new Float64Array(values.length);
  for (const { result, first, step, length } of rows(node)) {
    let low = Number.NEGATIVE_INFINITY;
    let high = Number.NEGATIVE_INFINITY;
    for (let l = 0, at = first; l < length; l++, at += step) {
      low = Math.max(low, (a[at] as number) - (ea[at] as number));
      high = Math.max(high, (a[at] as number) + (ea[at] as number));
    }
    errors[result] = Math.max(high - (values[result] as number), (values[result] as number) - low);
  }
  return errors;
};

/** Exact where no error can raise another element above the largest, or one before it to the same height. */
export const argmax: ErrorRule = (node, [x], values) => {
  const { values: a, errors: ea } = x as Uncertain;
  const errors = new Float64Array(values.length);
  for (const { result, first, step, length } of rows(node)) {
    const best = values[result] as number;
    const least = (a[first + best * step] as number) - (ea[first + best * step] as number);
    for (let l = 0, at = first; l < length; l++, at += step) {
      const highest = (a[at] as number) + (ea[at] as number);
      // Written so that what is NaN may be chosen.
      if (l < best ? !(highest < least) : !(highest <= least)) {
        errors[result] = Math.max(errors[result] as number, Math.abs(l - best));
      }
    }
  }
  return errors;
};

/** The rows' errors; where an index is not sure, all rows that it may mean. */
export const take: ErrorRule = (node, operands, values) => {
  const [{ values: x, errors: ex }, { values: indices, errors: ei }] = operands as readonly [Uncertain, Uncertain];
  const rowCount = (node.operands[0] as Tensor).shape[0] as number;
  const width = x.length / rowCount;
  const held = (index: number) => Math.min(Math.max(index, 0), rowCount - 1);
  const errors: Numbers = new Float64Array(values.length);
  indices.forEach((index, i) => {
    const unsure = ei[i] as number;
    for (let row = held(index - unsure); row <= held(index + unsure); row++) {
      for (let j = 0; j < width; j++) {
        const at = i * width + j;
        const off = Math.abs((x[row * width + j] as number) - (values[at] as number)) + (ex[row * width + j] as number);
        errors[at] = Math.max(errors[at] as number, off);
      }
    }
  });
  return errors;
};
