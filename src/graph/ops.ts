import { type Shape, sameShape, sizeOf, stridesOf } from "../util/shape";
import { convolve, type Slide } from "./sliding";

/** The kinds of numbers that a tensor can stand for. */
export type DType = "float32" | "int32";

const BYTES: Readonly<Record<DType, number>> = { float32: 4, int32: 4 };

/** Bytes of an element in memory. */
export function bytesOf(dtype: DType): number {
  return BYTES[dtype];
}
/** Numbers while the reference computes: float64, also for int32 tensors, whose values it holds exactly. */
export type Numbers = Float64Array;

/** What an operation needs besides its operands. Axes `from` … `to - 1` are the ones that are reduced, or indexed. */
export interface Attributes {
  /** mask: what is not passed is to give no NaN to the derivative of what it was made of. */
  readonly picks?: true;
  /** permute: the axis of the operand that each axis of the result is. */
  readonly axes?: readonly number[];
  /** slice: the first element along each axis, and how far it is from one to the next. pad: how many elements are put before each axis. */
  readonly starts?: readonly number[];
  readonly steps?: readonly number[];
  /** pad: what is put around. */
  readonly fill?: number;
  /** windows: the axis along which they move, how far at a time, and how far it is from one element of a window to the next. */
  readonly axis?: number;
  readonly stride?: number;
  readonly dilation?: number;
  /** conv: how windows slide along each axis of space, and groups of channels that keep apart. */
  readonly slides?: readonly Slide[];
  readonly groups?: number;
  /** matmul: how many leading axes both operands share with the result (none where left out), and how many axes are summed over (one). */
  readonly batch?: number;
  readonly terms?: number;
  readonly from?: number;
  readonly to?: number;
  /** Literal numbers of a constant. */
  readonly values?: ArrayLike<number>;
  /** item: which part of a scan it is; `from` elements lie before it. */
  readonly index?: number;
  /** reshape: equal to no other, so that what is made of it is computed once more. */
  readonly again?: true;
  /** input: it stands for what a scan's step is given, or a checkpoint. */
  readonly ofStep?: true;
}

/**
 * One number in, one number out, at each element. `wgsl` is the only text that any kernel uses for it, of operands that are names or
 * literals; `dtype` is that of the last. What it calls besides WGSL's own is in shaders/functions.wgsl.
 */
interface Elementwise {
  readonly kind: "elementwise";
  readonly arity: 1 | 2 | 3;
  evaluate(a: number, b: number, c: number): number;
  wgsl(a: string, b: string, c: string, dtype: DType): string;
  /** Where it takes int32 too, all operands alike: what type it then gives. Else it takes and gives float32. */
  readonly integers?: DType;
  /** Not worth computing twice to save a load. */
  readonly expensive?: boolean;
  /** So many of WGSL's own operations does its function take, where they are many: it is then not written out element by element. */
  readonly operations?: number;
}

/** Many numbers into one, along the axes `from` … `to - 1`. */
interface Reduction {
  readonly kind: "reduction";
  loop(x: Numbers, out: Numbers, outer: number, length: number, inner: number): void;
  /** One whose result is a number of the same kind, and which can therefore be taken of parts. Others give an index. */
  readonly fold?: Fold;
}

/** WGSL of a reduction: what it starts from, two parts as one, and all of a subgroup's. */
export interface Fold {
  readonly identity: string;
  /** Where it is one of WGSL's own operators. */
  readonly operator?: "+" | "*";
  combine(a: string, b: string): string;
  readonly subgroup: string;
  /** Its rounding grows with the number of terms that follow on one another: many are taken in blocks. */
  readonly blocks?: true;
}

/**
 * Everything else: its float64 loop is given whole operands. A composite is made of other operations (compose.ts) wherever it is
 * compiled; it has a row of its own because its derivative, or its error, is better than theirs taken one after another.
 */
interface Structural {
  readonly kind: "leaf" | "view" | "gather" | "scatter" | "contraction" | "composite" | "scan" | "item";
  loop?(
    operands: readonly Numbers[],
    shapes: readonly Shape[],
    out: Numbers,
    shape: Shape,
    attributes: Attributes,
  ): void;
}

