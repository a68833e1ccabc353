import type { Tensor } from "../graph/tensor";
import { checkAmount, checkFlag, checkFraction, checkOptions } from "../util/checks";
import { type OptimizerStep, optimizerStep, type Updated, type UpdateOptions, type UpdateRule } from "./optimizer-step";
import { checkRate, type LearningRate } from "./schedules";

/** How weights follow gradients; from `sgd`, `adam` or `rmsprop`. */
export interface Optimizer {
  readonly name: string;
  /**
   * One step in a program of one's own: the same updates that the trainer makes, from the same numbers. `gradients` are those of the
   * parameters, in their order.
   *
   *     const rule = adam({ lr: 0.01 }).update({ w, b }, grad(loss, [w, b]));
   *     const session = await device.compile({
   *       inputs: { x, y }, parameters: { w, b, ...rule.state }, outputs: { loss }, updates: rule.updates,
   *     });
   *     await session.run(data, { steps: 500 }); // as often as you like: the state stays
   *
   * A rate that is a function wants `steps`; one that is a tensor, an input, goes in `lr`. Throws TypeError, RangeError or ShapeError.
   */
  update(
    parameters: Readonly<Record<string, Tensor>>,
    gradients: readonly Tensor[],
    options?: UpdateOptions,
  ): OptimizerStep;
}

/** @internal The same rule in torch.optim. */
export interface TorchOptimizer {
  readonly name: "SGD" | "Adam" | "AdamW" | "RMSprop";
  /** But for the rate, which the trainer gives. */
  readonly options: Readonly<Record<string, number | boolean | readonly number[]>>;
  /** What PyTorch calls each state. */
  readonly slots: Readonly<Record<string, string>>;
}

/** @internal An update rule as expressions of one parameter, its gradient, its state and the step's scalars. */
export class Rule implements Optimizer, UpdateRule {
  static readonly name = "Optimizer";

  constructor(
    readonly name: string,
    readonly lr: LearningRate,
    /** State of each parameter, of its shape and 0 at first. */
    readonly slots: readonly string[],
    /** Names of the numbers that change each step; they reach the device as tables. */
    readonly tables: readonly string[],
    /** Those numbers, in float64, at step `step` (from 0) with its learning rate. */
    readonly scalars: (step: number, rate: number) => readonly number[],
    readonly each: (p: Tensor, gradient: Tensor, slots: readonly Tensor[], scalars: readonly Tensor[]) => Updated,
    /** What the update divides by, besides numbers: the root of a state plus epsilon. */
    readonly divisor: { readonly slot: string; readonly epsilon: number } | null,
    /** Where it takes a weightDecay: whether that joins the gradient, or the weight; and whether it has one. */
    readonly decay: { readonly joins: "gradient" | "weight"; readonly given: boolean } | null,
    readonly pytorch: TorchOptimizer,
  ) {}

  update(
    parameters: Readonly<Record<string, Tensor>>,
    gradients: readonly Tensor[],
    options: UpdateOptions = {},
  ): OptimizerStep {
    return optimizerStep(this, parameters, gradients, options);
  }
}

/**
 * As torch.optim.SGD: weightDecay * parameter joins every gradient, and momentum starts as the first gradient.
 *
 *     v = momentum * v + g;   p = p - lr * v   (nesterov: p - lr * (g + momentum * v))
 *
 * Defaults of momentum and weightDecay 0, of nesterov false. Throws RangeError or TypeError.
 * Source: Sutskever et al. 2013, §2, in torch's form, where lr stands outside of v.
 */
export function sgd(options: {
  lr: LearningRate;
  momentum?: number;
  nesterov?: boolean;
  weightDecay?: number;
}): Optimizer {
  checkOptions("sgd", options, ["lr", "momentum", "nesterov", "weightDecay"]);
  const { lr, momentum = 0, nesterov = false, weightDecay = 0 } = options;
  checkRate("sgd", lr);
  checkFraction("sgd", "momentum", momentum);
  checkFlag("sgd", "nesterov", nesterov);
  checkAmount("sgd", "weightDecay", weightDecay);
  if (nesterov && momentum === 0) throw new RangeError("sgd: nesterov with momentum 0; give a momentum, such as 0.9.");

  return new Rule(
    "sgd",
    lr,
    momentum > 0 ? ["momentum"] : [],
    ["rate"],
    (_step, rate) => [rate],
    (p, gradient, [v], [rate]) => {
      const g = decayed(p, gradient, weightDecay);
      if (v === undefined) return { value: p.sub(g.mul(rate as Tensor)), slots: [] };
      const next = v.mul(momentum).add(g);
      const direction = nesterov ? g.add(next.mul(momentum)) : next;
      return { value: p.sub(direction.mul(rate as Tensor)), slots: [next] };
    },
    null,
    { joins: "gradient", given: weightDecay > 0 },
    {
      name: "SGD",
      options: { momentum, nesterov, weight_decay: weightDecay },
      slots: { momentum: "momentum_buffer" },
    },
  );
}

