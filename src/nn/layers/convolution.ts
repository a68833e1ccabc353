import type { OnnxNodes } from "../../files/nodes";
import type { TorchModule, TorchModules } from "../../files/torch-modules";
import { type ConvOptions, numbers, placesOf, type Slide, slidesOf } from "../../graph/sliding";
import type { Tensor } from "../../graph/tensor";
import { checkAmount, checkChoice, checkCount, checkFlag, checkOptions, shown } from "../../util/checks";
import { ShapeError } from "../../util/errors";
import { formatShape, type Shape, sizeOf } from "../../util/shape";
import { INITIALIZERS, type Initializer } from "../initializers";
import { type Activation, activated, checkActivation, squashing } from "./activation";
import { torchPads } from "./image";
import { type Held, type Layer, Part } from "./layer";

/** How a convolution's kernel moves, what is made of its sums, and how its weight begins. */
export interface ConvLayerOptions extends ConvOptions {
  /** Default "linear". */
  activation?: Activation;
  /** Default true. */
  bias?: boolean;
  /** Adds l2/2 * sum(weight²) to the loss, the bias left out; default 0. */
  l2?: number;
  /** Default "heNormal" for relu and "glorotUniform" for the others. */
  init?: Initializer;
}

/** A convolution as a model tells of it. */
export interface ConvLayer extends Layer {
  readonly filters: number;
  readonly kernel: readonly number[];
  readonly activation: Activation;
}

const OPTIONS = ["stride", "padding", "dilation", "groups", "activation", "bias", "l2", "init"] as const;

interface Settings {
  readonly activation: Activation;
  readonly bias: boolean;
  readonly l2: number;
  readonly init: Initializer;
  readonly groups: number;
  readonly slides: readonly Slide[];
}

function settingsOf(part: string, filters: number, kernel: readonly number[], options: ConvLayerOptions): Settings {
  checkCount(part, "filters", filters);
  const { activation = "linear", bias = true, l2 = 0, groups = 1, stride, padding, dilation } = options;
  const { init = activation === "relu" ? "heNormal" : "glorotUniform" } = options;
  checkActivation(part, activation);
  checkFlag(part, "bias", bias);
  checkAmount(part, "l2", l2);
  checkChoice(part, "init", init, Object.keys(INITIALIZERS) as Initializer[]);
  checkCount(part, "groups", groups);
  if (filters % groups !== 0)
    throw new RangeError(`${part}: groups is ${groups} for ${filters} filters; it must divide them.`);
  const slides = slidesOf(part, kernel, {
    ...(stride !== undefined && { stride }),
    ...(padding !== undefined && { padding }),
    ...(dilation !== undefined && { dilation }),
  });
  return { activation, bias, l2, init, groups, slides };
}

/** What the two kinds have in common. */
abstract class Convolution extends Part implements ConvLayer {
  static override readonly name = "Layer";
  readonly kernel: readonly number[];
  readonly activation: Activation;
  readonly bias: boolean;
  readonly l2: number;
  readonly init: Initializer;
  readonly groups: number;
  /** How the kernel moves along each axis. */
  readonly slides: readonly Slide[];

  constructor(
    readonly name: string,
    readonly filters: number,
    settings: Settings,
  ) {
    super();
    this.kernel = settings.slides.map(({ size }) => size);
    this.activation = settings.activation;
    this.bias = settings.bias;
    this.l2 = settings.l2;
    this.init = settings.init;
    this.groups = settings.groups;
    this.slides = settings.slides;
  }

  override get modules(): number {
    return this.activation === "linear" ? 1 : 2;
  }

  override get told(): string {
    return `${this.name} ${this.activation}`;
  }

  override get squashes(): string | null {
    return squashing(this.activation);
  }

  /** The shape of the weight for so many channels. */
  protected abstract weightShape(channels: number): Shape;
  protected abstract placesAt(length: number, axis: number): number;
  protected abstract convolved(x: Tensor, weight: Tensor): Tensor;
  protected abstract onnxSums(to: OnnxNodes, inputs: readonly string[]): string;
  protected abstract torchSums(to: TorchModules, channels: number): TorchModule;

