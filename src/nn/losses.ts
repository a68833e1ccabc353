import { constant, input, Tensor } from "../graph/tensor";
import { checkAmount, checkChoice, checkOptions, isNumbers, shown } from "../util/checks";
import { ShapeError } from "../util/errors";
import { formatShape } from "../util/shape";

/** What training makes small; from `squaredError`, `softmaxCrossEntropy`, `defineLoss` and the others. */
export interface Loss {
  readonly name: string;
}

export type Reduction = "sum" | "mean";

interface Parts {
  readonly reduction: Reduction;
  /** [rows, ·], whose sum is the loss before the reduction; one number for all rows where `whole`. */
  terms(outputs: Tensor, targets: Tensor): Tensor;
  /** By how much for each row "mean" divides: the number of elements, or 1. */
  elements(units: number): number;
  /** What `predict` gives of the outputs; left out: the outputs. */
  predicted?(outputs: Tensor): Tensor;
  /** [rows, ·] of 1 where the prediction is right, `elements` in a row; left out where that has no meaning. */
  hits?(outputs: Tensor, targets: Tensor): Tensor;
  /** Targets that are not just numbers: classes, or rows of probabilities that sum to 1; or a probability for each output. */
  readonly targets?: "classes" | "probabilities";
  /** It makes the probabilities itself, by this function. */
  readonly squashes?: "softmax" | "sigmoid";
  /** The terms are one number for all rows together: a batch cannot be filled up, nor an evaluation cut into pieces. */
  readonly whole?: boolean;
  /** PyTorch's function of the same terms, and its options; left out: none is known. */
  readonly pytorch?: TorchLoss;
  /** What it is for so many outputs, where that is known then only. */
  settled?(units: number): Parts;
}

/** @internal A function of torch.nn.functional, which gives the terms with reduction="none". */
export interface TorchLoss {
  readonly name: string;
  readonly options?: Readonly<Record<string, number>>;
}

/** @internal A loss as expressions of outputs [rows, units] and targets of the same shape; a sequence's positions are rows. */
export class Criterion implements Loss {
  static readonly name = "Loss";
  readonly #parts: Parts;
  readonly #weights: readonly number[] | null;

  constructor(
    readonly name: string,
    parts: Parts,
    weights: readonly number[] | null = null,
  ) {
    this.#parts = parts;
    this.#weights = weights;
  }

  get targets(): Parts["targets"] {
    return this.#parts.targets;
  }

  get squashes(): Parts["squashes"] {
    return this.#parts.squashes;
  }

  get reduction(): Reduction {
    return this.#parts.reduction;
  }

  get whole(): boolean {
    return this.#parts.whole ?? false;
  }

  /** Whether a prediction can be right or wrong. */
  get counts(): boolean {
    return this.#parts.hits !== undefined;
  }

  get pytorch(): TorchLoss | null {
    return this.#parts.pytorch ?? null;
  }

  /** One factor a class, or null. */
  get weights(): readonly number[] | null {
    return this.#weights;
  }

  /** Throws what the user's own loss throws for outputs of so many units. */
  settled(units: number): Criterion {
    const parts = this.#parts.settled?.(units);
    return parts === undefined ? this : new Criterion(this.name, parts);
  }

  elements(units: number): number {
    return this.#parts.elements(units);
  }

  hits(outputs: Tensor, targets: Tensor): Tensor | null {
    return this.#parts.hits?.(outputs, targets) ?? null;
  }

  terms(outputs: Tensor, targets: Tensor): Tensor {
    const terms = this.#parts.terms(outputs, targets);
    return this.#weights === null ? terms : terms.mul(constant(this.#weights, [this.#weights.length]));
  }

  predicted(outputs: Tensor): Tensor {
    return this.#parts.predicted?.(outputs) ?? outputs;
  }

  /** By what the sum of the terms over `rows` rows of `units` outputs is divided, where there are no `shares`. */
  divisor(rows: number, units: number): number {
    return this.#parts.reduction === "mean" ? rows * this.#parts.elements(units) : 1;
  }