const compare = (evaluate: (a: number, b: number) => boolean, symbol: string): Elementwise => ({
  kind: "elementwise",
  arity: 2,
  integers: "float32",
  evaluate: (a, b) => (evaluate(a, b) ? 1 : 0),
  // What a compiler takes for sure of two equal operands is not so of NaN.
  wgsl: (a, b, _c, dtype) =>
    a === b && dtype === "float32" && symbol.endsWith("=")
      ? `select(1.0, 0.0, isNan(${a}))`
      : `select(0.0, 1.0, ${a} ${symbol} ${b})`,
});

const unary = (
  evaluate: (a: number) => number,
  wgsl: (a: string) => string,
  more: Pick<Elementwise, "expensive" | "operations"> = {},
): Elementwise => ({ kind: "elementwise", arity: 1, evaluate, wgsl, ...more });

const binary = (
  evaluate: (a: number, b: number) => number,
  wgsl: (a: string, b: string, dtype: DType) => string,
  more: Pick<Elementwise, "expensive" | "integers" | "operations"> = {},
): Elementwise => ({ kind: "elementwise", arity: 2, evaluate, wgsl: (a, b, _c, dtype) => wgsl(a, b, dtype), ...more });

/** WGSL of a literal zero, as a factor. */
const ZERO = /^\(?-?0\.?0?f\)?$/;