  override output(inputs: Shape): Shape {
    const { kernel, groups } = this;
    const axes = kernel.length === 1 ? "[C, length]" : "[C, height, width]";
    if (inputs.length !== kernel.length + 1)
      throw new ShapeError(`${this.name} takes ${axes}, and is given ${formatShape(inputs)}.`);
    const channels = inputs[0] as number;
    if (channels % groups !== 0) {
      throw new ShapeError(
        `${this.name}: ${channels} channels in ${groups} groups; the number of groups must divide them.`,
      );
    }
    const space = inputs.slice(1).map((length, axis) => this.placesAt(length, axis));
    if (space.some((places) => places < 1)) {
      throw new ShapeError(
        `${this.name}: a kernel of ${formatShape(kernel)} does not fit ${formatShape(inputs)} with its padding.`,
      );
    }
    return [this.filters, ...space];
  }

  override held(inputs: Shape): Record<string, Held> {
    const { filters, kernel, init, l2, bias, groups } = this;
    const channels = inputs[0] as number;
    const shape = this.weightShape(channels);
    const window = sizeOf(kernel);
    const weight: Held = {
      shape,
      first: (random) => INITIALIZERS[init](random, (channels / groups) * window, filters * window, sizeOf(shape)),
      l2,
    };
    return bias ? { weight, bias: { shape: [filters], first: () => new Float32Array(filters) } } : { weight };
  }

  apply(x: Tensor, { weight, bias }: Record<string, Tensor>): Tensor {
    const sums = this.convolved(x, weight as Tensor);
    const whole = bias === undefined ? sums : sums.add(bias.reshape([this.filters, ...this.kernel.map(() => 1)]));
    return activated(this.activation, whole);
  }

  onnx(to: OnnxNodes, x: string, own: (name: string) => string): string {
    const sums = this.onnxSums(to, [x, own("weight"), ...(this.bias ? [own("bias")] : [])]);
    return to.activation(this.activation, sums);
  }

  pytorch(to: TorchModules, inputs: Shape): TorchModule[] {
    return [this.torchSums(to, inputs[0] as number), ...to.activation(this.activation)];
  }

  protected torchOptions() {
    const { slides, groups, bias } = this;
    const each = (of: (slide: Slide) => number) => slides.map(of);
    return { stride: each(({ stride }) => stride), dilation: each(({ dilation }) => dilation), groups, bias };
  }

  protected onnxAttributes() {
    const { slides, groups } = this;
    return {
      kernel_shape: this.kernel,
      strides: slides.map(({ stride }) => stride),
      dilations: slides.map(({ dilation }) => dilation),
      pads: [...slides.map(({ before }) => before), ...slides.map(({ after }) => after)],
      group: groups,
    };
  }
}

class Forward extends Convolution {
  protected weightShape(channels: number): Shape {
    return [this.filters, channels / this.groups, ...this.kernel];
  }
  protected placesAt(length: number, axis: number): number {
    return placesOf(length, this.slides[axis] as Slide);
  }
  protected convolved(x: Tensor, weight: Tensor): Tensor {
    return x.conv(weight, optionsOf(this));
  }
  protected onnxSums(to: OnnxNodes, inputs: readonly string[]): string {
    return to.node("Conv", inputs, this.onnxAttributes());
  }
  protected torchSums(to: TorchModules, channels: number): TorchModule {
    const { filters, kernel, slides } = this;
    const args = [channels, filters, kernel];
    const options = this.torchOptions();
    const name = kernel.length === 1 ? "Conv1d" : "Conv2d";
    const even = slides.every(({ before, after }) => before === after);
    if (even) return to.module(name, args, { padding: slides.map(({ before }) => before), ...options });
    return to.own(`Padded${name}`, args, { pad: torchPads(slides), ...options });
  }
}

