import { contractionSizes, eachIndexed, type Numbers, splitShape } from "../graph/ops";
import type { Tensor } from "../graph/tensor";
import type { Shape } from "../util/shape";
import { accumulated, inOrder, LARGEST, LEAST, rounded } from "./rounding";
import type { ErrorRule, Uncertain } from "./uncertain";

/** Where a node's reduced axis lies, as loops want it: for each result, the places of what it is made of. */
function* rows(node: Tensor): Generator<{ result: number; first: number; step: number; length: number }> {
  const { from = 0, to = 0 } = node.attributes;
  const { outer, length, inner } = splitShape((node.operands[0] as Tensor).shape, from, to);
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) yield { result: o * inner + i, first: o * length * inner + i, step: inner, length };
  }
}

/** What is not finite among the terms of a sum, or has no bound. */
class Extremes {
  private nan = false;
  private readonly infinities = new Set<number>();
  private unsure = false;
  any = false;

  add(value: number, error: number): void {
    this.any = true;
    if (error === 0 && Number.isNaN(value)) this.nan = true;
    else if (error === 0) this.infinities.add(value);
    else this.unsure = true;
  }

  /** The error of the sum, whose other terms are no more than `magnitude` together. */
  error(magnitude: number): number {
    const sure = this.nan || this.infinities.size === 2 || (!this.unsure && magnitude <= LARGEST);
    return sure ? 0 : Number.POSITIVE_INFINITY;
  }
}

const isPlain = (value: number, error: number) => Math.abs(value) + error < Number.POSITIVE_INFINITY;

/** Each addend takes part in at most (count - 1) additions, in any order; adding zeros rounds nothing, nor do integers up to 2²⁴. */
export const sum: ErrorRule = (node, [x], values) => {
  const { values: a, errors: ea } = x as Uncertain;
  const errors = new Float64Array(values.length);
  for (const { result, first, step, length } of rows(node)) {
    let magnitude = 0;
    let carried = 0;
    let count = 0;
    let whole = true;
    const extremes = new Extremes();
    for (let l = 0, at = first; l < length; l++, at += step) {
      const size = Math.abs(a[at] as number) + (ea[at] as number);
      if (size === 0) continue;
      if (!(size < Number.POSITIVE_INFINITY)) {
        extremes.add(a[at] as number, ea[at] as number);
        continue;
      }
      magnitude += size;
      carried += ea[at] as number;
      count++;
      whole &&= Number.isInteger(a[at]);
    }
    const additions = Math.max(count - 1, 0);
    if (extremes.any) errors[result] = extremes.error(magnitude);
    else if (whole && carried === 0 && magnitude <= 2 ** 24) continue;
    else if (magnitude <= LARGEST) errors[result] = carried + accumulated(additions) * magnitude + additions * LEAST;
    else errors[result] = Number.POSITIVE_INFINITY;
  }
  return errors;
};

/** Of a product where a factor is not finite or has no bound: 0 where it is sure to be NaN, or infinite with its sign. */
function ofTerm(x: number, ex: number, y: number, ey: number): number {
  if ((Number.isNaN(x) && ex === 0) || (Number.isNaN(y) && ey === 0)) return 0;
  if (!(ex + ey < Number.POSITIVE_INFINITY)) return Number.POSITIVE_INFINITY;
  const sure = (value: number, error: number) => error === 0 || Math.abs(value) > error;
  return sure(x, ex) && sure(y, ey) ? 0 : Number.POSITIVE_INFINITY;
}

/** Each product of the batch by itself. */
export const matmul: ErrorRule = (node, operands, values) => {
  const [a, b] = operands as readonly [Uncertain, Uncertain];
  const [aShape, bShape] = node.operands.map(({ shape }) => shape) as [Shape, Shape];
  const { batch, M, N, K } = contractionSizes(aShape, bShape, node.attributes);
  const errors = new Float64Array(values.length);
  for (let at = 0; at < batch; at++) {
    const [x, y] = [partOf(a, at * M * K, M * K), partOf(b, at * K * N, K * N)];
    errors.set(productErrors(x, y, values.subarray(at * M * N, (at + 1) * M * N), M, N, K), at * M * N);
  }
  return errors;
};

