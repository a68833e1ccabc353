import { checkFlag, checkOptions, isNumbers, shown } from "../util/checks";
import { ShapeError } from "../util/errors";
import { broadcastShapes, formatShape, type Shape, sameShape, sizeOf } from "../util/shape";
import { type Axes, axesOf, checkAxis, checkShape, isPair, keeps, without, withoutOpen } from "./axes";
import { type Attributes, type DType, type ElementwiseOp, elementwiseRow, type FoldOp, type Op } from "./ops";
import {
  type ConvOptions,
  checkGroups,
  numbers,
  type PoolOptions,
  type Slide,
  slidesOf,
  slidLengths,
  spaceOf,
} from "./sliding";

/** What operations take: a tensor, or a number, which stands for a constant []. */
export type Operand = Tensor | number;
/** The largest float32. */
const LARGEST = (2 - 2 ** -23) * 2 ** 127;

let nextId = 0;

/**
 * A symbol: an operation, its operands and a shape. It holds no numbers and knows no device, so there
 * is nothing to dispose. Shapes are checked here, when it is built.
 */
export class Tensor {
  /** As messages call it, whatever a minifier makes of the class. */
  static readonly name = "Tensor";
  /** Grows with creation, so that operands always have smaller ids than what is made of them. */
  readonly id = nextId++;
  /** @internal Built by the functions of this file only. */
  constructor(
    readonly op: Op,
    readonly operands: readonly Tensor[],
    readonly shape: Shape,
    readonly dtype: DType = "float32",
    readonly attributes: Attributes = {},
  ) {}

  /** @internal The same of other operands. */
  withOperands(operands: readonly Tensor[]): Tensor {
    return new Tensor(this.op, operands, this.shape, this.dtype, this.attributes);
  }

  /** Elementwise, with NumPy's broadcasting: [..] + [..] -> the broadcast shape. Throws ShapeError where they do not fit. */
  add(b: Operand): Tensor {
    return elementwise("add", this, b);
  }
  sub(b: Operand): Tensor {
    return elementwise("sub", this, b);
  }
  mul(b: Operand): Tensor {
    return elementwise("mul", this, b);
  }
  div(b: Operand): Tensor {
    return elementwise("div", this, b);
  }
  maximum(b: Operand): Tensor {
    return elementwise("maximum", this, b);
  }
  minimum(b: Operand): Tensor {
    return elementwise("minimum", this, b);
  }
  /**
   * This to the power `b`, as C's and PyTorch's pow: of negative numbers to integers only, else NaN; 1 to the power 0, and 0 to a negative
   * one is infinity. The derivative in `b` is 0 where this is 0 and `b` is not negative.
   */
  pow(b: Operand): Tensor {
    return elementwise("pow", this, b);
  }
  neg(): Tensor {
    return elementwise("neg", this);
  }
  abs(): Tensor {
    return elementwise("abs", this);
  }
  square(): Tensor {
    return elementwise("square", this);
  }
  sqrt(): Tensor {
    return elementwise("sqrt", this);
  }
  exp(): Tensor {
    return elementwise("exp", this);
  }
  log(): Tensor {
    return elementwise("log", this);
  }
  relu(): Tensor {
    return elementwise("relu", this);
  }
  tanh(): Tensor {
    return elementwise("tanh", this);
  }
  sigmoid(): Tensor {
    return elementwise("sigmoid", this);
  }

  /** log(1 + this), accurate where this is small. */
  log1p(): Tensor {
    return elementwise("log1p", this);
  }
  /** exp(this) - 1, accurate where this is small. */
  expm1(): Tensor {
    return elementwise("expm1", this);
  }
  /** The error function, 2/√π ∫₀ˣ exp(-t²) dt. */
  erf(): Tensor {
    return elementwise("erf", this);
  }
  /** Of radians, as near for large numbers as for small ones. */
  sin(): Tensor {
    return elementwise("sin", this);
  }
  cos(): Tensor {
    return elementwise("cos", this);
  }
  /** -1, 0 or 1. Its derivative is 0, as that of `floor`, `ceil` and `round`. */
  sign(): Tensor {
    return elementwise("sign", this);
  }
  floor(): Tensor {
    return elementwise("floor", this);
  }
  ceil(): Tensor {
    return elementwise("ceil", this);
  }
  /** To the nearest integer, halves to the even one. */
  round(): Tensor {
    return elementwise("round", this);
  }
  /** This, as a constant to `grad`. */
  stopGradient(): Tensor {
    return elementwise("stopGradient", this);
  }

