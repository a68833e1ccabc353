import type { Tensor } from "../../graph/tensor";
import { BatchNorm } from "../../nn/layers/batchnorm";
import { dropped } from "../../nn/layers/dropout";
import type { Pass } from "../../nn/layers/layer";
import { type Call, type Operators, perChannel, placeOf, unary } from "../call";

/** Convolutions, pools and normalisations. */
export const NEURAL: Operators = {
  // Off where a network is used, on where it is trained, as PyTorch's train() has it.
  Dropout: (call) => {
    if (call.numbers(2)?.[0] === 1)
      call.refuse("its training mode is on; export the network after eval(), as one that predicts");
    const ratio = call.pass?.training ? (call.numbers(1)?.[0] ?? call.number("ratio", 0.5)) : 0;
    return call.pass === null ? call.x() : dropped(call.x(), ratio, call.pass);
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
    const { size, stride, padding, further } = poolOf(call);
    if (call.node.outputs.length > 1) call.refuse("gives indices too, which is not known");
    const x = call.float();
    const widths = x.shape.map((_, axis) => {
      const [before, after] = padding[axis - 2] ?? [0, 0];
      return [before, after + (further[axis - 2] ?? 0)] as const;
    });
    const largest = x.padded(widths, Number.NEGATIVE_INFINITY).maxPool(size, { stride });
    return call.x().dtype === "int32" ? largest.toInt32() : largest;
  },
  AveragePool: (call) => {
    const { size, stride, padding, further } = poolOf(call);
    const includePadding = call.number("count_include_pad", 0) === 1;
    if (includePadding && further.some((each) => each > 0))
      call.refuse("counts padding and has ceil_mode, which together are not known");
    const beyond = padding.map(([before, after], i) => [before, after + (further[i] as number)] as const);
    return call.x().avgPool(size, { stride, padding: includePadding ? padding : beyond, includePadding });
  },
  GlobalAveragePool: unary((x) => x.mean([...x.shape.keys()].slice(2), { keepDims: true })),
  GlobalMaxPool: unary((x) => x.max([...x.shape.keys()].slice(2), { keepDims: true })),
  BatchNormalization: (call) => {
    if (call.number("training_mode", 0) === 1)
      call.refuse("its training mode is on; export the network after eval(), as one that predicts");
    const epsilon = call.number("epsilon", 1e-5);
    const learning = call.pass?.training ? statistics(call, call.pass) : null;
    if (learning !== null) {
      const [weight, bias, running_mean, running_var] = [1, 2, 3, 4].map((i) => call.x(i)) as Four;
      const held = { weight, bias, running_mean, running_var };
      return new BatchNorm(1 - call.number("momentum", 0.9), epsilon).apply(call.x(), held, learning);
    }
    const across = (i: number) => perChannel(call.x(i), call.x());
    const scale = across(1).div(across(4).add(epsilon).sqrt());
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
  GroupNormalization: (call) => {
    const { shape } = call.x();
    const [N, C, ...space] = shape as [number, number, ...number[]];
    const groups = call.number("num_groups", 1);
    const apart = call.x().reshape([N, groups, C / groups, ...space]);
    const even = standardized(apart, [...apart.shape.keys()].slice(2), call.number("epsilon", 1e-5));
    // One number a group before operator set 21, one a channel since.
    return call.opset < 21
      ? even
          .mul(perChannel(call.x(1), apart))
          .add(perChannel(call.x(2), apart))
          .reshape(shape)
      : even
          .reshape(shape)
          .mul(perChannel(call.x(1), call.x()))
          .add(perChannel(call.x(2), call.x()));
  },
  MeanVarianceNormalization: (call) => standardized(call.x(), call.list("axes") ?? [0, 2, 3], 1e-9),
  LRN: (call) => {
    const size = call.number("size", 1);
    const less = Math.floor((size - 1) / 2);
    const widths = call
      .x()
      .shape.map((_, axis) => (axis === 1 ? ([less, size - 1 - less] as const) : ([0, 0] as const)));
    const sums = call.x().square().pad(widths).windows(1, size).sum(-1);
    const base = sums.mul(call.number("alpha", 1e-4) / size).add(call.number("bias", 1));
    return call.x().div(base.pow(call.number("beta", 0.75)));
  },
};

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
  const padding = paddingOf(call, size, stride, ones);
  // A last window that stands out: by so much, if it begins within the image or the padding before it.
  const further = size.map((each, i) => {
    if (call.number("ceil_mode", 0) !== 1) return 0;
    const [length, by] = [call.x().shape[2 + i] as number, stride[i] as number];
    const [before, after] = padding[i] as [number, number];
    const last = Math.ceil((length + before + after - each) / by) * by;
    return last >= length + before ? 0 : Math.max(0, last + each - (length + before + after));
  });
  return { size, stride, padding, further };
}

type Four = [Tensor, Tensor, Tensor, Tensor];

/** Where running statistics are held that training moves, a pass that calls them by the file's names; else null. */
function statistics(call: Call, pass: Pass): Pass | null {
  const names: Record<string, string | null> = { running_mean: call.value(3).name, running_var: call.value(4).name };
  if (names.running_mean === null || names.running_var === null) return null;
  const inFile = (name: string) => names[name] ?? name;
  return {
    training: pass.training,
    present: pass.present,
    uniform: (shape) => pass.uniform(shape),
    normal: (shape) => pass.normal(shape),
    frozen: (name) => pass.frozen(inFile(name)),
    become: (name, next) => pass.become(inFile(name), next),
    within: (prefix, index) => pass.within(prefix, index),
  };
}

function standardized(x: Tensor, axes: readonly number[], epsilon: number): Tensor {
  const deviations = x.sub(x.mean(axes, { keepDims: true }));
  return deviations.div(x.variance(axes, { keepDims: true }).add(epsilon).sqrt());
}
