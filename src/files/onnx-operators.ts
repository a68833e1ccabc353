import { concat } from "../graph/join";
import { constant, iota, Tensor, where } from "../graph/tensor";
import { FormatError } from "../util/errors";
import { formatShape, sizeOf } from "../util/shape";
import type { Attribute, DecodedNode, DecodedTensor } from "./onnx-decode";

/** A value of an ONNX graph: a tensor, and its numbers where the file has them: shapes, axes and the like must be known when the graph is built. */
export interface OnnxValue {
  readonly tensor: Tensor;
  readonly numbers: ArrayLike<number> | null;
}

export function known(values: ArrayLike<number>, shape: readonly number[], type: DecodedTensor["type"]): OnnxValue {
  const tensor = sizeOf(shape) === 0 ? constant([0], [1]) : constant(values, shape);
  return { tensor: type === "integer" ? tensor.toInt32() : tensor, numbers: values };
}

/** What an operator is given. */
class Call {
  constructor(
    readonly node: DecodedNode,
    private readonly inputs: readonly (OnnxValue | null)[],
    readonly opset: number,
  ) {}

  /** How many inputs there are, left-out ones at the end not counted. */
  get count(): number {
    return this.inputs.length;
  }
  has(i: number): boolean {
    return (this.inputs[i] ?? null) !== null;
  }
  x(i = 0): Tensor {
    const value = this.inputs[i] ?? null;
    if (value === null) this.refuse(`its input ${i} is missing`);
    return value.tensor;
  }
  /** As float32: comparisons and conditions are 0 and 1 there. */
  float(i = 0): Tensor {
    return this.x(i).toFloat32();
  }
  all(): Tensor[] {
    return this.inputs.map((_, i) => this.x(i));
  }
  /** The numbers of an input that must be known here; null where it is left out. */
  numbers(i: number): number[] | null {
    const value = this.inputs[i] ?? null;
    if (value === null) return null;
    if (value.numbers === null) this.refuse(`its input ${i} is computed; it must be a constant of the file`);
    return Array.from(value.numbers);
  }
  number(name: string, otherwise: number): number {
    const value = this.node.attributes.get(name);
    return typeof value === "number" ? value : otherwise;
  }
  text(name: string, otherwise: string): string {
    const value = this.node.attributes.get(name);
    return typeof value === "string" ? value : otherwise;
  }
  list(name: string): number[] | null {
    const value = this.node.attributes.get(name);
    return Array.isArray(value) && value.every((each) => typeof each === "number") ? value : null;
  }
  attribute(name: string): Attribute | undefined {
    return this.node.attributes.get(name);
  }
  /** An axis list that is an attribute in older operator sets, and an input in newer ones. */
  axes(name: string, input: number): number[] | null {
    return this.list(name) ?? this.numbers(input);
  }
  refuse(why: string): never {
    throw new FormatError(`onnx: ${this.node.op} "${this.node.name || this.node.outputs[0]}": ${why}`);
  }
}

type Operator = (call: Call) => Tensor | readonly (Tensor | OnnxValue)[];

const unary =
  (of: (x: Tensor) => Tensor): Operator =>
  (call) =>
    of(call.x());
const binary =
  (of: (a: Tensor, b: Tensor) => Tensor): Operator =>
  (call) =>
    of(call.x(0), call.x(1));
const all =
  (join: (a: Tensor, b: Tensor) => Tensor): Operator =>
  (call) =>
    call.all().reduce(join);
/** A reduction over the axes that are given, or all; `of` keeps them at length 1. */
const reduction =
  (of: (x: Tensor, axes: number[] | undefined, options: { keepDims: boolean }) => Tensor): Operator =>
  (call) => {
    const axes = call.axes("axes", 1);
    const none = axes === null || axes.length === 0;
    if (none && call.number("noop_with_empty_axes", 0) === 1) return call.x();
    return of(call.float(), none ? undefined : axes, { keepDims: call.number("keepdims", 1) === 1 });
  };
const truth = (x: Tensor) => x.toFloat32().ne(0);

/** Input 1 as indices along an axis of input 0; a negative one counts from the end. */
function fromEnd(call: Call, axis: number): Tensor {
  // What a file computes of them with Where is float32 here.
  const [x, indices] = [call.x(0), call.x(1).toInt32()];
  return indices.add(
    indices
      .lt(0)
      .mul(x.shape.at(axis) ?? 0)
      .toInt32(),
  );
}