  reciprocal(): Tensor {
    return literal(1).div(this);
  }
  rsqrt(): Tensor {
    return this.sqrt().reciprocal();
  }
  /** Held between `min` and `max`, both included; the derivative is 1 there and 0 outside. Throws RangeError for numbers in the wrong order. */
  clip(min: Operand, max: Operand): Tensor {
    if (typeof min === "number" && typeof max === "number" && !(min <= max))
      throw new RangeError(`clip: min is ${min} and max ${max}; min must not be greater`);
    const above = where(this.lt(min), min, this);
    return where(above.gt(max), max, above);
  }
  /** x Φ(x), with the normal distribution's Φ; "tanh" is its approximation. Source: Hendrycks and Gimpel 2016. */
  gelu(approximate: "none" | "tanh" = "none"): Tensor {
    if (approximate !== "none" && approximate !== "tanh")
      throw new TypeError(`gelu: approximate is ${shown(approximate)}; it must be "none" or "tanh"`);
    const inner =
      approximate === "none"
        ? this.mul(Math.SQRT1_2).erf()
        : this.add(this.square().mul(this).mul(0.044715))
            .mul(Math.sqrt(2 / Math.PI))
            .tanh();
    return this.mul(0.5).mul(inner.add(1));
  }
  /** x σ(x). Source: Elfwing et al. 2018. */
  silu(): Tensor {
    return this.mul(this.sigmoid());
  }
  /** log(1 + eˣ), finite for any finite x. */
  softplus(): Tensor {
    // maximum, not relu: its derivative at 0 is 1/2, as that of the whole.
    return this.maximum(0).add(this.abs().neg().exp().log1p());
  }
  /** x above 0, alpha (eˣ - 1) up to it. Source: Clevert et al. 2016. */
  elu(alpha = 1): Tensor {
    const [above, below] = this.parted();
    return above.add(below.expm1().mul(alpha));
  }
  /** x above 0, slope x up to it. Source: Maas et al. 2013. */
  leakyRelu(slope = 0.01): Tensor {
    const [above, below] = this.parted();
    return above.add(below.mul(slope));
  }
  /** What is above 0, NaN with it, and what is not, each with zeros for the other. */
  private parted(): [Tensor, Tensor] {
    const below = this.le(0);
    return [this.mask(below.eq(0)), this.mask(below)];
  }

  /** 1 where this is greater than `b`, 0 elsewhere. Both float32, or both int32; the result is float32. */
  gt(b: Operand): Tensor {
    return elementwise("gt", this, b);
  }
  ge(b: Operand): Tensor {
    return elementwise("ge", this, b);
  }
  lt(b: Operand): Tensor {
    return elementwise("lt", this, b);
  }
  le(b: Operand): Tensor {
    return elementwise("le", this, b);
  }
  eq(b: Operand): Tensor {
    return elementwise("eq", this, b);
  }
  ne(b: Operand): Tensor {
    return this.eq(b).eq(0);
  }
  /** This where `condition` is nonzero, 0 elsewhere. `grad.mask(h.ge(0))` is NumPy's `grad[h < 0] = 0`. */
  mask(condition: Tensor): Tensor {
    return elementwise("mask", this, condition);
  }

  /** The integer part, as int32. Values beyond 32 bits are held to the nearest. */
  toInt32(): Tensor {
    return this.dtype === "int32" ? this : elementwise("toInt32", this);
  }
  /** The same numbers as float32: an int32 beyond 2^24 is rounded. */
  toFloat32(): Tensor {
    return this.dtype === "float32" ? this : elementwise("toFloat32", this);
  }

  /**
   * NumPy's `take` along an axis: [..., R, ...] by int32 indices of any shape [...I] -> [..., ...I, ...]. An index outside, a negative one
   * among them, is held to the nearest row. Its derivative adds rows up in the order of the indices. Throws ShapeError where the axis is not there.
   */
  take(indices: Tensor, axis = 0): Tensor {
    checkIndices("take", indices);
    if (this.shape.length === 0) throw new ShapeError("take: a scalar has no rows to take");
    const place = checkAxis("take", this.shape, axis);
    const shape = [...this.shape.slice(0, place), ...indices.shape, ...this.shape.slice(place + 1)];
    checkShape("take", shape);
    return taken(this, { from: place, to: place + 1 }, indices.reshape([1, sizeOf(indices.shape), 1]), shape);
  }

  /**
   * NumPy's `take_along_axis`: element j along `axis` is the one that `indices` names there. `indices`, int32, has as many axes as this,
   * and but for `axis` broadcasts with it: [..., R, ...] by [..., n, ...] -> [..., n, ...]. An index outside, a negative one among them, is
   * held to the nearest element. Throws ShapeError where the shapes do not fit.
   */
  takeAlong(indices: Tensor, axis: number): Tensor {
    checkIndices("takeAlong", indices);
    const place = checkAxis("takeAlong", this.shape, axis);
    const [rows, count] = [this.shape[place] as number, indices.shape[place] ?? 1];
    const along = (shape: Shape, length: number) => shape.map((each, at) => (at === place ? length : each));
    const joint = broadcastShapes(along(this.shape, 1), along(indices.shape, 1));
    if (joint === null || indices.shape.length !== this.shape.length) {
      throw new ShapeError(
        `takeAlong: indices are ${formatShape(indices.shape)} for a tensor of shape ${formatShape(this.shape)} along axis ${axis}; they must have as many axes, each but that one as long or 1`,
      );
    }
    const shape = along(joint, count);
    checkShape("takeAlong", shape);
    const parts = [sizeOf(joint.slice(0, place)), count, sizeOf(joint.slice(place + 1))];
    const x = this.broadcastTo(along(joint, rows));
    return taken(x, { from: place, to: place + 1 }, indices.broadcastTo(shape).reshape(parts), shape);
  }

  /**
   * This with `values[i]` added to row `indices[i]`: [R, ...] by int32 [...I] and [...I, ...] -> [R, ...]. Rows named twice get both, added
   * one after another in the order of i, so that the bits are the same every time. An index outside is held to the nearest row, so that
   * this is the derivative of `take`. Throws ShapeError where the shapes do not fit.
   */
  scatterAdd(indices: Tensor, values: Tensor): Tensor {
    checkIndices("scatterAdd", indices);
    if (!(values instanceof Tensor))
      throw new TypeError(`scatterAdd: the values must be a Tensor, not ${shown(values, Tensor)}`);
    floats("scatterAdd", this, values);
    if (this.shape.length === 0) throw new ShapeError("scatterAdd: a scalar has no rows to add to");
    const rest = this.shape.slice(1);
    if (!sameShape(values.shape, [...indices.shape, ...rest])) {
      throw new ShapeError(
        `scatterAdd: values are ${formatShape(values.shape)} for indices ${formatShape(indices.shape)} into rows of ${formatShape(this.shape)}; they must be ${formatShape([...indices.shape, ...rest])}`,
      );
    }
    return scattered(this, { from: 0, to: 1 }, indices.reshape([1, sizeOf(indices.shape), 1]), values);
  }

