import type { Tensor } from "../graph/tensor";
import { checkChoice, checkOptions } from "../util/checks";

/** What training makes small; from `squaredError`, `softmaxCrossEntropy` or `binaryCrossEntropy`. */
export interface Loss {
  readonly name: string;
}

export type Reduction = "sum" | "mean";

/** @internal A loss as expressions of outputs [rows, outputs] and targets of the same shape. */
export class Criterion implements Loss {
  static readonly name = "Loss";

  constructor(
    readonly name: string,
    readonly reduction: Reduction,
    /** [rows, ·], whose sum is the loss before the reduction. */
    readonly terms: (outputs: Tensor, targets: Tensor) => Tensor,
    /** By how much for each row "mean" divides: the number of elements, or 1. */
    readonly elements: (units: number) => number,
    /** What `predict` gives of the outputs. */
    readonly predicted: (outputs: Tensor) => Tensor,
    /** [rows, ·] of 1 where the prediction is right, `elements` in a row; null where that has no meaning. */
    readonly hits: ((outputs: Tensor, targets: Tensor) => Tensor) | null,
  ) {}

  /** By what the sum of the terms over `rows` rows of `units` outputs is divided. */
  divisor(rows: number, units: number): number {
    return this.reduction === "mean" ? rows * this.elements(units) : 1;
  }
}

/**
 * `(output - target)²`, as PyTorch's MSELoss: "mean" (default) over all rows and outputs, or "sum".
 * Targets are rows * outputs numbers. Throws TypeError for another reduction.
 */
export function squaredError(options: { reduction?: Reduction } = {}): Loss {
  return new Criterion(
    "squaredError",
    reductionOf("squaredError", options),
    (outputs, targets) => outputs.sub(targets).square(),
    (outputs) => outputs,
    (outputs) => outputs,
    null,
  );
}

/**
 * `-log softmax(outputs)[class]`, as PyTorch's CrossEntropyLoss: outputs are logits, "mean" (default) is over the rows.
 * Targets are classes from 0, one a row, or rows of probabilities. Computed as one stable log-softmax.
 * Throws TypeError for another reduction. Source: Goodfellow et al. 2016, §6.2.2.3.
 */
export function softmaxCrossEntropy(options: { reduction?: Reduction } = {}): Loss {
  return new Criterion(
    "softmaxCrossEntropy",
    reductionOf("softmaxCrossEntropy", options),
    // What has no part in a target counts nothing, though its logarithm be -infinity.
    (outputs, targets) => outputs.logSoftmax().mask(targets).mul(targets).neg(),
    () => 1,
    (outputs) => outputs.softmax(),
    (outputs, targets) =>
      outputs
        .argmax(1)
        .eq(targets.argmax(1))
        .reshape([outputs.shape[0] as number, 1]),
  );
}

/**
 * `-(y log σ(x) + (1 - y) log(1 - σ(x)))`, as PyTorch's BCEWithLogitsLoss: outputs are logits, "mean" (default) is over
 * all rows and outputs. Targets are rows * outputs numbers from 0 to 1. Computed as max(x, 0) - x y + log(1 + e^-|x|),
 * which is finite for any finite x. Throws TypeError for another reduction. Source: Goodfellow et al. 2016, §6.2.2.2.
 */
export function binaryCrossEntropy(options: { reduction?: Reduction } = {}): Loss {
  return new Criterion(
    "binaryCrossEntropy",
    reductionOf("binaryCrossEntropy", options),
    // maximum, not relu: its derivative at 0 is 1/2, as that of the whole there must be σ(0) - y.
    (x, y) => x.maximum(0).sub(x.mul(y)).add(x.abs().neg().exp().add(1).log()),
    (outputs) => outputs,
    (outputs) => outputs.sigmoid(),
    (outputs, targets) => outputs.gt(0).eq(targets.gt(0.5)),
  );
}

function reductionOf(part: string, options: { reduction?: Reduction }): Reduction {
  checkOptions(part, options, ["reduction"]);
  const { reduction = "mean" } = options;
  checkChoice(part, "reduction", reduction, ["mean", "sum"]);
  return reduction;
}
