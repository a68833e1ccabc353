import {
  adam,
  cosineDecay,
  type Dataset,
  type Device,
  dense,
  grad,
  input,
  type Model,
  type Optimizer,
  type Program,
  parameter,
  rmsprop,
  sequential,
  sgd,
  softmaxCrossEntropy,
  type Tensor,
  trainer,
  type UpdateOptions,
} from "../../src/index";

export const STEPS = 40;

/** By name, the optimizer and what its `update` is told besides; the trainer is told clipNorm. */
export const RULES: Record<string, [Optimizer, UpdateOptions?]> = {
  sgd: [sgd({ lr: 0.1 })],
  "sgd with momentum and weight decay": [sgd({ lr: 0.05, momentum: 0.9, nesterov: true, weightDecay: 0.01 })],
  "adam with weight decay": [adam({ lr: 0.02, beta1: 0.8, beta2: 0.95, weightDecay: 0.1 })],
  "adam on a schedule, clipped": [
    adam({ lr: cosineDecay(0.02, STEPS, { warmup: 4 }) }),
    { steps: STEPS, clipNorm: 0.3 },
  ],
  rmsprop: [rmsprop({ lr: 0.003, momentum: 0.7 })],
};

const model = (): Model => sequential(2, [dense(5, { activation: "tanh" }), dense(3)], { seed: 3 });
const data: Dataset = {
  x: Float32Array.from({ length: 16 }, (_, i) => Math.sin(7 * i)),
  y: Int32Array.from({ length: 8 }, (_, i) => i % 3),
};
export const inputs = { x: data.x, y: data.y };

/** The same network written out, with whatever rule: what a user's own program is. */
export function ownProgram(
  optimizer: Optimizer,
  options: UpdateOptions = {},
  more: Record<string, Tensor> = {},
): Program {
  const x = input([8, 2]);
  const y = input([8], "int32");
  const weights = { w1: parameter([2, 5]), b1: parameter([5]), w2: parameter([5, 3]), b2: parameter([3]) };
  const logits = x.matmul(weights.w1).add(weights.b1).tanh().matmul(weights.w2).add(weights.b2);
  const classes = y.oneHot(3);
  const loss = logits
    .logSoftmax()
    .mask(classes)
    .mul(classes)
    .neg()
    .sum()
    .mul(1 / 8);
  const { w1, b1, w2, b2 } = weights;
  const rule = optimizer.update(weights, grad(loss, [w1, b1, w2, b2]), options);
  return {
    inputs: { x, y, ...more },
    parameters: { ...weights, ...rule.state },
    outputs: { loss },
    updates: rule.updates,
  };
}

/** First weights by the names of `ownProgram`, and what the trainer makes of them. */
export async function trained(device: Device, optimizer: Optimizer, clipNorm?: number) {
  const net = await trainer(device, model(), { loss: softmaxCrossEntropy(), optimizer, ...(clipNorm && { clipNorm }) });
  const named = (weights: Record<string, Float32Array>) => ({
    w1: weights["0.weight"] as Float32Array,
    b1: weights["0.bias"] as Float32Array,
    w2: weights["2.weight"] as Float32Array,
    b2: weights["2.bias"] as Float32Array,
  });
  const first = named(await net.weights());
  const { loss } = await net.fit(data, { steps: STEPS });
  const last = named(await net.weights());
  net.dispose();
  return { first, last, loss };
}
