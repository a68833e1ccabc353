import type { OnnxNodes } from "../../files/nodes";
import type { TorchModule, TorchModules } from "../../files/torch-modules";
import type { Tensor } from "../../graph/tensor";
import { type Shape, sizeOf } from "../../util/shape";
import { type Layer, Part } from "./layer";

class Flatten extends Part {
  static override readonly name = "Layer";
  readonly name = "flatten";

  override output(inputs: Shape): Shape {
    return [sizeOf(inputs)];
  }

  apply(x: Tensor): Tensor {
    return x.reshape([x.shape[0] as number, -1]);
  }

  onnx(to: OnnxNodes, x: string): string {
    return to.node("Flatten", [x]);
  }

  pytorch(to: TorchModules): TorchModule[] {
    return [to.module("Flatten")];
  }
}

/** [rows, ...] -> [rows, all numbers of an example], row-major: PyTorch's Flatten. */
export function flatten(): Layer {
  return new Flatten();
}