/** THE table: an operation is one row here and one in gradients.ts. */
export const OPS = {
  input: { kind: "leaf" },
  parameter: { kind: "leaf" },
  constant: { kind: "leaf" },
  /** 0, 1, 2, … along its only axis, int32. */
  iota: {
    kind: "leaf",
    loop(_operands, _shapes, out) {
      for (let i = 0; i < out.length; i++) out[i] = i;
    },
  },

  /** Axis i of the result is axis `axes[i]` of the operand. */
  permute: {
    kind: "view",
    loop([x], [from], out, shape, { axes = [] }) {
      const own = stridesOf(from as Shape);
      readAlong(
        x as Numbers,
        out,
        shape,
        axes.map((axis) => own[axis] as number),
      );
    },
  },
  reshape: {
    kind: "view",
    loop([x], _shapes, out) {
      out.set(x as Numbers);
    },
  },
  broadcast: {
    kind: "view",
    loop([x], [from], out, shape) {
      out.set(spread(x as Numbers, from as Shape, shape));
    },
  },
  /** Along each axis every `steps`-th element, from `starts` on; backwards where a step is negative. */
  slice: {
    kind: "view",
    loop([x], [from], out, shape, { starts = [], steps = [] }) {
      const own = stridesOf(from as Shape);
      const strides = own.map((stride, axis) => stride * (steps[axis] as number));
      const first = own.reduce((sum, stride, axis) => sum + stride * (starts[axis] as number), 0);
      readAlong(x as Numbers, out, shape, strides, first);
    },
  },
  /** Each axis with `starts` elements before it and as many behind it as the shape says, all `fill`. */
  pad: {
    kind: "view",
    loop([x], [from], out, shape, { starts = [], fill = 0 }) {
      out.fill(fill);
      const strides = stridesOf(shape);
      const own = from as Shape;
      const places = new Float64Array((x as Numbers).length);
      const every = Float64Array.from(out.keys());
      const first = strides.reduce((sum, stride, axis) => sum + stride * (starts[axis] as number), 0);
      readAlong(every, places, own, strides, first);
      places.forEach((place, i) => {
        out[place] = (x as Numbers)[i] as number;
      });
    },
  },
  /** A new last axis: element j of the window at place i of `axis` is element i · stride + j · dilation of it. */
  windows: {
    kind: "view",
    loop([x], [from], out, shape, { axis = 0, stride = 1, dilation = 1 }) {
      const strides = stridesOf(from as Shape);
      const along = strides[axis] as number;
      strides[axis] = along * stride;
      readAlong(x as Numbers, out, shape, [...strides, along * dilation]);
    },
  },
  /** Of the last two axes, equally long, what stands at the same place on both. */
  diagonal: {
    kind: "view",
    loop([x], [from], out, shape) {
      const strides = stridesOf(from as Shape);
      const last = strides.pop() as number;
      strides.push((strides.pop() as number) + last);
      readAlong(x as Numbers, out, shape, strides);
    },
  },

  add: binary(
    (a, b) => a + b,
    (a, b) => `(${a} + ${b})`,
    { integers: "int32" },
  ),
  sub: binary(
    (a, b) => a - b,
    (a, b, dtype) => (a === b && dtype === "float32" ? `vanishing(${a})` : `(${a} - ${b})`),
    { integers: "int32" },
  ),
  mul: binary(
    (a, b) => a * b,
    (a, b) => (ZERO.test(b) ? `vanishing(${a})` : `(${a} * ${b})`),
    { integers: "int32" },
  ),
  div: binary(
    (a, b) => a / b,
    (a, b) => `(${a} / ${b})`,
    { expensive: true },
  ),
  maximum: binary(
    (a, b) => Math.max(a, b),
    (a, b, dtype) => `${dtype === "int32" ? "max" : "larger"}(${a}, ${b})`,
    { integers: "int32" },
  ),
  minimum: binary(
    (a, b) => Math.min(a, b),
    (a, b, dtype) => `${dtype === "int32" ? "min" : "smaller"}(${a}, ${b})`,
    { integers: "int32" },
  ),
  pow: binary(power, (a, b) => `power(${a}, ${b})`, { expensive: true, operations: 400 }),
  gt: compare((a, b) => a > b, ">"),
  ge: compare((a, b) => a >= b, ">="),
  lt: compare((a, b) => a < b, "<"),
  le: compare((a, b) => a <= b, "<="),
  eq: compare((a, b) => a === b, "=="),
  mask: binary(
    (a, condition) => (condition !== 0 ? a : 0),
    (a, condition) => `select(${a}, 0.0, ${condition} == 0)`,
  ),

  neg: unary(
    (a) => -a,
    (a) => `(-${a})`,
  ),
  abs: unary(
    (a) => Math.abs(a),
    (a) => `abs(${a})`,
  ),
  square: unary(
    (a) => a * a,
    (a) => `(${a} * ${a})`,
  ),
  sqrt: unary(
    (a) => Math.sqrt(a),
    (a) => `sqrt(${a})`,
    { expensive: true },
  ),
  exp: unary(
    (a) => Math.exp(a),
    (a) => `exponential(${a})`,
    { expensive: true },
  ),
  log: unary(
    (a) => Math.log(a),
    (a) => `logarithm(${a})`,
    { expensive: true },
  ),
  /** log(1 + x), exp(x) - 1 and erf(x), accurate where x is small. */
  log1p: unary(Math.log1p, (a) => `logarithmOf1And(${a})`, { expensive: true }),
  expm1: unary(Math.expm1, (a) => `exponentialMinus1(${a})`, { expensive: true }),
  erf: unary(erf, (a) => `errorFunction(${a})`, { expensive: true }),
  sin: unary(Math.sin, (a) => `sineTurned(${a}, 0u)`, { expensive: true, operations: 150 }),
  cos: unary(Math.cos, (a) => `sineTurned(${a}, 1u)`, { expensive: true, operations: 150 }),
  /** -1, 0 or 1, and NaN of NaN. */
  sign: unary(Math.sign, (a) => `select(sign(${a}), ${a}, isNan(${a}))`),
  // What is 2^23 or more has no fraction, infinity and NaN among it.
  floor: unary(Math.floor, (a) => `select(floor(${a}), ${a}, isWhole(${a}))`),
  ceil: unary(Math.ceil, (a) => `select(ceil(${a}), ${a}, isWhole(${a}))`),
  round: unary(roundHalfToEven, (a) => `select(round(${a}), ${a}, isWhole(${a}))`),
  /** The operand, which is a constant to its derivative. */
  stopGradient: unary(
    (a) => a,
    (a) => a,
  ),

  relu: unary(
    (a) => Math.max(a, 0),
    // Negative numbers lie side by side as bits, -infinity the last of them.
    (a) => `select(${a}, 0.0, bitcast<u32>(${a}) - 0x80000000u <= 0x7f800000u)`,
  ),
  tanh: unary(
    (a) => Math.tanh(a),
    (a) => `tanhAccurate(${a})`,
    { expensive: true },
  ),
  sigmoid: unary(sigmoid, (a) => `sigmoid(${a})`, { expensive: true }),

  // Held to what both float32 and int32 have; NaN is 0.
  toInt32: unary(
    (a) => Math.min(Math.max(Math.trunc(a) || 0, -2147483648), 2147483520),
    (a) => `integer(${a})`,
  ),
  toFloat32: { kind: "elementwise", arity: 1, integers: "float32", evaluate: (a) => a, wgsl: (a) => `f32(${a})` },
  /** Uniform in [0, 1), 24 bits, from three int32 counters. */
  random: {
    kind: "elementwise",
    arity: 3,
    integers: "float32",
    expensive: true,
    evaluate: pcg3d,
    wgsl: (a, b, c) => `randomUniform(vec3i(${a}, ${b}, ${c}))`,
  },

  /**
   * Elements along one axis, x being [O, R, I] to both sides of it: by int32 [O or 1, n, I or 1] -> [O, n, I], in whatever shape. An index
   * outside is held to the nearest row.
   */
  take: {
    kind: "gather",
    loop([x, indices], [from, by], out, _shape, attributes) {
      eachIndexed(indices as Numbers, by as Shape, from as Shape, attributes, (element, at) => {
        out[at] = (x as Numbers)[element] as number;
      });
    },
  },
  /** Values [O, n, I] added in their order to the elements of x that `take` would give for them. */
  scatterAdd: {
    kind: "scatter",
    loop([x, indices, values], [from, by], out, _shape, attributes) {
      out.set(x as Numbers);
      eachIndexed(indices as Numbers, by as Shape, from as Shape, attributes, (element, at) => {
        out[element] = (out[element] as number) + ((values as Numbers)[at] as number);
      });
    },
  },

  /** [...batch, ...m, ...k] x [...batch, ...k, ...n] -> [...batch, ...m, ...n] */
  matmul: {
    kind: "contraction",
    loop([a, b], [aShape, bShape], out, _shape, attributes) {
      const x = a as Numbers;
      const y = b as Numbers;
      const { batch, M, N, K } = contractionSizes(aShape as Shape, bShape as Shape, attributes);
      for (let at = 0; at < batch * M; at++) {
        const row = at * N;
        const block = Math.floor(at / M) * K;
        for (let k = 0; k < K; k++) {
          const value = x[at * K + k] as number;
          const from = (block + k) * N;
          for (let n = 0; n < N; n++) out[row + n] = (out[row + n] as number) + value * (y[from + n] as number);
        }
      }
    },
  },

  sum: folded(0, (a, b) => a + b, {
    identity: "0.0",
    operator: "+",
    combine: (a, b) => `${a} + ${b}`,
    subgroup: "subgroupAdd",
    blocks: true,
  }),
  max: folded(Number.NEGATIVE_INFINITY, (a, b) => Math.max(a, b), {
    identity: "lowest()",
    combine: (a, b) => `larger(${a}, ${b})`,
    subgroup: "subgroupLarger",
  }),
  prod: folded(1, (a, b) => a * b, {
    identity: "1.0",
    operator: "*",
    combine: (a, b) => `${a} * ${b}`,
    subgroup: "subgroupMul",
  }),
  /** The first index of the largest element, int32; that of the first NaN where there is one, as NumPy's. */
  argmax: {
    kind: "reduction",
    loop(x, out, outer, length, inner) {
      for (let o = 0; o < outer; o++) {
        for (let i = 0; i < inner; i++) {
          let best = 0;
          for (let l = 1; l < length; l++) {
            const largest = x[(o * length + best) * inner + i] as number;
            const next = x[(o * length + l) * inner + i] as number;
            if (next > largest || (Number.isNaN(next) && !Number.isNaN(largest))) best = l;
          }
          out[o * inner + i] = best;
        }
      }
    },
  },

  /** Source: Goodfellow et al. 2016, §4.1: the maximum taken away first. */
  softmax: {
    kind: "composite",
    loop([x], _shapes, out, shape, attributes) {
      normalise(x as Numbers, out, shape, attributes, (e, sum) => Math.exp(e) / sum);
    },
  },
  logSoftmax: {
    kind: "composite",
    loop([x], _shapes, out, shape, attributes) {
      normalise(x as Numbers, out, shape, attributes, (e, sum) => e - Math.log(sum));
    },
  },

  /** x [N, C, ...space] by weight [O, C / groups, ...size] -> [N, O, ...places]. */
  conv: {
    kind: "composite",
    loop([x, weight], shapes, out, shape, { slides = [] }) {
      convolve(x as Numbers, weight as Numbers, out, [...shapes, shape] as unknown as [Shape, Shape, Shape], slides);
    },
  },

  /** What is computed again for a derivative rather than kept: checkpoint.ts. */
  checkpoint: { kind: "composite" },

  /** A step done again and again; what it is stands in scan.ts. Its parts lie one after another, and `item` is one of them. */
  scan: { kind: "scan" },
  item: {
    kind: "item",
    loop([x], _shapes, out, _shape, { from = 0 }) {
      out.set((x as Numbers).subarray(from, from + out.length));
    },
  },
} satisfies Record<string, Elementwise | Reduction | Structural>;

