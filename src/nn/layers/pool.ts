import type { OnnxNodes } from "../../files/nodes";
import type { TorchModule, TorchModules } from "../../files/torch-modules";
import type { Tensor } from "../../graph/tensor";
import type { Shape } from "../../util/shape";
import { checkImage } from "./image";
import { type Layer, Part } from "./layer";

class GlobalAveragePool extends Part {
  static override readonly name = "Layer";
  readonly name = "globalAveragePool";

  override output(inputs: Shape): Shape {
    checkImage(this.name, inputs);
    return [inputs[0] as number];
  }

  apply(x: Tensor): Tensor {
    return x.mean([2, 3]);
  }

  onnx(to: OnnxNodes, x: string): string {
    return to.node("Flatten", [to.node("GlobalAveragePool", [x])]);
  }

  pytorch(to: TorchModules): TorchModule[] {
    return [to.own("GlobalAveragePool")];
  }
}

/** The mean of each channel: [rows, C, H, W] -> [rows, C]. PyTorch's AdaptiveAvgPool2d(1) and Flatten, as one module. */
export function globalAveragePool(): Layer {
  return new GlobalAveragePool();
}