  /**
   * NumPy's: [..., n, k] x [..., k, m] -> [..., n, m], leading axes broadcast. Throws ShapeError where the inner sizes differ, or
   * the leading axes do not fit.
   */
  matmul(b: Tensor): Tensor {
    if (!(b instanceof Tensor)) throw new TypeError(`matmul: the operand must be a Tensor, not ${shown(b, Tensor)}`);
    floats("matmul", this, b);
    const [K, N] = b.shape.slice(-2);
    if (K === undefined || N === undefined) {
      throw new ShapeError(
        `matmul: b must have at least two axes [..., k, m], it is ${formatShape(b.shape)} and a is ${formatShape(this.shape)}; reshape it first`,
      );
    }
    if (this.shape.length < 2) {
      throw new ShapeError(
        `matmul: a must have at least two axes [..., n, k], it is ${formatShape(this.shape)}; a.reshape([1, ${sizeOf(this.shape)}]) makes one row of it`,
      );
    }
    const inner = this.shape[this.shape.length - 1];
    if (inner !== K) {
      throw new ShapeError(
        `matmul: inner sizes differ: a is ${formatShape(this.shape)}, b is ${formatShape(b.shape)}; a.shape[${this.shape.length - 1}] must equal b.shape[${b.shape.length - 2}]`,
      );
    }
    const lead = this.shape.slice(0, -1);
    // Rows by one matrix are rows of one product.
    if (b.shape.length === 2) return contraction(this.reshape([sizeOf(lead), K]), b, 0, 1).reshape([...lead, N]);
    const batch = broadcastShapes(this.shape.slice(0, -2), b.shape.slice(0, -2));
    if (batch === null) {
      throw new ShapeError(
        `matmul: leading axes of a ${formatShape(this.shape)} and b ${formatShape(b.shape)} do not broadcast; each but the last two, from the last, must be equal or 1`,
      );
    }
    const over = (x: Tensor) => x.broadcastTo([...batch, ...x.shape.slice(-2)]);
    return contraction(over(this), over(b), batch.length, 1);
  }

  /** Swaps the last two axes; a view: no kernel runs for it. Throws ShapeError where there are fewer than two. */
  get T(): Tensor {
    const rank = this.shape.length;
    if (rank < 2) {
      throw new ShapeError(
        `T: swaps the last two axes, and a tensor of shape ${formatShape(this.shape)} has only ${rank}`,
      );
    }
    return this.permute([...Array(rank - 2).keys(), rank - 1, rank - 2]);
  }

  /** Axis i of the result is axis `axes[i]` of this; a view: no kernel runs for it. Throws ShapeError where an axis is left out or there twice. */
  permute(axes: readonly number[]): Tensor {
    const places = Array.isArray(axes) ? axes.map((axis) => checkAxis("permute", this.shape, axis)) : [];
    if (places.length !== this.shape.length || new Set(places).size !== places.length) {
      throw new ShapeError(
        `permute: axes are ${String(axes)} of a tensor of shape ${formatShape(this.shape)}; each of its axes must be there once`,
      );
    }
    const shape = places.map((axis) => this.shape[axis] as number);
    return new Tensor("permute", [this], shape, this.dtype, { axes: places });
  }

  /** The same elements in the same row-major order; one length may be -1, for what is left. Throws ShapeError where the sizes differ. */
  reshape(given: Shape): Tensor {
    const shape = withoutOpen(given, sizeOf(this.shape));
    checkShape("reshape", shape);
    if (sizeOf(shape) !== sizeOf(this.shape)) {
      throw new ShapeError(
        `reshape: ${formatShape(this.shape)} has ${sizeOf(this.shape)} elements, ${formatShape(shape)} would have ${sizeOf(shape)}; they must be equal`,
      );
    }
    return sameShape(shape, this.shape) ? this : new Tensor("reshape", [this], [...shape], this.dtype);
  }

  /** Repeats axes of length 1 (and missing leading ones) up to `shape`; a view. Throws ShapeError where it does not fit. */
  broadcastTo(shape: Shape): Tensor {
    checkShape("broadcastTo", shape);
    const joint = broadcastShapes(this.shape, shape);
    if (joint === null || !sameShape(joint, shape)) {
      throw new ShapeError(`broadcastTo: ${formatShape(this.shape)} cannot be repeated to ${formatShape(shape)}`);
    }
    return sameShape(shape, this.shape) ? this : new Tensor("broadcast", [this], [...shape], this.dtype);
  }