class Transposed extends Convolution {
  constructor(
    name: string,
    filters: number,
    settings: Settings,
    private readonly outputPadding: readonly number[],
  ) {
    super(name, filters, settings);
  }
  protected weightShape(channels: number): Shape {
    return [channels, this.filters / this.groups, ...this.kernel];
  }
  protected placesAt(length: number, axis: number): number {
    const { size, stride, dilation, before, after } = this.slides[axis] as Slide;
    return (length - 1) * stride - before - after + dilation * (size - 1) + (this.outputPadding[axis] as number) + 1;
  }
  protected convolved(x: Tensor, weight: Tensor): Tensor {
    return x.convTranspose(weight, { ...optionsOf(this), outputPadding: this.outputPadding });
  }
  protected onnxSums(to: OnnxNodes, inputs: readonly string[]): string {
    return to.node("ConvTranspose", inputs, { ...this.onnxAttributes(), output_padding: this.outputPadding });
  }
  protected torchSums(to: TorchModules, channels: number): TorchModule {
    const { filters, kernel, slides, outputPadding } = this;
    const args = [channels, filters, kernel];
    const options = { output_padding: outputPadding, ...this.torchOptions() };
    const even = slides.every(({ before, after }) => before === after);
    if (even) return to.module("ConvTranspose2d", args, { padding: slides.map(({ before }) => before), ...options });
    return to.own("CutConvTranspose2d", args, { cut: torchPads(slides), ...options });
  }
}

function optionsOf({ slides, groups }: Pick<Settings, "slides" | "groups">) {
  return {
    stride: slides.map(({ stride }) => stride),
    dilation: slides.map(({ dilation }) => dilation),
    padding: slides.map(({ before, after }) => [before, after] as const),
    groups,
  };
}

/**
 * PyTorch's Conv1d: x [rows, C, length] -> [rows, filters, places], with a weight [filters, C / groups, kernel] and a bias [filters].
 * Throws RangeError or TypeError for options that make no layer, ShapeError where what it is given does not fit.
 */
export function conv1d(filters: number, kernel: number, options: ConvLayerOptions = {}): Layer & ConvLayer {
  checkOptions("conv1d", options, OPTIONS);
  checkCount("conv1d", "kernel", kernel);
  return new Forward("conv1d", filters, settingsOf("conv1d", filters, [kernel], options));
}

/** PyTorch's Conv2d: x [rows, C, height, width] -> [rows, filters, ...places], weight [filters, C / groups, ...kernel]. Throws as `conv1d`. */
export function conv2d(
  filters: number,
  kernel: number | readonly [number, number],
  options: ConvLayerOptions = {},
): Layer & ConvLayer {
  checkOptions("conv2d", options, OPTIONS);
  const sizes = numbers("conv2d", "kernel", kernel, 2, 1);
  return new Forward("conv2d", filters, settingsOf("conv2d", filters, sizes, options));
}

/**
 * PyTorch's ConvTranspose2d: x [rows, C, height, width] -> [rows, filters, ...], weight [C, filters / groups, ...kernel]; each length
 * becomes (length - 1) stride - padding + dilation (kernel - 1) + outputPadding + 1. Throws as `conv1d`.
 */
export function convTranspose2d(
  filters: number,
  kernel: number | readonly [number, number],
  options: ConvLayerOptions & { outputPadding?: number } = {},
): Layer & ConvLayer {
  const part = "convTranspose2d";
  checkOptions(part, options, [...OPTIONS, "outputPadding"]);
  if (options.padding === "same") throw new RangeError(`${part}: padding "same" has no meaning here; give numbers.`);
  const sizes = numbers(part, "kernel", kernel, 2, 1);
  const settings = settingsOf(part, filters, sizes, options);
  const more = numbers(part, "outputPadding", options.outputPadding ?? 0, 2, 0);
  settings.slides.forEach(({ stride, dilation }, axis) => {
    if ((more[axis] as number) >= Math.max(stride, dilation)) {
      throw new RangeError(
        `${part}: outputPadding is ${shown(more[axis])}; it must be less than the stride or the dilation.`,
      );
    }
  });
  return new Transposed(part, filters, settings, more);
}