  /** Whether a mean of such targets is divided by the sum of `shares`, as PyTorch's is where classes have factors. */
  divides(kind: "classes" | "values"): boolean {
    return this.#weights !== null && kind === "classes" && this.reduction === "mean";
  }

  /** [rows, units]: the factor of each row's class. */
  shares(targets: Tensor): Tensor {
    return targets.mul(constant(this.#weights ?? [], [this.#weights?.length ?? 0]));
  }

  /** The same with a factor for each class. Throws TypeError, ShapeError or RangeError. */
  weighted(weights: readonly number[], units: number): Criterion {
    if (this.#parts.targets !== "classes")
      throw new TypeError(`trainer: classWeights are for softmaxCrossEntropy; the loss is ${this.name}.`);
    if (!isNumbers(weights))
      throw new TypeError(`trainer: classWeights is ${shown(weights)}; it must be an array of numbers.`);
    if (weights.length !== units)
      throw new ShapeError(
        `trainer: there are ${weights.length} classWeights for ${units} classes; there must be one a class.`,
      );
    const all = Array.from(weights);
    all.forEach((weight, i) => {
      checkAmount("trainer", `the weight of class ${i}`, weight);
    });
    if (all.every((weight) => weight === 0))
      throw new RangeError("trainer: all classWeights are 0; one must be above.");
    return new Criterion(this.name, this.#parts, all);
  }
}

/**
 * `(output - target)²`, as PyTorch's MSELoss: "mean" (default) over all rows and outputs, or "sum".
 * Targets are rows * outputs numbers. Throws TypeError for another reduction.
 */
export function squaredError(options: { reduction?: Reduction } = {}): Loss {
  return new Criterion("squaredError", {
    reduction: reductionOf("squaredError", options),
    terms: (outputs, targets) => outputs.sub(targets).square(),
    elements: (units) => units,
    pytorch: { name: "mse_loss" },
  });
}

/**
 * `|output - target|`, as PyTorch's L1Loss: "mean" (default) over all rows and outputs, or "sum"; its derivative is 0 where both are equal.
 * Targets are rows * outputs numbers. Throws TypeError for another reduction.
 */
export function absoluteError(options: { reduction?: Reduction } = {}): Loss {
  return new Criterion("absoluteError", {
    reduction: reductionOf("absoluteError", options),
    terms: (outputs, targets) => outputs.sub(targets).abs(),
    elements: (units) => units,
    pytorch: { name: "l1_loss" },
  });
}

/**
 * Half the square of `output - target` up to `delta` (default 1), and beyond it the line that goes on from there, as PyTorch's HuberLoss:
 * "mean" (default) over all rows and outputs, or "sum". Targets are rows * outputs numbers. Throws RangeError or TypeError.
 * Source: Huber 1964.
 */
export function huber(options: { delta?: number; reduction?: Reduction } = {}): Loss {
  checkOptions("huber", options, ["delta", "reduction"]);
  const { delta = 1, ...rest } = options;
  checkAmount("huber", "delta", delta);
  if (delta === 0) throw new RangeError("huber: delta is 0; it must be above.");
  return new Criterion("huber", {
    reduction: reductionOf("huber", rest),
    terms(outputs, targets) {
      const off = outputs.sub(targets).abs();
      const near = off.minimum(delta);
      return near.square().mul(0.5).add(off.sub(near).mul(delta));
    },
    elements: (units) => units,
    pytorch: { name: "huber_loss", options: { delta } },
  });
}

/**
 * `-log softmax(outputs)[class]`, as PyTorch's CrossEntropyLoss: outputs are logits, "mean" (default) is over the rows.
 * Targets are classes from 0, one a row, or rows of probabilities. Computed as one stable log-softmax.
 * Throws TypeError for another reduction. Source: Goodfellow et al. 2016, §6.2.2.3.
 */
export function softmaxCrossEntropy(options: { reduction?: Reduction } = {}): Loss {
  return new Criterion("softmaxCrossEntropy", {
    reduction: reductionOf("softmaxCrossEntropy", options),
    // What has no part in a target counts nothing, though its logarithm be -infinity.
    terms: (outputs, targets) => outputs.logSoftmax().mask(targets).mul(targets).neg(),
    elements: () => 1,
    predicted: (outputs) => outputs.softmax(),
    hits: (outputs, targets) =>
      outputs
        .argmax(1)
        .eq(targets.argmax(1))
        .reshape([outputs.shape[0] as number, 1]),
    targets: "classes",
    squashes: "softmax",
    pytorch: { name: "cross_entropy" },
  });
}

/**
 * `-(y log σ(x) + (1 - y) log(1 - σ(x)))`, as PyTorch's BCEWithLogitsLoss: outputs are logits, "mean" (default) is over
 * all rows and outputs. Targets are rows * outputs numbers from 0 to 1. Computed as max(x, 0) - x y + log(1 + e^-|x|),
 * which is finite for any finite x. Throws TypeError for another reduction. Source: Goodfellow et al. 2016, §6.2.2.2.
 */
export function binaryCrossEntropy(options: { reduction?: Reduction } = {}): Loss {
  return new Criterion("binaryCrossEntropy", {
    reduction: reductionOf("binaryCrossEntropy", options),
    // maximum, not relu: its derivative at 0 is 1/2, as that of the whole there must be σ(0) - y.
    terms: (x, y) => x.maximum(0).sub(x.mul(y)).add(x.abs().neg().exp().add(1).log()),
    elements: (units) => units,
    predicted: (outputs) => outputs.sigmoid(),
    hits: (outputs, targets) => outputs.gt(0).eq(targets.gt(0.5)),
    targets: "probabilities",
    squashes: "sigmoid",
    pytorch: { name: "binary_cross_entropy_with_logits" },
  });
}

/**
 * A loss of your own. `of` is given the outputs and the targets of a batch, both [rows, outputs] (of a sequence each position is a row), and
 * gives a value a row, [rows] or [rows, 1], of which the loss is the mean; or one number for the whole batch, which then must be full in each
 * step, and an evaluation is one batch. Throws TypeError, and ShapeError from `trainer` for what is neither.
 */
export function defineLoss(name: string, of: (prediction: Tensor, target: Tensor) => Tensor): Loss {
  if (typeof name !== "string" || name === "")
    throw new TypeError(`defineLoss: name is ${shown(name)}; it must be a string, not empty.`);
  if (typeof of !== "function")
    throw new TypeError(
      `defineLoss: what ${name} is, is ${shown(of)}; it must be a function of prediction and target.`,
    );
  const made = (prediction: Tensor, target: Tensor): Tensor => {
    const value: unknown = of(prediction, target);
    if (!(value instanceof Tensor) || value.dtype !== "float32")
      throw new TypeError(`${name}: it gave ${shown(value, Tensor)}; it must give a float32 Tensor.`);
    const [rows, ...rest] = value.shape;
    if (value.shape.length === 0 || (rows === prediction.shape[0] && rest.every((length) => length === 1)))
      return value;
    throw new ShapeError(
      `${name}: it made ${formatShape(value.shape)} of predictions ${formatShape(prediction.shape)}; it must give a value a row, [${prediction.shape[0]}], or one number, [].`,
    );
  };
  const byRow: Parts = {
    reduction: "mean",
    terms: (prediction, target) => made(prediction, target).reshape([prediction.shape[0] as number, 1]),
    elements: () => 1,
  };
  const whole: Parts = { reduction: "sum", terms: made, elements: () => 1, whole: true };
  const settled = (units: number) => (made(input([2, units]), input([2, units])).shape.length === 0 ? whole : byRow);
  return new Criterion(name, { ...byRow, settled });
}

function reductionOf(part: string, options: { reduction?: Reduction }): Reduction {
  checkOptions(part, options, ["reduction"]);
  const { reduction = "mean" } = options;
  checkChoice(part, "reduction", reduction, ["mean", "sum"]);
  return reduction;
}