  /**
   * NumPy's `x[..., from:to:step, ...]` on one axis; a view. Negative ends count from the end, and are held to it; a negative step goes
   * backwards, from the last element where `from` is left out. Throws RangeError for a step of 0, ShapeError where nothing is left.
   */
  slice(axis: number, from?: number, to?: number, step = 1): Tensor {
    const place = checkAxis("slice", this.shape, axis);
    const length = this.shape[place] as number;
    for (const [name, value] of Object.entries({ from, to, step })) {
      if (value !== undefined && !Number.isSafeInteger(value))
        throw new RangeError(`slice: ${name} is ${shown(value)}; it must be an integer`);
    }
    if (step === 0) throw new RangeError("slice: a step of 0 goes nowhere; it must be 1 or more, or -1 or less");
    const held = (end: number) => Math.min(Math.max(end < 0 ? end + length : end, step < 0 ? -1 : 0), length);
    const start = Math.min(
      from === undefined ? (step < 0 ? length - 1 : 0) : held(from),
      step < 0 ? length - 1 : length,
    );
    const end = to === undefined ? (step < 0 ? -1 : length) : held(to);
    const count = Math.ceil((end - start) / step);
    if (count < 1) {
      throw new ShapeError(
        `slice: from ${from ?? "the beginning"} to ${to ?? "the end"} by ${step} leaves nothing of axis ${axis} of ${formatShape(this.shape)}`,
      );
    }
    const along = (value: number, rest: number) => this.shape.map((_, each) => (each === place ? value : rest));
    const attributes = { starts: along(start, 0), steps: along(step, 1) };
    const shape = this.shape.map((each, at) => (at === place ? count : each));
    return new Tensor("slice", [this], shape, this.dtype, attributes);
  }

  /**
   * With `widths` [before, after] elements more on each axis, all of them `value`; a view. Throws ShapeError where there is not one pair
   * for each axis, RangeError for a width below 0.
   */
  pad(widths: readonly (readonly [number, number])[], value = 0): Tensor {
    const given: unknown = widths;
    if (!Array.isArray(given) || given.length !== this.shape.length || !given.every(isPair)) {
      throw new ShapeError(
        `pad: the widths are ${JSON.stringify(given)} for a tensor of shape ${formatShape(this.shape)}; there must be one [before, after] an axis`,
      );
    }
    for (const width of widths.flat()) {
      if (!Number.isSafeInteger(width) || width < 0)
        throw new RangeError(`pad: a width is ${shown(width)}; it must be an integer of at least 0`);
    }
    literal(value, this.dtype);
    return this.padded(widths, value);
  }
  /** @internal As `pad`, with -Infinity as a value too; a width below 0 cuts so much off. */
  padded(widths: readonly (readonly [number, number])[], value: number): Tensor {
    const kept = widths.reduce<Tensor>((x, [before, after], axis) => {
      const length = x.shape[axis] as number;
      return before < 0 || after < 0 ? x.slice(axis, Math.max(0, -before), length + Math.min(0, after)) : x;
    }, this);
    const around = widths.map(([before, after]) => [Math.max(0, before), Math.max(0, after)] as const);
    const shape = kept.shape.map((length, axis) => length + (around[axis]?.[0] ?? 0) + (around[axis]?.[1] ?? 0));
    if (sameShape(shape, kept.shape)) return kept;
    checkShape("pad", shape);
    const fill = this.dtype === "float32" ? Math.fround(value) : value;
    return new Tensor("pad", [kept], shape, this.dtype, { starts: around.map(([before]) => before), fill });
  }

  /**
   * @internal Windows of `size` elements along an axis, `stride` apart, their elements `dilation` apart, as a new last axis; a view:
   * [..., L, ...] -> [..., places, ..., size]. NumPy's sliding_window_view.
   */
  windows(axis: number, size: number, stride = 1, dilation = 1): Tensor {
    const places = Math.floor(((this.shape[axis] as number) - 1 - (size - 1) * dilation) / stride) + 1;
    const shape = this.shape.map((length, each) => (each === axis ? places : length));
    return new Tensor("windows", [this], [...shape, size], this.dtype, { axis, stride, dilation });
  }
  /** @internal [..., L, L] -> [..., L]: what stands at the same place on the last two axes; a view. */
  diagonal(): Tensor {
    return new Tensor("diagonal", [this], this.shape.slice(0, -1), this.dtype);
  }
  /** @internal The elements along an axis `step` apart, zeros between: [..., L, ...] -> [..., (L - 1) step + 1, ...]. */
  spaced(axis: number, step: number): Tensor {
    if (step === 1) return this;
    const [before, length, after] = [this.shape.slice(0, axis), this.shape[axis] as number, this.shape.slice(axis + 1)];
    const apart = this.reshape([...before, length, 1, ...after]);
    const wide = apart.pad(apart.shape.map((_, each) => [0, each === axis + 1 ? step - 1 : 0] as const));
    return wide.reshape([...before, length * step, ...after]).slice(axis, 0, (length - 1) * step + 1);
  }

