import type { OnnxNodes } from "../../files/nodes";
import type { TorchModule, TorchModules } from "../../files/torch-modules";
import type { Tensor } from "../../graph/tensor";
import { checkCount } from "../../util/checks";
import type { Shape } from "../../util/shape";
import { checkImage } from "./image";
import { type Layer, Part } from "./layer";

class Upsample extends Part {
  static override readonly name = "Layer";
  readonly name = "upsample2d";

  constructor(readonly factor: number) {
    super();
  }

  override get told(): string {
    return `upsample2d ${this.factor}`;
  }

  override output(inputs: Shape): Shape {
    checkImage(this.name, inputs);
    const [C, H, W] = inputs as [number, number, number];
    return [C, H * this.factor, W * this.factor];
  }

  apply(x: Tensor): Tensor {
    const [N, C, H, W] = x.shape as [number, number, number, number];
    const { factor } = this;
    return x
      .reshape([N, C, H, 1, W, 1])
      .broadcastTo([N, C, H, factor, W, factor])
      .reshape([N, C, H * factor, W * factor]);
  }

  onnx(to: OnnxNodes, x: string): string {
    const scales = to.constant("scales", Float32Array.of(1, 1, this.factor, this.factor));
    const nearest = { coordinate_transformation_mode: "asymmetric", mode: "nearest", nearest_mode: "floor" };
    return to.node("Resize", [x, "", scales], nearest);
  }

  pytorch(to: TorchModules): TorchModule[] {
    return [to.module("Upsample", [], { scale_factor: this.factor, mode: "nearest" })];
  }
}

/** Each pixel `factor` times in both directions: [rows, C, H, W] -> [rows, C, H * factor, W * factor]. PyTorch's Upsample, nearest. */
export function upsample2d(factor: number): Layer {
  checkCount("upsample2d", "factor", factor);
  return new Upsample(factor);
}