/** ONNX's operators by their names, as far as there are tensors for them. Source: Operators.md of https://github.com/onnx/onnx. */
const OPERATORS: Readonly<Record<string, Operator>> = {
  Abs: unary((x) => x.abs()),
  Neg: unary((x) => x.neg()),
  Exp: unary((x) => x.exp()),
  Log: unary((x) => x.log()),
  Sqrt: unary((x) => x.sqrt()),
  Reciprocal: unary((x) => x.reciprocal()),
  Relu: unary((x) => x.relu()),
  Tanh: unary((x) => x.tanh()),
  Sigmoid: unary((x) => x.sigmoid()),
  Erf: unary((x) => x.erf()),
  Sign: unary((x) => x.sign()),
  Floor: unary((x) => x.floor()),
  Ceil: unary((x) => x.ceil()),
  Round: unary((x) => x.round()),
  Softplus: unary((x) => x.softplus()),
  Softsign: unary((x) => x.div(x.abs().add(1))),
  Identity: unary((x) => x),
  HardSwish: unary((x) => x.mul(x.div(6).add(0.5).clip(0, 1))),
  Elu: (call) => call.x().elu(call.number("alpha", 1)),
  LeakyRelu: (call) => call.x().leakyRelu(call.number("alpha", 0.01)),
  ThresholdedRelu: (call) => call.x().mask(call.x().gt(call.number("alpha", 1))),
  HardSigmoid: (call) => call.x().mul(call.number("alpha", 0.2)).add(call.number("beta", 0.5)).clip(0, 1),
  Celu: (call) => {
    const alpha = call.number("alpha", 1);
    return call.x().maximum(0).add(call.x().div(alpha).minimum(0).expm1().mul(alpha));
  },
  Selu: (call) => call.x().elu(call.number("alpha", 1.6732632423543772)).mul(call.number("gamma", 1.0507009873554805)),
  PRelu: (call) => {
    const [x, slope] = [call.x(0), call.x(1)];
    // One a channel, as PyTorch writes it, is beside axis 1 and not the last.
    const byChannel = slope.shape.length === 1 && x.shape.length > 2 && slope.shape[0] === x.shape[1];
    const beside = byChannel ? perChannel(slope, x) : slope;
    return where(x.lt(0), x.mul(beside), x);
  },
  Shrink: (call) => {
    const [x, lambda, bias] = [call.float(), call.number("lambd", 0.5), call.number("bias", 0)];
    return where(x.lt(-lambda), x.add(bias), x.sub(bias).mask(x.gt(lambda)));
  },
  Trilu: (call) => {
    const x = call.x();
    const [rows, columns] = x.shape.slice(-2) as [number, number];
    const k = call.numbers(1)?.[0] ?? 0;
    const [row, column] = [iota(rows).add(k).reshape([rows, 1]), iota(columns)];
    return x.toFloat32().mask(call.number("upper", 1) === 1 ? column.ge(row) : column.le(row));
  },
  // Off where a network is used.
  Dropout: (call) =>
    call.numbers(2)?.[0] === 1 ? call.refuse("its training mode is on; the file is no trained network") : call.x(),
  Cast: (call) => {
    const to = call.number("to", 1);
    if (to === 1 || to === 11) return call.float();
    return [2, 3, 5, 6, 7].includes(to)
      ? call.x().toInt32()
      : call.refuse(`casts to the type ${to}, which is not known`);
  },

  Add: binary((a, b) => a.add(b)),
  Sub: binary((a, b) => a.sub(b)),
  Mul: binary((a, b) => a.mul(b)),
  Div: (call) => (call.x().dtype === "int32" ? call.float(0).div(call.float(1)).toInt32() : call.x(0).div(call.x(1))),
  Max: all((a, b) => a.maximum(b)),
  Min: all((a, b) => a.minimum(b)),
  Sum: all((a, b) => a.add(b)),
  Mean: (call) =>
    call
      .all()
      .reduce((a, b) => a.add(b))
      .mul(1 / call.count),
  Equal: binary((a, b) => a.eq(b)),
  Greater: binary((a, b) => a.gt(b)),
  GreaterOrEqual: binary((a, b) => a.ge(b)),
  Less: binary((a, b) => a.lt(b)),
  LessOrEqual: binary((a, b) => a.le(b)),
  And: binary((a, b) => truth(a).mul(truth(b))),
  Or: binary((a, b) => truth(a).maximum(truth(b))),
  Xor: binary((a, b) => truth(a).ne(truth(b))),
  Not: unary((x) => x.toFloat32().eq(0)),
  Where: (call) => where(call.x(0), call.float(1), call.float(2)),
  Clip: (call) => {
    const bound = (name: string, i: number) => (call.has(i) ? call.float(i).reshape([]) : call.attribute(name));
    const [min, max] = [bound("min", 1), bound("max", 2)] as (Tensor | number | undefined)[];
    const above = min === undefined ? call.float() : call.float().maximum(min);
    return max === undefined ? above : above.minimum(max);
  },

  MatMul: binary((a, b) => a.matmul(b)),
  Gemm: (call) => {
    const side = (i: number, name: string) => (call.number(name, 0) === 1 ? call.x(i).T : call.x(i));
    const product = side(0, "transA").matmul(side(1, "transB")).mul(call.number("alpha", 1));
    return call.has(2) ? product.add(call.x(2).mul(call.number("beta", 1))) : product;
  },

  ReduceSum: reduction((x, axes, options) => x.sum(axes, options)),
  ReduceMean: reduction((x, axes, options) => x.mean(axes, options)),
  ReduceMax: reduction((x, axes, options) => x.max(axes, options)),
  ReduceMin: reduction((x, axes, options) => x.min(axes, options)),
  ReduceL1: reduction((x, axes, options) => x.abs().sum(axes, options)),
  ReduceL2: reduction((x, axes, options) => x.square().sum(axes, options).sqrt()),
  ReduceSumSquare: reduction((x, axes, options) => x.square().sum(axes, options)),
  ReduceLogSum: reduction((x, axes, options) => x.sum(axes, options).log()),
  ReduceLogSumExp: reduction((x, axes, options) => x.logSumExp(axes, options)),
  ArgMax: (call) => indexOf(call, (x, axis) => x.argmax(axis)),
  ArgMin: (call) => indexOf(call, (x, axis) => x.argmin(axis)),
  Softmax: (call) => overAxis(call, (x, axis) => x.softmax(axis)),
  LogSoftmax: (call) => overAxis(call, (x, axis) => x.logSoftmax(axis)),
  CumSum: (call) => {
    const axis = call.numbers(1)?.[0] ?? 0;
    const flipped = call.number("reverse", 0) === 1;
    const turn = (x: Tensor) => (flipped ? x.slice(axis, undefined, undefined, -1) : x);
    const x = turn(call.float());
    const sums = x.cumsum(axis);
    return turn(call.number("exclusive", 0) === 1 ? sums.sub(x) : sums);
  },

  // What a file computes of shapes is known when its graph is built.
  Shape: (call) => {
    const { shape } = call.x();
    const part = shape.slice(call.number("start", 0), call.number("end", shape.length));
    return [known(part, [part.length], "integer")];
  },
  Size: (call) => [known([sizeOf(call.x().shape)], [], "integer")],
  ConstantOfShape: (call) => {
    const shape = call.numbers(0) ?? call.refuse("has no shape");
    const value = call.attribute("value") as DecodedTensor | undefined;
    const number = value?.values[0] ?? 0;
    return [known(new Float64Array(sizeOf(shape)).fill(number), shape, value?.type ?? "float")];
  },
  Range: (call) => {
    const [start = 0, limit = 0, delta = 1] = [0, 1, 2].map((i) => call.numbers(i)?.[0]);
    const count = Math.max(Math.ceil((limit - start) / delta), 0);
    const values = Float64Array.from({ length: count }, (_, i) => start + i * delta);
    return [known(values, [count], call.x().dtype === "int32" ? "integer" : "float")];
  },
  Reshape: (call) => {
    const shape = call.axes("shape", 1) ?? call.refuse("has no shape");
    const kept = call.number("allowzero", 0) === 1;
    return call
      .x()
      .reshape(shape.map((length, axis) => (length === 0 && !kept ? (call.x().shape[axis] ?? 0) : length)));
  },
  Flatten: (call) => {
    const { shape } = call.x();
    const axis = call.number("axis", 1);
    const at = placeOf(axis, shape.length);
    return call.x().reshape([sizeOf(shape.slice(0, at)), sizeOf(shape.slice(at))]);
  },
  Transpose: (call) => call.x().permute(call.list("perm") ?? [...call.x().shape.keys()].reverse()),
  Squeeze: (call) => {
    const { shape } = call.x();
    const axes = call.axes("axes", 1)?.map((axis) => placeOf(axis, shape.length));
    return call.x().reshape(shape.filter((length, axis) => (axes ? !axes.includes(axis) : length !== 1)));
  },
  Unsqueeze: (call) => {
    const axes = call.axes("axes", 1) ?? call.refuse("has no axes");
    const rank = call.x().shape.length + axes.length;
    const at = new Set(axes.map((axis) => placeOf(axis, rank)));
    const left = [...call.x().shape];
    return call.x().reshape(Array.from({ length: rank }, (_, axis) => (at.has(axis) ? 1 : (left.shift() ?? 1))));
  },
  Expand: (call) => {
    const shape = call.numbers(1) ?? call.refuse("has no shape");
    const x = call.x();
    const wide = shape.map((length, axis) => {
      const own = x.shape[axis - shape.length + x.shape.length] ?? 1;
      return length === 1 ? own : length;
    });
    return x.broadcastTo([...x.shape.slice(0, Math.max(0, x.shape.length - shape.length)), ...wide]);
  },
  Tile: (call) => {
    const repeats = call.numbers(1) ?? call.refuse("has no repeats");
    const { shape } = call.x();
    const apart = call.x().reshape(shape.flatMap((length) => [1, length]));
    const wide = apart.broadcastTo(shape.flatMap((length, axis) => [repeats[axis] ?? 1, length]));
    return wide.reshape(shape.map((length, axis) => length * (repeats[axis] ?? 1)));
  },
  Slice: (call) => {
    const starts = call.axes("starts", 1) ?? [];
    const ends = call.axes("ends", 2) ?? [];
    const axes = call.axes("axes", 3) ?? [...starts.keys()];
    const steps = call.numbers(4) ?? starts.map(() => 1);
    return axes.reduce((x, axis, i) => {
      const [start, end, step] = [starts[i] as number, ends[i] as number, steps[i] as number];
      const length = x.shape[placeOf(axis, x.shape.length)] as number;
      // An end beyond the beginning is how the file says that the first element is taken too.
      const open = step < 0 ? end < -length : end >= length;
      return x.slice(axis, Math.max(-length, Math.min(start, length)), open ? undefined : end, step);
    }, call.x());
  },
  Pad: (call) => {
    if (call.text("mode", "constant") !== "constant")
      call.refuse(`pads by ${call.text("mode", "")}, which is not known`);
    const pads = call.axes("pads", 1) ?? call.refuse("has no pads");
    const value = call.numbers(2)?.[0] ?? call.number("value", 0);
    if (!Number.isFinite(value)) call.refuse(`pads with ${value}, which is not known`);
    const { shape } = call.x();
    const axes = (call.numbers(3) ?? [...shape.keys()]).map((axis) => placeOf(axis, shape.length));
    const widths = shape.map((_, axis) => {
      const i = axes.indexOf(axis);
      return i < 0 ? ([0, 0] as const) : ([pads[i] as number, pads[i + axes.length] as number] as const);
    });
    return call.x().padded(widths, value);
  },
  Concat: (call) => concat(call.all(), call.number("axis", 0)),
  Split: (call) => {
    const { shape } = call.x();
    const axis = call.number("axis", 0);
    const length = shape[placeOf(axis, shape.length)] as number;
    const count = call.node.outputs.length;
    const parts = call.axes("split", 1) ?? new Array<number>(count).fill(Math.ceil(length / count));
    let from = 0;
    return parts.map((part) => {
      from += part;
      return call.x().slice(axis, from - part, from);
    });
  },
  Gather: (call) => {
    const axis = call.number("axis", 0);
    return call.x().take(fromEnd(call, axis), axis);
  },
  GatherElements: (call) => {
    const axis = call.number("axis", 0);
    const indices = fromEnd(call, axis);
    // But along the axis, what the indices are shorter by is not looked at.
    const x = indices.shape.reduce(
      (part, length, at) => (at === placeOf(axis, indices.shape.length) ? part : part.slice(at, 0, length)),
      call.x(),
    );
    return x.takeAlong(indices, axis);
  },
  DepthToSpace: (call) => {
    const [N, C, H, W] = call.x().shape as readonly [number, number, number, number];
    const size = call.number("blocksize", 1);
    const left = C / size ** 2;
    return call.text("mode", "DCR") === "DCR"
      ? call
          .x()
          .reshape([N, size, size, left, H, W])
          .permute([0, 3, 4, 1, 5, 2])
          .reshape([N, left, H * size, W * size])
      : call
          .x()
          .reshape([N, left, size, size, H, W])
          .permute([0, 1, 4, 2, 5, 3])
          .reshape([N, left, H * size, W * size]);
  },
  SpaceToDepth: (call) => {
    const [N, C, H, W] = call.x().shape as readonly [number, number, number, number];
    const size = call.number("blocksize", 1);
    const cut = call
      .x()
      .reshape([N, C, H / size, size, W / size, size])
      .permute([0, 3, 5, 1, 2, 4]);
    return cut.reshape([N, C * size ** 2, H / size, W / size]);
  },

  Conv: (call) => {
    const space = call.x().shape.length - 2;
    const kernel = call.x(1).shape.slice(2);
    const stride = call.list("strides") ?? new Array<number>(space).fill(1);
    const dilation = call.list("dilations") ?? new Array<number>(space).fill(1);
    const padding = paddingOf(call, kernel, stride, dilation);
    const sums = call.x().conv(call.x(1), { stride, dilation, padding, groups: call.number("group", 1) });
    return call.has(2) ? sums.add(perChannel(call.x(2), sums)) : sums;
  },
  ConvTranspose: (call) => {
    const kernel = call.x(1).shape.slice(2);
    const stride = call.list("strides") ?? kernel.map(() => 1);
    const dilation = call.list("dilations") ?? kernel.map(() => 1);
    const outputPadding = call.list("output_padding") ?? kernel.map(() => 0);
    const wanted = call.list("output_shape");
    const auto = call.text("auto_pad", "NOTSET");
    const pads = call.list("pads") ?? new Array<number>(2 * kernel.length).fill(0);
    const padding = kernel.map((size, i) => {
      if (!wanted && !auto.startsWith("SAME")) return [pads[i], pads[i + kernel.length]] as [number, number];
      const length = call.x().shape[2 + i] as number;
      const [by, reach] = [stride[i] as number, (size - 1) * (dilation[i] as number)];
      const whole = (length - 1) * by + reach + 1 + (outputPadding[i] as number);
      const over = whole - (wanted?.[wanted.length - kernel.length + i] ?? length * by);
      if (over < 0) call.refuse("wants more than it has; give output_padding");
      const less = Math.floor(over / 2);
      return (auto === "SAME_UPPER" ? [less, over - less] : [over - less, less]) as [number, number];
    });
    const sums = call
      .x()
      .convTranspose(call.x(1), { stride, dilation, padding, outputPadding, groups: call.number("group", 1) });
    return call.has(2) ? sums.add(perChannel(call.x(2), sums)) : sums;
  },
  MaxPool: (call) => {
    const { size, options } = poolOf(call);
    if (call.node.outputs.length > 1) call.refuse("gives indices too, which is not known");
    return call.x().maxPool(size, options);
  },
  AveragePool: (call) => {
    const { size, options } = poolOf(call);
    return call.x().avgPool(size, { ...options, includePadding: call.number("count_include_pad", 0) === 1 });
  },
  GlobalAveragePool: unary((x) => x.mean([...x.shape.keys()].slice(2), { keepDims: true })),
  GlobalMaxPool: unary((x) => x.max([...x.shape.keys()].slice(2), { keepDims: true })),
  BatchNormalization: (call) => {
    if (call.number("training_mode", 0) === 1) call.refuse("its training mode is on; the file is no trained network");
    const across = (i: number) => perChannel(call.x(i), call.x());
    const scale = across(1).div(across(4).add(call.number("epsilon", 1e-5)).sqrt());
    return call.x().sub(across(3)).mul(scale).add(across(2));
  },
  InstanceNormalization: (call) => {
    const axes = [...call.x().shape.keys()].slice(2);
    const across = (i: number) => perChannel(call.x(i), call.x());
    return standardized(call.x(), axes, call.number("epsilon", 1e-5)).mul(across(1)).add(across(2));
  },
  LayerNormalization: (call) => {
    const { shape } = call.x();
    const axis = call.number("axis", -1);
    const axes = [...shape.keys()].slice(placeOf(axis, shape.length));
    const epsilon = call.number("epsilon", 1e-5);
    const scaled = standardized(call.x(), axes, epsilon).mul(call.x(1));
    const inverse = call.x().variance(axes, { keepDims: true }).add(epsilon).rsqrt();
    return [call.has(2) ? scaled.add(call.x(2)) : scaled, call.x().mean(axes, { keepDims: true }), inverse];
  },
};