/**
 * As torch.optim.Adam; with weightDecay as torch.optim.AdamW, decoupled. At step t = 1, 2, …
 *
 *     m = beta1 * m + (1 - beta1) * g;   v = beta2 * v + (1 - beta2) * g²
 *     p = p - lr * weightDecay * p - lr / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + epsilon)
 *
 * Defaults 0.001, 0.9, 0.999, 1e-8, 0. The corrections 1 - beta^t are made in float64. Throws RangeError.
 * Source: Kingma and Ba 2015, algorithm 1; Loshchilov and Hutter 2019, algorithm 2.
 */
export function adam(
  options: { lr?: LearningRate; beta1?: number; beta2?: number; epsilon?: number; weightDecay?: number } = {},
): Optimizer {
  checkOptions("adam", options, ["lr", "beta1", "beta2", "epsilon", "weightDecay"]);
  const { lr = 0.001, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 0 } = options;
  checkRate("adam", lr);
  checkFraction("adam", "beta1", beta1);
  checkFraction("adam", "beta2", beta2);
  checkAmount("adam", "epsilon", epsilon);
  checkAmount("adam", "weightDecay", weightDecay);

  const decays = weightDecay > 0;
  const tables = ["stepSize", "inverseRoot", ...(decays ? ["decay"] : [])];
  const scalars = (step: number, rate: number) => {
    const stepSize = rate / (1 - beta1 ** (step + 1));
    const inverseRoot = 1 / Math.sqrt(1 - beta2 ** (step + 1));
    return decays ? [stepSize, inverseRoot, rate * weightDecay] : [stepSize, inverseRoot];
  };
  const each: Rule["each"] = (p, g, slots, [stepSize, inverseRoot, decay]) => {
    const [m, v] = slots as readonly [Tensor, Tensor];
    const nextM = m.mul(beta1).add(g.mul(1 - beta1));
    const nextV = v.mul(beta2).add(g.square().mul(1 - beta2));
    const direction = nextM.div(
      nextV
        .sqrt()
        .mul(inverseRoot as Tensor)
        .add(epsilon),
    );
    const kept = decay === undefined ? p : p.sub(p.mul(decay));
    return { value: kept.sub(direction.mul(stepSize as Tensor)), slots: [nextM, nextV] };
  };
  return new Rule(
    "adam",
    lr,
    ["m", "v"],
    tables,
    scalars,
    each,
    { slot: "v", epsilon },
    { joins: "weight", given: decays },
    {
      name: decays ? "AdamW" : "Adam",
      options: { betas: [beta1, beta2], eps: epsilon, weight_decay: weightDecay },
      slots: { m: "exp_avg", v: "exp_avg_sq" },
    },
  );
}

/**
 * As torch.optim.RMSprop, with `decay` its alpha:
 *
 *     v = decay * v + (1 - decay) * g²;   d = g / (sqrt(v) + epsilon)
 *     b = momentum * b + d;   p = p - lr * b   (without momentum: p - lr * d)
 *
 * Defaults 0.01, 0.99, 1e-8, 0. Throws RangeError. Source: Hinton, Neural Networks for Machine Learning, lecture 6e.
 */
export function rmsprop(
  options: { lr?: LearningRate; decay?: number; epsilon?: number; momentum?: number } = {},
): Optimizer {
  checkOptions("rmsprop", options, ["lr", "decay", "epsilon", "momentum"]);
  const { lr = 0.01, decay = 0.99, epsilon = 1e-8, momentum = 0 } = options;
  checkRate("rmsprop", lr);
  checkFraction("rmsprop", "decay", decay);
  checkAmount("rmsprop", "epsilon", epsilon);
  checkFraction("rmsprop", "momentum", momentum);

  const slots = ["square", ...(momentum > 0 ? ["momentum"] : [])];
  return new Rule(
    "rmsprop",
    lr,
    slots,
    ["rate"],
    (_step, rate) => [rate],
    (p, g, [square, b], [rate]) => {
      const next = (square as Tensor).mul(decay).add(g.square().mul(1 - decay));
      const direction = g.div(next.sqrt().add(epsilon));
      if (b === undefined) return { value: p.sub(direction.mul(rate as Tensor)), slots: [next] };
      const nextB = b.mul(momentum).add(direction);
      return { value: p.sub(nextB.mul(rate as Tensor)), slots: [next, nextB] };
    },
    { slot: "square", epsilon },
    null,
    {
      name: "RMSprop",
      options: { alpha: decay, eps: epsilon, momentum },
      slots: { square: "square_avg", momentum: "momentum_buffer" },
    },
  );
}

function decayed(p: Tensor, gradient: Tensor, weightDecay: number): Tensor {
  return weightDecay === 0 ? gradient : gradient.add(p.mul(weightDecay));
}