  /** Over one axis, several, or all elements to a scalar of shape []. A negative axis counts from the last. */
  sum(axis?: Axes, options?: { keepDims?: boolean }): Tensor {
    return reduction("sum", this, axis, options);
  }
  mean(axis?: Axes, options?: { keepDims?: boolean }): Tensor {
    const sum = this.sum(axis, options);
    return sum.mul(sizeOf(sum.shape) / sizeOf(this.shape));
  }
  max(axis?: Axes, options?: { keepDims?: boolean }): Tensor {
    return reduction("max", this, axis, options);
  }
  min(axis?: Axes, options?: { keepDims?: boolean }): Tensor {
    floats("min", this);
    return reduction("max", this.neg(), axis, options, "min").neg();
  }
  /** The product; its derivative is right where factors are 0. */
  prod(axis?: Axes, options?: { keepDims?: boolean }): Tensor {
    return reduction("prod", this, axis, options);
  }
  /**
   * The mean square of the deviations from the mean, which is taken away first: 1,000 ± 1 keeps its digits in float32. Divides by
   * n - correction, n the number of elements. Throws RangeError where that is not above 0.
   */
  variance(axis?: Axes, options: { keepDims?: boolean; correction?: number } = {}): Tensor {
    checkOptions("variance", options, ["keepDims", "correction"]);
    const { keepDims = false, correction = 0 } = options;
    const squares = this.sub(this.mean(axis, { keepDims: true }))
      .square()
      .sum(axis, { keepDims });
    const count = sizeOf(this.shape) / sizeOf(squares.shape);
    if (!(count - correction > 0))
      throw new RangeError(`variance: of ${count} elements with a correction of ${correction}; there must be more`);
    return squares.mul(1 / (count - correction));
  }
  /** Sums of all elements up to each, along one axis: [..., L, ...] -> [..., L, ...]. Its error grows with √L, not with L. */
  cumsum(axis: number): Tensor {
    floats("cumsum", this);
    const place = checkAxis("cumsum", this.shape, axis);
    const last = this.shape.length - 1;
    const order = [...this.shape.keys()].filter((each) => each !== place);
    const sums = runningSums(this.permute([...order, place]));
    return sums.permute(this.shape.map((_, each) => (each === place ? last : order.indexOf(each))));
  }
  /** log Σ exp, the maximum taken away first; finite for any finite input. */
  logSumExp(axis?: Axes, options?: { keepDims?: boolean }): Tensor {
    // Held to what float32 has: of rows of infinities the difference would be NaN.
    const largest = this.max(axis, { keepDims: true }).maximum(-LARGEST).minimum(LARGEST).stopGradient();
    const sum = this.sub(largest).exp().sum(axis, options);
    return sum.log().add(largest.reshape(sum.shape));
  }
  /** The first index of the largest element along `axis`, int32. */
  argmax(axis: number): Tensor {
    floats("argmax", this);
    const from = checkAxis("argmax", this.shape, axis);
    return new Tensor("argmax", [this], without(this.shape, from, from + 1), "int32", { from, to: from + 1 });
  }
  /** The first index of the smallest. */
  argmin(axis: number): Tensor {
    return this.neg().argmax(axis);
  }

  /** Over `axis` (default: the last), the maximum taken away first; finite for any finite input. Rows sum to 1.
   *  Source: Goodfellow et al. 2016, §4.1. */
  softmax(axis = -1): Tensor {
    return normalisation("softmax", this, axis);
  }
  logSoftmax(axis = -1): Tensor {
    return normalisation("logSoftmax", this, axis);
  }

  /**
   * This [N, C, ...space] by `weight` [O, C / groups, ...kernel] -> [N, O, ...places], one or two axes of space: PyTorch's conv1d and
   * conv2d. Throws ShapeError where channels, groups and weight do not fit, or a kernel is longer than an axis with its padding.
   * Source: Dumoulin and Visin 2016.
   */
  conv(weight: Tensor, options: ConvOptions = {}): Tensor {
    checkOptions("conv", options, ["stride", "padding", "dilation", "groups"]);
    const { groups = 1 } = options;
    const sizes = kernelOf("conv", this, weight);
    const [O, perGroup] = weight.shape as readonly [number, number];
    checkGroups("conv", groups, this.shape[1] as number, O);
    if (perGroup * groups !== this.shape[1]) {
      throw new ShapeError(
        `conv: the weight is ${formatShape(weight.shape)} and the operand ${formatShape(this.shape)} in ${groups} groups; weight.shape[1] must be ${(this.shape[1] as number) / groups}`,
      );
    }
    return convolved("conv", this, weight, slidesOf("conv", sizes, options), groups);
  }

  /**
   * PyTorch's conv_transpose1d and conv_transpose2d, the derivative of a convolution as an operation: this [N, C, ...space] by `weight`
   * [C, O / groups, ...kernel] -> [N, O, ...places], with (length - 1) stride - before - after + dilation (kernel - 1) + outputPadding + 1
   * places. Throws as `conv`; `padding` is a number or numbers.
   */
  convTranspose(weight: Tensor, options: ConvOptions & { outputPadding?: number | readonly number[] } = {}): Tensor {
    const part = "convTranspose";
    checkOptions(part, options, ["stride", "padding", "dilation", "groups", "outputPadding"]);
    const { groups = 1, outputPadding = 0, padding } = options;
    if (padding === "same") throw new RangeError(`${part}: padding "same" has no meaning here; give numbers`);
    const sizes = kernelOf(part, this, weight);
    const C = weight.shape[0] as number;
    checkGroups(part, groups, this.shape[1] as number, C);
    if (C !== this.shape[1]) {
      throw new ShapeError(
        `${part}: the weight is ${formatShape(weight.shape)} and the operand ${formatShape(this.shape)}; weight.shape[0] must be ${this.shape[1]}`,
      );
    }
    const more = numbers(part, "outputPadding", outputPadding, sizes.length, 0);
    const slides = slidesOf(part, sizes, options).map((slide, axis): Slide => {
      const reach = (slide.size - 1) * slide.dilation;
      const extra = more[axis] as number;
      if (extra >= Math.max(slide.stride, slide.dilation))
        throw new RangeError(`${part}: outputPadding is ${extra}; it must be less than the stride or the dilation`);
      const after = reach - slide.after + extra;
      return { ...slide, stride: 1, spacing: slide.stride, before: reach - slide.before, after };
    });
    return convolved(part, this, turned(weight, groups), slides, groups);
  }