/** A negative axis counts from the last. */
function placeOf(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}

/** One number a channel beside x [N, C, ...]. */
function perChannel(values: Tensor, x: Tensor): Tensor {
  return values.reshape([-1, ...x.shape.slice(2).map(() => 1)]);
}

function standardized(x: Tensor, axes: readonly number[], epsilon: number): Tensor {
  const deviations = x.sub(x.mean(axes, { keepDims: true }));
  return deviations.div(x.variance(axes, { keepDims: true }).add(epsilon).sqrt());
}

function indexOf(call: Call, of: (x: Tensor, axis: number) => Tensor): Tensor {
  if (call.number("select_last_index", 0) === 1) call.refuse("wants the last of equal ones, which is not known");
  const axis = call.number("axis", 0);
  const at = of(call.float(), axis);
  if (call.number("keepdims", 1) === 0) return at;
  const { shape } = call.x();
  const place = placeOf(axis, shape.length);
  return at.reshape(shape.map((length, each) => (each === place ? 1 : length)));
}

/** Softmax along one axis; before operator set 13 over all axes from one on. */
function overAxis(call: Call, of: (x: Tensor, axis: number) => Tensor): Tensor {
  const { shape } = call.x();
  if (call.opset >= 13) return of(call.x(), call.number("axis", -1));
  const axis = call.number("axis", 1);
  const at = placeOf(axis, shape.length);
  return of(call.x().reshape([sizeOf(shape.slice(0, at)), sizeOf(shape.slice(at))]), 1).reshape(shape);
}

