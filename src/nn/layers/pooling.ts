import type { OnnxNodes } from "../../files/nodes";
import type { TorchModule, TorchModules } from "../../files/torch-modules";
import { type PoolOptions, placesOf, type Slide, slidesOf } from "../../graph/sliding";
import type { Tensor } from "../../graph/tensor";
import { checkCount, checkOptions } from "../../util/checks";
import { ShapeError } from "../../util/errors";
import { formatShape, type Shape } from "../../util/shape";
import { torchPads } from "./image";
import { type Layer, Part } from "./layer";

class Pooling extends Part {
  static override readonly name = "Layer";

  constructor(
    readonly name: "maxPool2d" | "avgPool2d",
    readonly size: number,
    private readonly slides: readonly Slide[],
  ) {
    super();
  }

  override output(inputs: Shape): Shape {
    if (inputs.length !== 3)
      throw new ShapeError(`${this.name} takes [C, height, width], and is given ${formatShape(inputs)}.`);
    const space = inputs.slice(1).map((length, axis) => placesOf(length, this.slides[axis] as Slide));
    if (space.some((places) => places < 1))
      throw new ShapeError(`${this.name}: a window of ${this.size} does not fit ${formatShape(inputs)}.`);
    return [inputs[0] as number, ...space];
  }

  apply(x: Tensor): Tensor {
    const options = {
      stride: this.slides.map(({ stride }) => stride),
      padding: this.slides.map(({ before, after }) => [before, after] as const),
    };
    return this.name === "maxPool2d" ? x.maxPool(this.size, options) : x.avgPool(this.size, options);
  }

  onnx(to: OnnxNodes, x: string): string {
    const attributes = {
      kernel_shape: [this.size, this.size],
      strides: this.slides.map(({ stride }) => stride),
      pads: [...this.slides.map(({ before }) => before), ...this.slides.map(({ after }) => after)],
    };
    return this.name === "maxPool2d"
      ? to.node("MaxPool", [x], attributes)
      : to.node("AveragePool", [x], { ...attributes, count_include_pad: 1 });
  }

  pytorch(to: TorchModules): TorchModule[] {
    const { slides, size } = this;
    const largest = this.name === "maxPool2d";
    const stride = slides.map(({ stride }) => stride);
    const name = largest ? "MaxPool2d" : "AvgPool2d";
    if (slides.every(({ before, after }) => before === after))
      return [to.module(name, [size], { stride, padding: slides.map(({ before }) => before) })];
    const padded = to.module("ConstantPad2d", [torchPads(slides), largest ? -Infinity : 0]);
    return [to.sequential([padded, to.module(name, [size], { stride })])];
  }
}

function pooling(name: "maxPool2d" | "avgPool2d", size: number, options: PoolOptions): Layer {
  checkOptions(name, options, ["stride", "padding"]);
  checkCount(name, "size", size);
  const { stride = size, padding = 0 } = options;
  const slides = slidesOf(name, [size, size], { stride, padding });
  const widest = Math.max(...slides.flatMap(({ before, after }) => [before, after]));
  if (name === "maxPool2d" && 2 * widest > size)
    throw new RangeError(`${name}: a padding of ${widest} for windows of ${size}; at most half of it.`);
  return new Pooling(name, size, slides);
}

/** PyTorch's MaxPool2d: the largest of each window of size × size; `stride` is the size where left out. x [rows, C, height, width]. */
export function maxPool2d(size: number, options: PoolOptions = {}): Layer {
  return pooling("maxPool2d", size, options);
}

/** PyTorch's AvgPool2d: the mean of each window, padding counted as zeros. */
export function avgPool2d(size: number, options: PoolOptions = {}): Layer {
  return pooling("avgPool2d", size, options);
}
