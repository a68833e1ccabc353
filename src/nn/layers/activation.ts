import type { OnnxNodes } from "../../files/nodes";
import type { TorchModule, TorchModules } from "../../files/torch-modules";
import type { Tensor } from "../../graph/tensor";
import { checkChoice } from "../../util/checks";
import { type Layer, Part } from "./layer";

/** `linear` leaves what it is given; the others are the methods of Tensor of the same names. */
export type Activation = "linear" | "relu" | "tanh" | "sigmoid" | "gelu" | "silu" | "softplus" | "elu" | "leakyRelu";

const NAMES: readonly Activation[] = [
  "relu",
  "tanh",
  "sigmoid",
  "linear",
  "gelu",
  "silu",
  "softplus",
  "elu",
  "leakyRelu",
];

export function checkActivation(part: string, name: Activation): void {
  checkChoice(part, "activation", name, NAMES);
}

export function activated(name: Activation, x: Tensor): Tensor {
  return name === "linear" ? x : x[name]();
}

/** By what a layer with this activation makes probabilities. */
export function squashing(name: Activation): string | null {
  return name === "sigmoid" ? name : null;
}

class ActivationPart extends Part {
  static override readonly name = "Layer";
  readonly name = "activation";

  constructor(readonly activation: Activation) {
    super();
  }

  override get told(): string {
    return this.activation;
  }

  override get squashes(): string | null {
    return squashing(this.activation);
  }

  apply(x: Tensor): Tensor {
    return activated(this.activation, x);
  }

  onnx(to: OnnxNodes, x: string): string {
    return to.activation(this.activation, x);
  }

  pytorch(to: TorchModules): TorchModule[] {
    // Of a linear one there is a module too: what stands behind it is numbered so.
    return this.activation === "linear" ? [to.module("Identity")] : to.activation(this.activation);
  }
}

/**
 * An activation as a layer of its own, elementwise: PyTorch's ReLU, Tanh, Sigmoid, GELU (exact), SiLU, Softplus, ELU and LeakyReLU
 * (slope 0.01) with their defaults. Throws TypeError for another name.
 */
export function activation(name: Activation): Layer {
  checkActivation("activation", name);
  return new ActivationPart(name);
}