function paddingOf(
  call: Call,
  kernel: readonly number[],
  stride: readonly number[],
  dilation: readonly number[],
): [number, number][] {
  const auto = call.text("auto_pad", "NOTSET");
  const pads = call.list("pads") ?? new Array<number>(2 * kernel.length).fill(0);
  return kernel.map((size, i) => {
    if (auto === "NOTSET" || auto === "") return [pads[i] as number, pads[i + kernel.length] as number];
    if (auto === "VALID") return [0, 0];
    const length = call.x().shape[2 + i] as number;
    const by = stride[i] as number;
    const missing = Math.max(0, (Math.ceil(length / by) - 1) * by + (size - 1) * (dilation[i] as number) + 1 - length);
    const less = Math.floor(missing / 2);
    return auto === "SAME_UPPER" ? [less, missing - less] : [missing - less, less];
  });
}

function poolOf(call: Call) {
  const size = call.list("kernel_shape") ?? call.refuse("has no kernel_shape");
  const ones = size.map(() => 1);
  const stride = call.list("strides") ?? ones;
  if ((call.list("dilations") ?? ones).some((each) => each !== 1)) call.refuse("has dilations, which are not known");
  if (call.number("ceil_mode", 0) === 1) call.refuse("has ceil_mode, which is not known");
  return { size, options: { stride, padding: paddingOf(call, size, stride, ones) } };
}