export type Op = keyof typeof OPS;
/** Reductions; and those that can be taken of parts. */
export type ReductionOp = { [K in Op]: (typeof OPS)[K] extends Reduction ? K : never }[Op];
export type FoldOp = { [K in ReductionOp]: (typeof OPS)[K] extends { readonly fold: Fold } ? K : never }[ReductionOp];
export type OpRow = Elementwise | Reduction | Structural;
export type CompositeOp = { [K in Op]: (typeof OPS)[K] extends { kind: "composite" } ? K : never }[Op];
export type ElementwiseOp = { [K in Op]: (typeof OPS)[K] extends Elementwise ? K : never }[Op];

export function rowOf(op: Op): OpRow {
  return OPS[op];
}

/** For each element `at` of [O, n, I], in order: the element of x that its index leads to, and which of the indices that is. */
export function eachIndexed(
  indices: Numbers,
  by: Shape,
  x: Shape,
  { from = 0, to = 0 }: Attributes,
  visit: (element: number, at: number, index: number) => void,
): void {
  const { outer, length, inner } = splitShape(x, from, to);
  const [ofOuter, count, ofInner] = by as readonly [number, number, number];
  for (let o = 0; o < outer; o++) {
    for (let k = 0; k < count; k++) {
      const first = ((ofOuter === 1 ? 0 : o) * count + k) * ofInner;
      for (let i = 0; i < inner; i++) {
        const index = first + (ofInner === 1 ? 0 : i);
        const row = Math.min(Math.max(indices[index] as number, 0), length - 1);
        visit((o * length + row) * inner + i, (o * count + k) * inner + i, index);
      }
    }
  }
}