  /**
   * The largest of each window: [N, C, ...space] -> [N, C, ...places], PyTorch's max_pool1d and max_pool2d. Its derivative goes to the
   * first of equal ones. Throws ShapeError where a window does not fit, RangeError for a padding of more than half of it.
   */
  maxPool(size: number | readonly number[], options: PoolOptions = {}): Tensor {
    const { windows, slides } = pooled("maxPool", this, size, options, Number.NEGATIVE_INFINITY);
    for (const { size, before, after } of slides) {
      if (2 * Math.max(before, after) > size)
        throw new RangeError(
          `maxPool: a padding of ${Math.max(before, after)} for windows of ${size}; at most half of it`,
        );
    }
    const from = windows.shape.length - slides.length;
    const [places, sizes] = [windows.shape.slice(0, from), windows.shape.slice(from)];
    const first = new Tensor("argmax", [windows], places, "int32", { from, to: windows.shape.length });
    const picked = windows.mask(
      first.reshape([...places, ...sizes.map(() => 1)]).eq(iota(sizeOf(sizes)).reshape(sizes)),
    );
    return picked.sum(sizes.map((_, i) => from + i));
  }

  /** The mean of each window; padding counts as zeros unless `includePadding` is false. PyTorch's avg_pool1d and avg_pool2d. */
  avgPool(size: number | readonly number[], options: PoolOptions & { includePadding?: boolean } = {}): Tensor {
    const { includePadding = true, ...others } = options;
    checkFlag("avgPool", "includePadding", includePadding);
    const { windows, slides } = pooled("avgPool", this, size, others, 0);
    const from = windows.shape.length - slides.length;
    const sums = windows.sum(slides.map((_, i) => from + i));
    if (includePadding) return sums.mul(1 / slides.reduce((count, { size }) => count * size, 1));
    // Along each axis, how many of a window's elements are the operand's own.
    const counts = slides.map(({ size, stride, before }, i) => {
      const length = this.shape[2 + i] as number;
      const own = Float32Array.from({ length: sums.shape[2 + i] as number }, (_, place) => {
        const begin = place * stride - before;
        return Math.min(begin + size, length) - Math.max(begin, 0);
      });
      return constant(
        own,
        slides.map((_, axis) => (axis === i ? own.length : 1)),
      );
    });
    return sums.div(counts.reduce((product, count) => product.mul(count)));
  }

  /** int32 class indices [...] -> float32 rows [..., classes] of 0 and 1; an index outside gives a row of zeros. */
  oneHot(classes: number): Tensor {
    if (this.dtype !== "int32") throw new TypeError(`oneHot: indices must be int32, they are ${this.dtype}`);
    return this.reshape([...this.shape, 1]).eq(iota(classes));
  }
}

/** Elements that are summed up to one of them directly; more go in blocks, whose own sums are summed so first. */
const RUN = 32;

/** Sums up to each element along the last axis. */
function runningSums(x: Tensor): Tensor {
  const lead = x.shape.slice(0, -1);
  const length = x.shape[lead.length] as number;
  const none = lead.map(() => [0, 0] as const);
  const upTo = (each: Tensor, count: number) => {
    const axis = each.shape.length - 1;
    const before = each.shape.map((_, i) => (i === axis ? ([count - 1, 0] as const) : ([0, 0] as const)));
    return each.pad(before).windows(axis, count).sum(-1);
  };
  if (length <= RUN) return upTo(x, length);
  const block = Math.ceil(Math.sqrt(length));
  const blocks = Math.ceil(length / block);
  const cut = x.pad([...none, [0, blocks * block - length]]).reshape([...lead, blocks, block]);
  const ends = runningSums(cut.sum(-1));
  const before = ends.pad([...none, [1, 0]]).slice(-1, 0, blocks);
  const sums = upTo(cut, block).add(before.reshape([...lead, blocks, 1]));
  return sums.reshape([...lead, blocks * block]).slice(-1, 0, length);
}

/** The kernel's lengths along the axes of space that a tensor and a weight have both. */
function kernelOf(part: string, x: Tensor, weight: Tensor): readonly number[] {
  if (!(weight instanceof Tensor))
    throw new TypeError(`${part}: the weight must be a Tensor, not ${shown(weight, Tensor)}`);
  floats(part, x, weight);
  const space = spaceOf(part, x.shape);
  if (weight.shape.length !== x.shape.length) {
    throw new ShapeError(
      `${part}: the weight is ${formatShape(weight.shape)} and the operand ${formatShape(x.shape)}; both must have ${space.length} axes of space after two others`,
    );
  }
  return weight.shape.slice(2);
}

/** x [N, C, ...space] by weight [O, C / groups, ...size] as the slides say. Throws ShapeError where a window does not fit. */
export function convolved(part: string, x: Tensor, weight: Tensor, slides: readonly Slide[], groups: number): Tensor {
  const shape = [x.shape[0] as number, weight.shape[0] as number, ...slidLengths(part, x.shape, slides)];
  checkShape(part, shape);
  return new Tensor("conv", [x, weight], shape, "float32", { slides, groups });
}

/** Windows that slide over the axes of space, their elements as the last axes. */
function pooled(
  part: string,
  x: Tensor,
  size: number | readonly number[],
  options: PoolOptions,
  fill: number,
): { windows: Tensor; slides: readonly Slide[] } {
  checkOptions(part, options, ["stride", "padding"]);
  floats(part, x);
  const sizes = numbers(part, "size", size, spaceOf(part, x.shape).length, 1);
  const { stride = sizes, padding = 0 } = options;
  const slides = slidesOf(part, sizes, { stride, padding });
  slidLengths(part, x.shape, slides);
  return { windows: windowsOf(x, slides, fill), slides };
}