/** Whether there is something for an operator. */
export function isKnown({ op, domain }: DecodedNode): boolean {
  return (domain === "" || domain === "ai.onnx") && (op === "Constant" || Object.hasOwn(OPERATORS, op));
}

function constantOf(call: Call): OnnxValue {
  const value = call.attribute("value");
  if (value === undefined || typeof value !== "object" || !("values" in value)) return call.refuse("has no tensor");
  const { values, shape, type } = value as DecodedTensor;
  return known(values, shape, type);
}

/** What a node gives, by its outputs. Throws FormatError with the node and operator where it is not known. */
export function apply(node: DecodedNode, inputs: readonly (OnnxValue | null)[], opset: number): OnnxValue[] {
  const call = new Call(node, inputs, opset);
  if (node.op === "Constant") return [constantOf(call)];
  const operator = isKnown(node) ? OPERATORS[node.op] : undefined;
  if (operator === undefined) return call.refuse("there is no such operator here");
  try {
    const made = operator(call);
    const values = made instanceof Tensor ? [made] : made;
    return values.map((value) => (value instanceof Tensor ? { tensor: value, numbers: null } : value));
  } catch (error) {
    if (error instanceof FormatError) throw error;
    const shapes = inputs.map((value) => (value ? formatShape(value.tensor.shape) : "none")).join(", ");
    throw new FormatError(
      `onnx: ${node.op} "${node.name || node.outputs[0]}" of ${shapes}: ${(error as Error).message}`,
    );
  }
}
