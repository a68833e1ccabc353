import type { OnnxNodes } from "../../files/nodes";
import type { TorchModule, TorchModules } from "../../files/torch-modules";
import type { Tensor } from "../../graph/tensor";
import { checkAmount, checkChoice, checkCount, checkFlag, checkOptions } from "../../util/checks";
import { ShapeError } from "../../util/errors";
import { formatShape, type Shape } from "../../util/shape";
import { INITIALIZERS, type Initializer } from "../initializers";
import { type Activation, activated, checkActivation, squashing } from "./activation";
import { type Held, type Layer, Part } from "./layer";

/** A dense layer as a model tells of it, with what was left out filled in. */
export interface DenseLayer extends Layer {
  readonly name: "dense";
  readonly units: number;
  readonly activation: Activation;
  readonly bias: boolean;
  readonly l2: number;
  readonly init: Initializer;
}

/** What `dense` makes of its product, and how its weight begins. */
export interface DenseOptions {
  /** Default "linear". */
  activation?: Activation;
  /** Default true. */
  bias?: boolean;
  /** Adds l2/2 * sum(weight²) to the loss, the bias left out; default 0. */
  l2?: number;
  /** Default "heNormal" for relu and "glorotUniform" for the others. */
  init?: Initializer;
}

class Dense extends Part implements DenseLayer {
  static override readonly name = "Layer";
  readonly name = "dense";

  constructor(
    readonly units: number,
    readonly activation: Activation,
    readonly bias: boolean,
    readonly l2: number,
    readonly init: Initializer,
  ) {
    super();
  }

  override get modules(): number {
    return this.activation === "linear" ? 1 : 2;
  }

  override get told(): string {
    return `dense ${this.activation}`;
  }

  override get squashes(): string | null {
    return squashing(this.activation);
  }

  override output(inputs: Shape): Shape {
    if (inputs.length > 2) {
      throw new ShapeError(
        `dense takes [features] or [T, features], and is given ${formatShape(inputs)}; put flatten() before it.`,
      );
    }
    return [...inputs.slice(0, -1), this.units];
  }

  override held(inputs: Shape): Record<string, Held> {
    const { units, l2, init } = this;
    const features = inputs[inputs.length - 1] as number;
    const weight: Held = {
      shape: [features, units],
      first: (random) => INITIALIZERS[init](random, features, units, features * units),
      l2,
      turned: true,
    };
    return this.bias ? { weight, bias: { shape: [units], first: () => new Float32Array(units) } } : { weight };
  }

  apply(x: Tensor, { weight, bias }: Record<string, Tensor>): Tensor {
    const product = x.matmul(weight as Tensor);
    return activated(this.activation, bias === undefined ? product : product.add(bias));
  }

  onnx(to: OnnxNodes, x: string, own: (name: string) => string, inputs: Shape): string {
    const product = to.linear(x, own("weight"), this.bias ? own("bias") : null, inputs.length);
    return to.activation(this.activation, product);
  }

  pytorch(to: TorchModules, inputs: Shape): TorchModule[] {
    const { units, bias } = this;
    return [
      to.module("Linear", [inputs[inputs.length - 1] as number, units], { bias }),
      ...to.activation(this.activation),
    ];
  }
}

/**
 * `x W + b`, then the activation: x [rows, inputs] -> [rows, units], with W of shape [inputs, units] and b of shape
 * [units]; of a sequence [rows, T, inputs] -> [rows, T, units], each position as a row. b begins at 0, W as `init` says. `l2` adds
 * l2/2 * sum(W²) to the loss, the bias left out. PyTorch's Linear.
 * Throws RangeError or TypeError for options that make no layer. Source: Goodfellow et al. 2016, §6.1 and §7.1.1.
 */
export function dense(units: number, options: DenseOptions = {}): Layer {
  checkCount("dense", "units", units);
  checkOptions("dense", options, ["activation", "bias", "l2", "init"]);
  const { activation = "linear", bias = true, l2 = 0 } = options;
  const { init = activation === "relu" ? "heNormal" : "glorotUniform" } = options;
  checkActivation("dense", activation);
  checkFlag("dense", "bias", bias);
  checkAmount("dense", "l2", l2);
  checkChoice("dense", "init", init, Object.keys(INITIALIZERS) as Initializer[]);
  return new Dense(units, activation, bias, l2, init);
}
