import type { OnnxNodes } from "../../files/nodes";
import type { TorchModule, TorchModules } from "../../files/torch-modules";
import type { Tensor } from "../../graph/tensor";
import { checkFraction } from "../../util/checks";
import { type Layer, Part, type Pass } from "./layer";

/** A dropout as a model tells of it. */
export interface DropoutLayer extends Layer {
  readonly name: "dropout";
  readonly rate: number;
}

class Dropout extends Part implements DropoutLayer {
  static override readonly name = "Layer";
  readonly name = "dropout";

  constructor(readonly rate: number) {
    super();
  }

  override get told(): string {
    return `dropout ${this.rate}`;
  }

  apply(x: Tensor, _held: Record<string, Tensor>, pass: Pass): Tensor {
    return pass.training ? dropped(x, this.rate, pass) : x;
  }

  onnx(_to: OnnxNodes, x: string): string {
    return x;
  }

  pytorch(to: TorchModules): TorchModule[] {
    return [to.module("Dropout", [this.rate])];
  }
}

/** Each element is 0 with probability `rate`, else divided by 1 - rate. */
export function dropped(x: Tensor, rate: number, pass: Pass): Tensor {
  return rate === 0 ? x : x.mask(pass.uniform(x.shape).ge(rate)).mul(1 / (1 - rate));
}

/**
 * In training each element of a row is set to 0 with probability `rate` and the others are divided by 1 - rate; in
 * predict and evaluate nothing changes. Masks come from a counter-based generator: the same on every device for the
 * same seed of the model and the same step. Throws RangeError for a rate outside [0, 1).
 * Source: Srivastava et al. 2014, §4, in the inverted form of §10.
 */
export function dropout(rate: number): Layer {
  checkFraction("dropout", "rate", rate);
  return new Dropout(rate);
}
