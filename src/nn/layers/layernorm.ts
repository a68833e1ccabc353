import type { OnnxNodes } from "../../files/nodes";
import type { TorchModule, TorchModules } from "../../files/torch-modules";
import type { Tensor } from "../../graph/tensor";
import { checkOptions } from "../../util/checks";
import type { Shape } from "../../util/shape";
import { type Held, type Layer, Part } from "./layer";
import { checkEpsilon, normalised, scaleAndShift } from "./norm";

class LayerNorm extends Part {
  static override readonly name = "Layer";
  readonly name = "layerNorm";

  constructor(readonly epsilon: number) {
    super();
  }

  override held(inputs: Shape): Record<string, Held> {
    return scaleAndShift(inputs[inputs.length - 1] as number);
  }

  apply(x: Tensor, { weight, bias }: Record<string, Tensor>): Tensor {
    return normalised(x, -1, this.epsilon)
      .mul(weight as Tensor)
      .add(bias as Tensor);
  }

  onnx(to: OnnxNodes, x: string, own: (name: string) => string): string {
    to.needs(17);
    return to.node("LayerNormalization", [x, own("weight"), own("bias")], { epsilon: { float: this.epsilon } });
  }

  pytorch(to: TorchModules, inputs: Shape): TorchModule[] {
    return [to.module("LayerNorm", [inputs[inputs.length - 1] as number], { eps: this.epsilon })];
  }
}

/**
 * (x - mean) / √(variance + epsilon) * weight + bias over the last axis: PyTorch's LayerNorm of that axis. epsilon 1e-5 by default.
 * Throws RangeError. Source: Ba et al. 2016, eq. 4.
 */
export function layerNorm(options: { epsilon?: number } = {}): Layer {
  checkOptions("layerNorm", options, ["epsilon"]);
  const { epsilon = 1e-5 } = options;
  checkEpsilon("layerNorm", epsilon);
  return new LayerNorm(epsilon);
}
