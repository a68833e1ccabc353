import type { OnnxNodes } from "../../files/nodes";
import type { TorchModule, TorchModules } from "../../files/torch-modules";
import type { Tensor } from "../../graph/tensor";
import { checkOptions, shown } from "../../util/checks";
import { type Shape, sizeOf } from "../../util/shape";
import { type Held, type Layer, Part, type Pass } from "./layer";
import { alongChannels, checkEpsilon, scaleAndShift } from "./norm";

/** @internal */
export class BatchNorm extends Part {
  static override readonly name = "Layer";
  readonly name = "batchNorm";

  constructor(
    readonly momentum: number,
    readonly epsilon: number,
  ) {
    super();
  }

  override held(inputs: Shape): Record<string, Held> {
    const { weight, bias } = scaleAndShift(inputs[0] as number);
    return { weight, bias, running_mean: { ...bias, state: true }, running_var: { ...weight, state: true } };
  }

  /** PyTorch counts its steps there, for averages that this layer does not make. */
  override get passedOver(): readonly string[] {
    return ["num_batches_tracked"];
  }

  /** The variance of one number is none. */
  override leastRows(inputs: Shape): number {
    return sizeOf(inputs.slice(1)) === 1 ? 2 : 1;
  }

  apply(x: Tensor, held: Record<string, Tensor>, pass: Pass): Tensor {
    const { weight, bias, running_mean, running_var } = held as Record<string, Tensor> & Running;
    const example = x.shape.slice(1);
    const laid = (vector: Tensor) => alongChannels(vector, example);
    // As PyTorch's eval() does for what is frozen: statistics that stay are those to normalise by.
    const learns = pass.training && !pass.frozen("running_mean");
    const { mean, variance } = learns
      ? this.learned(x, running_mean, running_var, pass)
      : { mean: laid(running_mean), variance: laid(running_var) };
    return x
      .sub(mean)
      .div(variance.add(this.epsilon).sqrt())
      .mul(laid(weight as Tensor))
      .add(laid(bias as Tensor));
  }

  /** Those of the batch, of the rows that are present; the running ones move towards them. */
  private learned(x: Tensor, runningMean: Tensor, runningVariance: Tensor, pass: Pass) {
    const { present } = pass;
    const [rows, channels, ...space] = x.shape as [number, number, ...number[]];
    const axes = x.shape.flatMap((_, axis) => (axis === 1 ? [] : [axis]));
    const each = sizeOf(space);
    const count = present?.sum().mul(each) ?? rows * each;
    const rowsOnly = present?.reshape([rows, ...x.shape.slice(1).map(() => 1)]) ?? null;
    const averaged = (values: Tensor) => {
      const sum = (rowsOnly === null ? values : values.mask(rowsOnly)).sum(axes, { keepDims: true });
      return typeof count === "number" ? sum.mul(1 / count) : sum.div(count);
    };
    const mean = averaged(x);
    const variance = averaged(x.sub(mean).square());
    const moved = (running: Tensor, now: Tensor) =>
      running.mul(1 - this.momentum).add(now.reshape([channels]).mul(this.momentum));
    // The running variance is that of a sample, count / (count - 1) times the batch's own, as PyTorch has it.
    const unbiased =
      typeof count === "number" ? variance.mul(count / (count - 1)) : variance.mul(count.div(count.sub(1)));
    pass.become("running_mean", moved(runningMean, mean));
    pass.become("running_var", moved(runningVariance, unbiased));
    return { mean, variance };
  }

  onnx(to: OnnxNodes, x: string, own: (name: string) => string): string {
    const arrays = ["weight", "bias", "running_mean", "running_var"].map(own);
    return to.node("BatchNormalization", [x, ...arrays], { epsilon: { float: this.epsilon } });
  }

  pytorch(to: TorchModules, inputs: Shape): TorchModule[] {
    const { epsilon: eps, momentum } = this;
    return [to.own("BatchNorm", [inputs[0] as number], { eps, momentum, frozen: to.frozen("running_mean") })];
  }
}

interface Running {
  readonly running_mean: Tensor;
  readonly running_var: Tensor;
}

/**
 * (x - mean) / √(variance + epsilon) * weight + bias for each channel, an example's first axis: in training by mean and variance of the
 * batch, in predict and evaluate by running ones, which training moves by `momentum` towards the batch's (the variance by n - 1). PyTorch's
 * BatchNorm1d and BatchNorm2d, with their defaults of 0.1 and 1e-5. A layer whose "running_mean" is frozen normalises by it in training too.
 * Throws RangeError. Source: Ioffe and Szegedy 2015, algorithms 1 and 2.
 */
export function batchNorm(options: { momentum?: number; epsilon?: number } = {}): Layer {
  checkOptions("batchNorm", options, ["momentum", "epsilon"]);
  const { momentum = 0.1, epsilon = 1e-5 } = options;
  if (typeof momentum !== "number" || !(momentum >= 0 && momentum <= 1))
    throw new RangeError(`batchNorm: momentum is ${shown(momentum)}; it must be from 0 to 1.`);
  checkEpsilon("batchNorm", epsilon);
  return new BatchNorm(momentum, epsilon);
}