function partOf({ values, errors }: Uncertain, from: number, count: number): Pick<Uncertain, "values" | "errors"> {
  return { values: values.subarray(from, from + count), errors: errors.subarray(from, from + count) };
}

/** [M, K] x [K, N]: of a product's K terms each is rounded once and added K - 1 times at most; terms that are 0 do not count. */
function productErrors(
  { values: a, errors: ea }: Pick<Uncertain, "values" | "errors">,
  { values: b, errors: eb }: Pick<Uncertain, "values" | "errors">,
  values: Numbers,
  M: number,
  N: number,
  K: number,
): Numbers {
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
  // Rows and columns with something that is not finite, or has no bound, whose products with 0 count too.
  const strange = (values: Numbers, off: Numbers, lineOf: (i: number) => number) =>
    new Set([...values.keys()].filter((i) => !isPlain(values[i] as number, off[i] as number)).map(lineOf));
  const rowsOf = strange(a, ea, (i) => Math.floor(i / K));
  const columnsOf = strange(b, eb, (i) => i % N);
  if (rowsOf.size + columnsOf.size === 0) return errors;
  for (let m = 0; m < M; m++) {
    for (let n = 0; n < N; n++) {
      if (!rowsOf.has(m) && !columnsOf.has(n)) continue;
      const extremes = new Extremes();
      let total = 0;
      for (let k = 0; k < K; k++) {
        const [x, ex, y, ey] = [a[m * K + k], ea[m * K + k], b[k * N + n], eb[k * N + n]] as [
          number,
          number,
          number,
          number,
        ];
        if (isPlain(x, ex) && isPlain(y, ey)) total += (Math.abs(x) + ex) * (Math.abs(y) + ey);
        else extremes.add(x * y, ofTerm(x, ex, y, ey));
      }
      errors[m * N + n] = extremes.error(total);
    }
  }
  return errors;
}

/**
 * Each factor takes part in at most n - 1 products, whatever their order. In some order a part of them may lie beyond float32, or below
 * what it has: then all of the result is in doubt, or of something no larger than it.
 */
