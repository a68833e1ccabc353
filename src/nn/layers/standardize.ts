import type { OnnxNodes } from "../../files/nodes";
import type { TorchModule, TorchModules } from "../../files/torch-modules";
import type { Tensor } from "../../graph/tensor";
import { ShapeError } from "../../util/errors";
import { formatShape, type Shape } from "../../util/shape";
import { type Held, Part } from "./layer";

/**
 * (x - mean) / deviation over the last axis, by columns that do not change: its state. What float32 leaves of a mean is taken away apart:
 * beside a small deviation it is not small.
 */
export class Standardize extends Part {
  static override readonly name = "Layer";
  readonly name = "standardize";
  readonly #mean: Float64Array;
  readonly #deviation: Float64Array;

  constructor(mean: Float64Array, deviation: Float64Array) {
    super();
    this.#mean = mean;
    this.#deviation = deviation;
  }

  override output(inputs: Shape): Shape {
    if (inputs[inputs.length - 1] !== this.#mean.length) {
      throw new ShapeError(
        `standardize is of ${this.#mean.length} columns, and is given ${formatShape(inputs)}; the last axis must be as long.`,
      );
    }
    return inputs;
  }

  override held(): Record<string, Held> {
    const column = (values: Float64Array): Held => ({ shape: [values.length], first: () => values, state: true });
    const rest = this.#mean.map((value) => value - Math.fround(value));
    return { mean: column(this.#mean), rest: column(rest), deviation: column(this.#deviation) };
  }

  apply(x: Tensor, { mean, rest, deviation }: Record<string, Tensor>): Tensor {
    return x
      .sub(mean as Tensor)
      .sub(rest as Tensor)
      .div(deviation as Tensor);
  }

  onnx(to: OnnxNodes, x: string, own: (name: string) => string): string {
    const off = to.node("Sub", [to.node("Sub", [x, own("mean")]), own("rest")]);
    return to.node("Div", [off, own("deviation")]);
  }

  pytorch(to: TorchModules): TorchModule[] {
    return [to.own("Standardize", [this.#mean.length])];
  }
}