/** Windows along the last axes, `fill` around them: [..., ...space] -> [..., ...places, ...sizes]; a view but for elements that are spaced. */
export function windowsOf(x: Tensor, slides: readonly Slide[], fill: number): Tensor {
  const first = x.shape.length - slides.length;
  const spaced = slides.reduce((image, { spacing }, i) => image.spaced(first + i, spacing), x);
  const widths = x.shape.map((_, axis) => {
    const { before = 0, after = 0 } = slides[axis - first] ?? {};
    return [before, after] as const;
  });
  return slides.reduce(
    (image, { size, stride, dilation }, i) => image.windows(first + i, size, stride, dilation),
    spaced.padded(widths, fill),
  );
}

/** [O, C / groups, ...size] as what leads back: [C, O / groups, ...size], its elements in the other order. */
export function turned(weight: Tensor, groups: number): Tensor {
  const [O, perGroup] = weight.shape as readonly [number, number];
  const sizes = weight.shape.slice(2);
  const swapped = weight
    .reshape([groups, O / groups, perGroup, ...sizes])
    .permute([0, 2, 1, ...sizes.map((_, i) => 3 + i)])
    .reshape([groups * perGroup, O / groups, ...sizes]);
  return sizes.reduce((x, _, i) => x.slice(2 + i, undefined, undefined, -1), swapped);
}

/** A value given anew at each run. */
export function input(shape: Shape, dtype: DType = "float32"): Tensor {
  checkShape("input", shape);
  if (dtype !== "float32" && dtype !== "int32") {
    throw new TypeError(`input: dtype must be "float32" or "int32", not ${String(dtype)}`);
  }
  return new Tensor("input", [], [...shape], dtype);
}

/** A float32 value that stays on the device between runs: a weight, or an optimizer's moment. Zero until written. */
export function parameter(shape: Shape): Tensor {
  checkShape("parameter", shape);
  return new Tensor("parameter", [], [...shape]);
}

/** Literal numbers, float32, uploaded once. Throws ShapeError where their count is not that of `shape`, RangeError where
 *  one is not finite in float32. */
export function constant(values: ArrayLike<number>, shape: Shape): Tensor {
  checkShape("constant", shape);
  if (!isNumbers(values))
    throw new TypeError(`constant: the values are ${shown(values)}; they must be an array of numbers`);
  if (Array.isArray(values[0])) throw new TypeError("constant: the values are arrays in an array; give values.flat()");
  if (values.length !== sizeOf(shape)) {
    throw new ShapeError(
      `constant: ${values.length} values for shape ${formatShape(shape)}, which has ${sizeOf(shape)} elements`,
    );
  }
  const copy = Float32Array.from(values, (value: unknown, i) => {
    if (typeof value === "number") return value;
    throw new TypeError(`constant: value ${shown(value)} at index ${i} is not a number`);
  });
  const at = copy.findIndex((value) => !Number.isFinite(value));
  if (at >= 0) throw new RangeError(`constant: value ${values[at]} at index ${at} is not finite in float32`);
  return new Tensor("constant", [], [...shape], "float32", { values: copy });
}

/**
 * Uniform numbers in [0, 1) of 24 bits: element i of the result is a hash of (i, `counter`, `seed`), the same on every
 * device. `counter` is an int32 scalar such as the step, so that each step draws anew; so may `seed` be one. Source: Jarzynski and Olano 2020, pcg3d.
 */
export function random(shape: Shape, counter: Tensor, seed: number | Tensor): Tensor {
  checkShape("random", shape);
  if (!(counter instanceof Tensor) || counter.dtype !== "int32" || sizeOf(counter.shape) !== 1) {
    throw new TypeError("random: the counter must be an int32 Tensor with one element");
  }
  const index = iota(sizeOf(shape)).reshape(shape);
  return elementwise("random", index, counter.reshape([]), seed instanceof Tensor ? seed : literal(seed, "int32"));
}

/** 0, 1, …, length - 1 as int32. */
export function iota(length: number): Tensor {
  checkShape("iota", [length]);
  return new Tensor("iota", [], [length], "int32");
}

/**
 * Nodes that `roots` depend on, operands before what is made of them; what is in `given` too, but not what that depends on. Without
 * recursion: graphs may be 10,000 deep.
 */
export function topological(roots: readonly Tensor[], given: ReadonlySet<Tensor> = new Set()): Tensor[] {
  const seen = new Set<Tensor>(roots);
  const stack = [...seen];
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    for (const operand of given.has(node) ? [] : node.operands) {
      if (!seen.has(operand)) {
        seen.add(operand);
        stack.push(operand);
      }
    }
  }
  return [...seen].sort((a, b) => a.id - b.id);
}

/** The one value of a constant with one element, or null. */
export function literalOf(node: Tensor): number | null {
  const values = node.op === "constant" ? node.attributes.values : undefined;
  return values?.length === 1 ? (values[0] as number) : null;
}

/** A number as an operand, with the type of the tensor beside it. */
export function literal(value: number, dtype: DType = "float32"): Tensor {
  if (dtype === "int32") {
    if (!Number.isInteger(value) || Math.abs(value) > 2147483647) {
      throw new RangeError(`${shown(value)} beside an int32 tensor: it must be an integer of 32 bits`);
    }
    return new Tensor("constant", [], [], "int32", { values: Int32Array.of(value) });
  }
  if (!Number.isFinite(Math.fround(value))) throw new RangeError(`the number ${value} is not finite in float32`);
  // Kept in float64: the reference computes with the number that was written, kernels round it to float32.
  return new Tensor("constant", [], [], "float32", { values: Float64Array.of(value) });
}