export const prod: ErrorRule = (node, [x], values) => {
  const { values: a, errors: ea } = x as Uncertain;
  const errors = new Float64Array(values.length);
  for (const { result, first, step, length } of rows(node)) {
    let [exact, largest, highest, lowest] = [1, 1, 1, 1];
    let [nan, strange] = [false, false];
    for (let l = 0, at = first; l < length; l++, at += step) {
      const [value, error] = [a[at] as number, ea[at] as number];
      nan ||= Number.isNaN(value) && error === 0;
      strange ||= !isPlain(value, error);
      const size = Math.abs(value);
      exact *= size;
      largest *= size + error;
      highest *= Math.max(size + error, 1);
      if (size > 0) lowest *= Math.min(size, 1);
    }
    if (nan) continue;
    if (strange || highest > LARGEST) errors[result] = Number.POSITIVE_INFINITY;
    else if (largest > 0) {
      const own = largest - exact + inOrder(length - 1) * largest;
      errors[result] = own + LEAST + (lowest < LEAST ? largest : 0);
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
    let nan = false;
    for (let l = 0, at = first; l < length; l++, at += step) {
      nan ||= ea[at] === 0 && Number.isNaN(a[at]);
      low = Math.max(low, (a[at] as number) - (ea[at] as number));
      high = Math.max(high, (a[at] as number) + (ea[at] as number));
    }
    if (nan || low === high) errors[result] = 0;
    else errors[result] = Math.max(high - (values[result] as number), (values[result] as number) - low);
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
    // The first NaN: only what comes before it may be chosen instead, and only if it may be NaN.
    const nan = Number.isNaN(least) && ea[first + best * step] === 0;
    for (let l = 0, at = first; l < length; l++, at += step) {
      const highest = (a[at] as number) + (ea[at] as number);
      const free = !((ea[at] as number) < Number.POSITIVE_INFINITY);
      // Written so that what is NaN may be chosen.
      if (nan ? free && l < best : free || (l < best ? !(highest < least) : !(highest <= least))) {
        errors[result] = Math.max(errors[result] as number, Math.abs(l - best));
      }
    }
  }
  return errors;
};

/** The rows' errors; where an index is not sure, all rows that it may mean. */
export const take: ErrorRule = (node, operands, values) => {
  const [{ values: x, errors: ex }, { values: indices, errors: ei }] = operands as readonly [Uncertain, Uncertain];
  const [from, by] = node.operands.map(({ shape }) => shape) as [Shape, Shape];
  const errors: Numbers = new Float64Array(values.length);
  eachIndexed(indices, by, from, node.attributes, (element, at, index) => {
    if (ei[index] === 0) {
      errors[at] = ex[element] as number;
      return;
    }
    for (const other of reached(element, indices[index] as number, ei[index] as number, node)) {
      const off = Math.abs((x[other] as number) - (values[at] as number)) + (ex[other] as number);
      errors[at] = Math.max(errors[at] as number, off);
    }
  });
  return errors;
};

/** The elements of an element's column that an index may mean which is off by `unsure`. */
function reached(element: number, index: number, unsure: number, { operands, attributes }: Tensor): number[] {
  const { from = 0, to = 0 } = attributes;
  const { length: rows, inner } = splitShape((operands[0] as Tensor).shape, from, to);
  const held = (row: number) => Math.min(Math.max(row, 0), rows - 1);
  const [first, last] = [held(index - unsure), held(index + unsure)];
  const column = element - held(index) * inner;
  return Array.from({ length: last - first + 1 }, (_, i) => column + (first + i) * inner);
}

/**
 * Values are added one after another, so that n of them are off by n roundings at most, however they are alike; adding zeros rounds
 * nothing, nor do integers up to 2²⁴. What an index that is not sure may add to a row counts as an error of it, and as one of the row
 * that it is added to.
 */
export const scatterAdd: ErrorRule = (node, operands, values) => {
  const [{ values: x, errors: ex }, { values: indices, errors: ei }, { values: added, errors: ea }] =
    operands as readonly [Uncertain, Uncertain, Uncertain];
  const [from, by] = node.operands.map(({ shape }) => shape) as [Shape, Shape];
  const magnitude = new Float64Array(values.length);
  const carried = new Float64Array(values.length);
  const count = new Float64Array(values.length);
  const fractions = new Uint8Array(values.length);
  const extremes = new Map<number, Extremes>();
  const add = (element: number, value: number, error: number) => {
    const size = Math.abs(value) + error;
    if (size === 0) return;
    if (!(size < Number.POSITIVE_INFINITY)) {
      const own = extremes.get(element) ?? new Extremes();
      own.add(value, error);
      extremes.set(element, own);
      return;
    }
    magnitude[element] = (magnitude[element] as number) + size;
    carried[element] = (carried[element] as number) + error;
    count[element] = (count[element] as number) + 1;
    if (!Number.isInteger(value)) fractions[element] = 1;
  };
  x.forEach((value, element) => {
    add(element, value, ex[element] as number);
  });
  eachIndexed(indices, by, from, node.attributes, (element, at, index) => {
    const [value, error] = [added[at] as number, ea[at] as number];
    if (ei[index] === 0) {
      add(element, value, error);
      return;
    }
    for (const other of reached(element, indices[index] as number, ei[index] as number, node)) {
      add(other, other === element ? value : 0, Math.abs(value) + error);
    }
  });
  return values.map((_, element) => {
    const [total, off] = [magnitude[element] as number, carried[element] as number];
    const additions = Math.max((count[element] as number) - 1, 0);
    const strange = extremes.get(element);
    if (strange) return strange.error(total);
    if (!(total <= LARGEST)) return Number.POSITIVE_INFINITY;
    if (off === 0 && fractions[element] === 0 && total <= 2 ** 24) return 0;
    return off + inOrder(additions) * total + additions * LEAST;
  });
};
