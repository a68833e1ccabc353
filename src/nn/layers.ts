import { random, type Tensor } from "../graph/tensor";
import { checkAmount, checkChoice, checkCount, checkFlag, checkFraction, checkOptions } from "../util/checks";
import { INITIALIZERS, type Initializer } from "./initializers";

export type Activation = "relu" | "tanh" | "sigmoid" | "linear";

/** A part of a network, from `dense` or `dropout`; it has no weights of its own until `sequential` places it. */
export interface Layer {
  readonly name: string;
}

/** A dense layer as a model tells of it, with what was left out filled in. */
export interface DenseLayer extends Layer {
  readonly name: "dense";
  readonly units: number;
  readonly activation: Activation;
  readonly bias: boolean;
  readonly l2: number;
  readonly init: Initializer;
}

/** A dropout as a model tells of it. */
export interface DropoutLayer extends Layer {
  readonly name: "dropout";
  readonly rate: number;
}

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

const ACTIVATIONS: Record<Activation, (x: Tensor) => Tensor> = {
  relu: (x) => x.relu(),
  tanh: (x) => x.tanh(),
  sigmoid: (x) => x.sigmoid(),
  linear: (x) => x,
};

/** @internal */
export class Dense implements DenseLayer {
  static readonly name = "Dense"; // as messages call it, whatever a minifier makes of the class
  readonly name = "dense";

  constructor(
    readonly units: number,
    readonly activation: Activation,
    readonly bias: boolean,
    readonly l2: number,
    readonly init: Initializer,
  ) {}

  /** x [rows, inputs], weight [inputs, units], bias [units] -> [rows, units]. */
  forward(x: Tensor, weight: Tensor, bias: Tensor | undefined): Tensor {
    const product = x.matmul(weight);
    return ACTIVATIONS[this.activation](bias === undefined ? product : product.add(bias));
  }
}

/** @internal */
export class Dropout implements DropoutLayer {
  static readonly name = "Dropout";
  readonly name = "dropout";

  constructor(readonly rate: number) {}

  /** Each element is 0 with probability `rate`, else divided by 1 - rate; drawn anew for each value of `counter`. */
  forward(x: Tensor, counter: Tensor, seed: number): Tensor {
    if (this.rate === 0) return x;
    return x.mask(random(x.shape, counter, seed).ge(this.rate)).mul(1 / (1 - this.rate));
  }
}

/**
 * `x W + b`, then the activation: x [rows, inputs] -> [rows, units], with W of shape [inputs, units] and b of shape
 * [units]. b begins at 0, W as `init` says. `l2` adds l2/2 * sum(W²) to the loss, the bias left out.
 * Throws RangeError or TypeError for options that make no layer. Source: Goodfellow et al. 2016, §6.1 and §7.1.1.
 */
export function dense(units: number, options: DenseOptions = {}): Layer {
  checkCount("dense", "units", units);
  checkOptions("dense", options, ["activation", "bias", "l2", "init"]);
  const { activation = "linear", bias = true, l2 = 0 } = options;
  const { init = activation === "relu" ? "heNormal" : "glorotUniform" } = options;
  checkChoice("dense", "activation", activation, Object.keys(ACTIVATIONS) as Activation[]);
  checkFlag("dense", "bias", bias);
  checkAmount("dense", "l2", l2);
  checkChoice("dense", "init", init, Object.keys(INITIALIZERS) as Initializer[]);
  return new Dense(units, activation, bias, l2, init);
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