function elementwise(op: ElementwiseOp, ...given: Operand[]): Tensor {
  const row = elementwiseRow(op);
  const first = given[0];
  if (row === null || !(first instanceof Tensor)) throw new Error(`internal: ${op} of ${String(first)}`);
  const operands = given.map((operand) => {
    if (operand instanceof Tensor) return operand;
    if (typeof operand === "number") return literal(operand, first.dtype);
    throw new TypeError(`${op}: the operand must be a Tensor or a number, not ${shown(operand, Tensor)}`);
  });
  if (op === "mask") floats(op, first);
  else if (row.integers === undefined) floats(op, ...operands);
  for (const { dtype } of op === "mask" ? [] : operands) {
    if (dtype !== first.dtype) {
      throw new TypeError(
        `${op}: takes operands of one type, but one is ${first.dtype} and one ${dtype}; toFloat32() or toInt32() converts`,
      );
    }
  }
  let shape: Shape = first.shape;
  for (const operand of operands) {
    const joint = broadcastShapes(shape, operand.shape);
    if (joint === null) {
      throw new ShapeError(
        `${op}: shapes ${formatShape(shape)} and ${formatShape(operand.shape)} do not broadcast; each axis, from the last, must be equal or 1`,
      );
    }
    shape = joint;
  }
  const dtype = op === "toInt32" || (first.dtype === "int32" && row.integers === "int32") ? "int32" : "float32";
  return new Tensor(op, operands, shape, dtype);
}

/** Reduces one run of neighbouring axes after another, from the last, so that earlier axes keep their places. */
function reduction(
  op: FoldOp,
  x: Tensor,
  given: Axes | undefined,
  options: { keepDims?: boolean } | undefined,
  part: string = op,
): Tensor {
  floats(part, x);
  const keepDims = keeps(part, options);
  const reduced = axesOf(part, x.shape, given);
  let result = x;
  if (given === undefined) result = new Tensor(op, [x], [], "float32", { from: 0, to: x.shape.length });
  for (let to = x.shape.length; given !== undefined && to > 0; to--) {
    if (!reduced.has(to - 1)) continue;
    let from = to - 1;
    while (reduced.has(from - 1)) from--;
    result = new Tensor(op, [result], without(result.shape, from, to), "float32", { from, to });
    to = from + 1;
  }
  return keepDims ? result.reshape(x.shape.map((length, axis) => (reduced.has(axis) ? 1 : length))) : result;
}

/**
 * `a` where `condition` is nonzero, else `b`. What is not picked gives no NaN to the derivative: `where(x.gt(0), x.log(), 0)` has
 * one of 0 at 0 and below. Broadcasts as NumPy's.
 */
export function where(condition: Tensor, a: Operand, b: Operand): Tensor {
  if (!(condition instanceof Tensor))
    throw new TypeError(`where: the condition must be a Tensor, not ${shown(condition, Tensor)}`);
  const picked = (operand: Operand, by: Tensor) => {
    const { op, operands, shape } = (typeof operand === "number" ? literal(operand) : operand).mask(by);
    return new Tensor(op, operands, shape, "float32", { picks: true });
  };
  return picked(a, condition).add(picked(b, condition.eq(0)));
}

/**
 * a [...batch, ...m, ...k] x b [...batch, ...k, ...n] -> [...batch, ...m, ...n], of `batch` leading axes and `terms` axes that are
 * summed over. Axes stay apart, so that an operand that is a view is read through it: what a reshape of one would copy is not needed.
 */
export function contraction(a: Tensor, b: Tensor, batch: number, terms: number): Tensor {
  const shape = [...a.shape.slice(0, a.shape.length - terms), ...b.shape.slice(batch + terms)];
  checkShape("matmul", shape);
  const more = { ...(batch > 0 ? { batch } : {}), ...(terms !== 1 ? { terms } : {}) };
  return new Tensor("matmul", [a, b], shape, "float32", more);
}

/** Sum over the axes `from` … `to - 1`, to any shape of the right size. What gradients of broadcasts need. */
export function sumAxes(x: Tensor, from: number, to: number): Tensor {
  return new Tensor("sum", [x], [...x.shape.slice(0, from), ...x.shape.slice(to)], "float32", { from, to });
}

/** Elements of x along an axis, x being [O, R, I] to both sides of it: by int32 [O or 1, n, I or 1] -> `shape`, of the size of [O, n, I]. */
export function taken(x: Tensor, { from = 0, to = 1 }: Attributes, indices: Tensor, shape: Shape): Tensor {
  return new Tensor("take", [x, indices], shape, x.dtype, { from, to });
}

/** x with `values`, of the size of [O, n, I], added to the elements that `taken` would give: its derivative. */
export function scattered(x: Tensor, { from = 0, to = 1 }: Attributes, indices: Tensor, values: Tensor): Tensor {
  return new Tensor("scatterAdd", [x, indices, values], x.shape, "float32", { from, to });
}

function checkIndices(op: string, indices: Tensor): void {
  if (!(indices instanceof Tensor) || indices.dtype !== "int32")
    throw new TypeError(`${op}: indices must be an int32 Tensor`);
}

function normalisation(op: "softmax" | "logSoftmax", x: Tensor, axis: number): Tensor {
  floats(op, x);
  const from = checkAxis(op, x.shape, axis);
  return new Tensor(op, [x], x.shape, "float32", { from, to: from + 1 });
}

function floats(op: string, ...tensors: Tensor[]): void {
  for (const { dtype } of tensors) {
    if (dtype !== "float32") throw new TypeError(`${op}: needs float32, it was given ${dtype}`);
  }
}