/** The row of an elementwise operation, or null. */
export function elementwiseRow(op: Op): Elementwise | null {
  const row: OpRow = OPS[op];
  return row.kind === "elementwise" ? row : null;
}

/** A contraction as so many products [M, K] x [K, N], one for each place of its batch axes. */
export function contractionSizes(
  a: Shape,
  b: Shape,
  { batch = 0, terms = 1 }: Attributes,
): { batch: number; M: number; N: number; K: number } {
  const last = a.length - terms;
  return {
    batch: sizeOf(a.slice(0, batch)),
    M: sizeOf(a.slice(batch, last)),
    K: sizeOf(a.slice(last)),
    N: sizeOf(b.slice(batch + terms)),
  };
}

export function isFold(op: Op): op is FoldOp {
  const row: OpRow = OPS[op];
  return row.kind === "reduction" && row.fold !== undefined;
}

/** A tensor seen as [outer, length, inner], where `length` covers the axes `from` … `to - 1`. */
export function splitShape(shape: Shape, from: number, to: number): { outer: number; length: number; inner: number } {
  return { outer: sizeOf(shape.slice(0, from)), length: sizeOf(shape.slice(from, to)), inner: sizeOf(shape.slice(to)) };
}

/** `x` repeated to `shape` by NumPy's broadcasting; itself where nothing is repeated. */
export function spread(x: Numbers, from: Shape, shape: Shape): Numbers {
  if (sameShape(from, shape)) return x;
  const out = new Float64Array(sizeOf(shape));
  if (x.length === 1) return out.fill(x[0] as number);
  if (x.length === out.length) return x;
  const own = stridesOf(from);
  const lead = shape.length - from.length;
  readAlong(
    x,
    out,
    shape,
    shape.map((_, axis) => (axis < lead || from[axis - lead] === 1 ? 0 : (own[axis - lead] as number))),
  );
  return out;
}

