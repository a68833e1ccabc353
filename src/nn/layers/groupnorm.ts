import type { OnnxNodes } from "../../files/nodes";
import type { TorchModule, TorchModules } from "../../files/torch-modules";
import type { Tensor } from "../../graph/tensor";
import { checkCount, checkOptions } from "../../util/checks";
import { ShapeError } from "../../util/errors";
import { formatShape, type Shape } from "../../util/shape";
import { type Held, type Layer, Part } from "./layer";
import { alongChannels, checkEpsilon, normalised, scaleAndShift } from "./norm";

class GroupNorm extends Part {
  static override readonly name = "Layer";
  readonly name = "groupNorm";

  constructor(
    readonly groups: number,
    readonly epsilon: number,
  ) {
    super();
  }

  override get told(): string {
    return `groupNorm ${this.groups}`;
  }

  override output(inputs: Shape): Shape {
    const [channels] = inputs;
    if ((channels as number) % this.groups !== 0) {
      throw new ShapeError(
        `groupNorm: ${formatShape(inputs)} has ${channels} channels, which ${this.groups} groups do not part evenly.`,
      );
    }
    return inputs;
  }

  override held(inputs: Shape): Record<string, Held> {
    return scaleAndShift(inputs[0] as number);
  }

  apply(x: Tensor, { weight, bias }: Record<string, Tensor>): Tensor {
    const example = x.shape.slice(1);
    const grouped = x.reshape([x.shape[0] as number, this.groups, -1]);
    return normalised(grouped, -1, this.epsilon)
      .reshape(x.shape)
      .mul(alongChannels(weight as Tensor, example))
      .add(alongChannels(bias as Tensor, example));
  }

  onnx(to: OnnxNodes, x: string, own: (name: string) => string, inputs: Shape): string {
    const { groups } = this;
    const grouped = to.node("Reshape", [x, to.constant("grouped", BigInt64Array.of(0n, BigInt(groups), -1n))]);
    const ones = to.constant("ones", new Float32Array(groups).fill(1));
    const zeros = to.constant("zeros", new Float32Array(groups));
    const epsilon = { float: this.epsilon };
    const even = to.node("InstanceNormalization", [grouped, ones, zeros], { epsilon });
    const shape = [0, ...inputs].map(BigInt);
    const back = to.node("Reshape", [even, to.constant("shape", BigInt64Array.from(shape))]);
    const along = to.constant("along", BigInt64Array.from([-1n, ...inputs.slice(1).map(() => 1n)]));
    const laid = (name: string) => to.node("Reshape", [own(name), along]);
    return to.node("Add", [to.node("Mul", [back, laid("weight")]), laid("bias")]);
  }

  pytorch(to: TorchModules, inputs: Shape): TorchModule[] {
    return [to.module("GroupNorm", [this.groups, inputs[0] as number], { eps: this.epsilon })];
  }
}

/**
 * (x - mean) / √(variance + epsilon) over each of `groups` groups of an example's channels, which are its first axis, then a factor and
 * a summand for each channel: PyTorch's GroupNorm. epsilon 1e-5 by default. Throws RangeError. Source: Wu and He 2018, eq. 7.
 */
export function groupNorm(groups: number, options: { epsilon?: number } = {}): Layer {
  checkCount("groupNorm", "groups", groups);
  checkOptions("groupNorm", options, ["epsilon"]);
  const { epsilon = 1e-5 } = options;
  checkEpsilon("groupNorm", epsilon);
  return new GroupNorm(groups, epsilon);
}
