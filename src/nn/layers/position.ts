import type { OnnxNodes } from "../../files/nodes";
import type { TorchModule, TorchModules } from "../../files/torch-modules";
import type { Tensor } from "../../graph/tensor";
import { ShapeError } from "../../util/errors";
import { formatShape, type Shape } from "../../util/shape";
import { type Held, type Layer, Part } from "./layer";

/** Of the first values, as GPT-2 has them. */
const DEVIATION = 0.02;

class PositionEmbedding extends Part {
  static override readonly name = "Layer";
  readonly name = "positionEmbedding";

  override output(inputs: Shape): Shape {
    if (inputs.length !== 2) {
      throw new ShapeError(
        `positionEmbedding takes [T, features], and is given ${formatShape(inputs)}; after an embedding() it is that.`,
      );
    }
    return inputs;
  }

  override held(inputs: Shape): Record<string, Held> {
    const [length, size] = inputs as [number, number];
    return { weight: { shape: inputs, first: (random) => random.normal(0, DEVIATION, length * size) } };
  }

  apply(x: Tensor, { weight }: Record<string, Tensor>): Tensor {
    return x.add(weight as Tensor);
  }

  onnx(to: OnnxNodes, x: string, own: (name: string) => string): string {
    return to.node("Add", [x, own("weight")]);
  }

  pytorch(to: TorchModules, inputs: Shape): TorchModule[] {
    return [to.own("PositionEmbedding", inputs)];
  }
}

/**
 * Adds a learned [T, size], a row for each position, to [rows, T, size]; it begins normal with a deviation of 0.02, and its parameter
 * is "N.weight". Source: Radford et al. 2018, §3.1.
 */
export function positionEmbedding(): Layer {
  return new PositionEmbedding();
}