/** Into each element of `out`, row-major in `shape`, the element of `x` that the strides lead to from the first one on. */
function readAlong(x: Numbers, out: Numbers, shape: Shape, strides: readonly number[], first = 0): void {
  const at = new Array<number>(shape.length).fill(0);
  let index = first;
  for (let i = 0; i < out.length; i++) {
    out[i] = x[index] as number;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index += strides[axis] as number;
      at[axis] = (at[axis] as number) + 1;
      if ((at[axis] as number) < (shape[axis] as number)) break;
      index -= (strides[axis] as number) * (shape[axis] as number);
      at[axis] = 0;
    }
  }
}

function folded(
  start: number,
  combine: (a: number, b: number) => number,
  fold: Fold,
): Reduction & { readonly fold: Fold } {
  return {
    kind: "reduction",
    fold,
    loop(x, out, outer, length, inner) {
      out.fill(start);
      for (let o = 0; o < outer; o++) {
        for (let l = 0; l < length; l++) {
          for (let i = 0; i < inner; i++) {
            const at = o * inner + i;
            out[at] = combine(out[at] as number, x[(o * length + l) * inner + i] as number);
          }
        }
      }
    },
  };
}

/** The same bits as the kernels'. */
function pcg3d(a: number, b: number, c: number): number {
  let x = (Math.imul(a, 1664525) + 1013904223) | 0;
  let y = (Math.imul(b, 1664525) + 1013904223) | 0;
  let z = (Math.imul(c, 1664525) + 1013904223) | 0;
  x = (x + Math.imul(y, z)) | 0;
  y = (y + Math.imul(z, x)) | 0;
  z = (z + Math.imul(x, y)) | 0;
  x ^= x >>> 16;
  y ^= y >>> 16;
  z ^= z >>> 16;
  x = (x + Math.imul(y, z)) | 0;
  return (x >>> 8) * 2 ** -24;
}

function roundHalfToEven(x: number): number {
  const nearest = Math.round(x);
  return nearest - x === 0.5 && nearest % 2 !== 0 ? nearest - 1 : nearest;
}

/** As C's and PyTorch's pow, which take 1 for 1 to any power, and for -1 to an infinite one. */
function power(a: number, b: number): number {
  return a === 1 || (a === -1 && Math.abs(b) === Number.POSITIVE_INFINITY) ? 1 : a ** b;
}

/** To the last bits of float64. Sources: Abramowitz and Stegun 1964, 7.1.6, whose terms are all positive, and 7.1.14, a continued fraction. */
export function erf(x: number): number {
  const t = Math.abs(x);
  if (!(t < 6)) return x > 0 ? 1 : x < 0 ? -1 : x;
  const scale = Math.exp(-t * t) / Math.sqrt(Math.PI);
  if (t > 3) {
    let fraction = t;
    for (let k = 60; k >= 1; k--) fraction = t + k / 2 / fraction;
    return Math.sign(x) * (1 - scale / fraction);
  }
  let [term, sum] = [t, t];
  for (let n = 1; term > 1e-18 * sum; n++) {
    term *= (2 * t * t) / (2 * n + 1);
    sum += term;
  }
  return Math.sign(x) * 2 * scale * sum;
}

function sigmoid(x: number): number {
  const e = Math.exp(-Math.abs(x));
  return (x < 0 ? e : 1) / (1 + e);
}

function normalise(
  x: Numbers,
  out: Numbers,
  shape: Shape,
  { from = 0, to = 0 }: Attributes,
  finish: (shifted: number, sum: number) => number,
): void {
  const { outer, length, inner } = splitShape(shape, from, to);
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      let max = -Infinity;
      for (let l = 0; l < length; l++) max = Math.max(max, x[(o * length + l) * inner + i] as number);
      let sum = 0;
      for (let l = 0; l < length; l++) sum += Math.exp((x[(o * length + l) * inner + i] as number) - max);
      for (let l = 0; l < length; l++) {
        const at = (o * length + l) * inner + i;
        out[at] = finish((x[at] as number) - max, sum);
      }
    }
  }
}
