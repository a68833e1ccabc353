import type { OnnxNodes } from "../../files/nodes";
import type { TorchModule, TorchModules } from "../../files/torch-modules";
import type { Tensor } from "../../graph/tensor";
import { checkOptions } from "../../util/checks";
import type { Shape } from "../../util/shape";
import { type Held, type Layer, Part } from "./layer";
import { checkEpsilon, scaleAndShift } from "./norm";

class RmsNorm extends Part {
  static override readonly name = "Layer";
  readonly name = "rmsNorm";

  constructor(readonly epsilon: number) {
    super();
  }

  override held(inputs: Shape): Record<string, Held> {
    const { weight } = scaleAndShift(inputs[inputs.length - 1] as number);
    return { weight };
  }

  apply(x: Tensor, { weight }: Record<string, Tensor>): Tensor {
    const square = x.square().mean(-1, { keepDims: true });
    return x.div(square.add(this.epsilon).sqrt()).mul(weight as Tensor);
  }

  onnx(to: OnnxNodes, x: string, own: (name: string) => string): string {
    const square = to.node("ReduceMean", [to.node("Mul", [x, x])], { axes: [-1] });
    const root = to.node("Sqrt", [to.node("Add", [square, to.constant("epsilon", Float32Array.of(this.epsilon))])]);
    return to.node("Mul", [to.node("Div", [x, root]), own("weight")]);
  }

  pytorch(to: TorchModules, inputs: Shape): TorchModule[] {
    return [to.own("RMSNorm", [inputs[inputs.length - 1] as number], { eps: this.epsilon })];
  }
}

/**
 * x / √(mean(x²) + epsilon) * weight over the last axis: PyTorch's RMSNorm of that axis, with its epsilon of 2^-23 by default. Throws
 * RangeError. Source: Zhang and Sennrich 2019, eq. 4.
 */
export function rmsNorm(options: { epsilon?: number } = {}): Layer {
  checkOptions("rmsNorm", options, ["epsilon"]);
  const { epsilon = 2 ** -23 } = options;
  checkEpsilon("rmsNorm", epsilon);
  return new RmsNorm(epsilon);
}
