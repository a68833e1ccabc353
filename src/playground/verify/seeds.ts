import { grad, input, type Program, parameter, randomState, type Tensor } from "../../index";
import { sizeOf } from "./numbers";

/** Whose derivatives: written out by hand, as the seed program has them, or found by grad(). */
export type Form = "handwritten" | "grad";
export const FORMS: readonly Form[] = ["handwritten", "grad"];

export interface Seed {
  program: Program;
  /** By parameter: what the update subtracts, before the rate. */
  gradients: Record<string, Tensor>;
  /** Other values of the step that the golden file keeps, under its names there. */
  intermediates: Record<string, Tensor>;
}

/** The same step with every gradient (as `grad.<parameter>`) and intermediate as an output; it is planned otherwise. */
export function opened({ program, gradients, intermediates }: Seed): Program {
  const named = Object.entries(gradients).map(([name, tensor]): [string, Tensor] => [`grad.${name}`, tensor]);
  return { ...program, outputs: { ...program.outputs, ...Object.fromEntries(named), ...intermediates } };
}

/** A state to take a step from: every parameter drawn from the standard normal distribution, in float32. */
export function randomParameters({ parameters }: Program, seed: number): Record<string, Float32Array> {
  const random = randomState(seed);
  const draw = ([name, { shape }]: [string, Tensor]): [string, Float32Array] => [
    name,
    Float32Array.from(random.randn(sizeOf(shape))),
  ];
  return Object.fromEntries(Object.entries(parameters).map(draw));
}

/**
 * seed-000 and seed-002, which differ in their numbers only: x [64, 1000] -> 100 ReLU -> 10 without biases, squared error
 * summed over all, rate 1e-6. Source: the two-layer network in NumPy of PyTorch's "Learning PyTorch with Examples".
 */
export function twoLayer(form: Form): Seed {
  const x = input([64, 1000]);
  const y = input([64, 10]);
  const w1 = parameter([1000, 100]);
  const w2 = parameter([100, 10]);

  const h = x.matmul(w1);
  const h_relu = h.relu();
  const y_pred = h_relu.matmul(w2);
  const loss = y_pred.sub(y).square().sum();

  const step: Descent = { inputs: { x, y }, parameters: { w1, w2 }, loss, rate: 1e-6 };
  const forward = { h, h_relu, y_pred };
  if (form === "grad") return descent(step, derivatives(loss, step.parameters), forward);

  const grad_y_pred = y_pred.sub(y).mul(2);
  const grad_w2 = h_relu.T.matmul(grad_y_pred);
  const grad_h_relu = grad_y_pred.matmul(w2.T);
  const grad_h = grad_h_relu.mask(h.ge(0));
  const grad_w1 = x.T.matmul(grad_h);
  const backward = { grad_y_pred, grad_w2, grad_h_relu, grad_h, grad_w1 };
  return descent(step, { w1: grad_w1, w2: grad_w2 }, { ...forward, ...backward });
}

/**
 * seed-001: x [100, 27] -> 9 ReLU -> 3 with a bias for each row, b1 [100, 9] and b2 [100, 3], squared error summed over
 * all, rate 1e-4. A row's bias meets that row only, so its gradient is the row's own and nothing is summed.
 */
export function rowBiases(form: Form): Seed {
  const x = input([100, 27]);
  const y = input([100, 3]);
  const w1 = parameter([27, 9]);
  const b1 = parameter([100, 9]);
  const w2 = parameter([9, 3]);
  const b2 = parameter([100, 3]);

  const h1 = x.matmul(w1).add(b1);
  const h1_relu = h1.relu();
  const predicate = h1_relu.matmul(w2).add(b2);
  const loss = predicate.sub(y).square().sum();

  const step: Descent = { inputs: { x, y }, parameters: { w1, b1, w2, b2 }, loss, rate: 1e-4 };
  const forward = { h1, predicate };
  if (form === "grad") return descent(step, derivatives(loss, step.parameters), forward);

  const d_loss_predicate = predicate.sub(y).mul(2);
  const d_loss_w2 = h1_relu.T.matmul(d_loss_predicate);
  const d_loss_b1 = d_loss_predicate.matmul(w2.T).mask(h1.ge(0));
  const d_loss_w1 = x.T.matmul(d_loss_b1);
  const gradients = { w1: d_loss_w1, b1: d_loss_b1, w2: d_loss_w2, b2: d_loss_predicate };
  return descent(step, gradients, { ...forward, d_loss_predicate, d_loss_w2, d_loss_b1, d_loss_w1 });
}

/**
 * seed-003: 2 -> 2 ReLU -> 1 over two rows, half the mean squared error, rate 0.05. Rows, inputs and hidden neurons are
 * all two, so no shape complains of its mistakes, which the hand-written form keeps:
 *
 * - b1 is a column, so the forward pass (of both forms) adds it by row where it belongs to a neuron;
 * - the gradient of W1 is dz · Xᵀ where dzᵀ · X belongs: the batch axis in the place of the feature axis;
 * - the gradient of b1 is the mean over the rows, right for a bias by neuron and wrong for the one that was added;
 * - the gradient of W2 is summed over the rows, not averaged: twice the loss's.
 *
 * Only the gradient of b2 is the derivative of the loss. The grad form has the four right ones.
 */
export function twoTwoOne(form: Form): Seed {
  const X = input([2, 2]);
  const y_true = input([2, 1]);
  const W1 = parameter([2, 2]);
  const b1 = parameter([2, 1]);
  const W2 = parameter([1, 2]);
  const b2 = parameter([1, 1]);

  const z = X.matmul(W1.T).add(b1);
  const a = z.relu();
  const d = a.matmul(W2.T).add(b2).sub(y_true);
  const loss = d.square().mean().mul(0.5);

  const step: Descent = { inputs: { X, y_true }, parameters: { W1, b1, W2, b2 }, loss, rate: 0.05 };
  if (form === "grad") return descent(step, derivatives(loss, step.parameters));

  const dz = d.matmul(W2).mask(z.gt(0));
  return descent(step, {
    W1: dz.matmul(X.T),
    b1: dz.mean(0, { keepDims: true }).T,
    W2: d.T.matmul(a),
    b2: d.mean(0, { keepDims: true }),
  });
}

/**
 * seed-004: 2 -> `hidden` tanh -> softmax of 2 on 200 points, gradients summed over the points, penalty 0.01/2 of the
 * squared weights (the biases left out), rate 0.01. `loss` is the mean cross entropy with the penalty divided along, of the
 * weights before the step; the seed program prints it after passes 0, 1000, …, which is before steps 1, 1001, ….
 * Source: Denny Britz, "Implementing a Neural Network from Scratch".
 */
export function moons(form: Form, hidden: number): Seed {
  const X = input([200, 2]);
  const y = input([200], "int32");
  const W1 = parameter([2, hidden]);
  const b1 = parameter([1, hidden]);
  const W2 = parameter([hidden, 2]);
  const b2 = parameter([1, 2]);
  const penalty = 0.01;

  const a = X.matmul(W1).add(b1).tanh();
  const scores = a.matmul(W2).add(b2);
  const classes = y.oneHot(2);
  const squares = W1.square().sum().add(W2.square().sum());
  const total = squares.mul(penalty / 2).sub(scores.logSoftmax().mul(classes).sum());
  const loss = total.div(200);

  const step: Descent = { inputs: { X, y }, parameters: { W1, b1, W2, b2 }, loss, rate: 0.01 };
  if (form === "grad") return descent(step, derivatives(total, step.parameters));

  const d = scores.softmax().sub(classes);
  const dz = d.matmul(W2.T).mul(a.square().neg().add(1));
  return descent(step, {
    W1: X.T.matmul(dz).add(W1.mul(penalty)),
    b1: dz.sum(0, { keepDims: true }),
    W2: a.T.matmul(d).add(W2.mul(penalty)),
    b2: d.sum(0, { keepDims: true }),
  });
}

interface Descent {
  inputs: Record<string, Tensor>;
  parameters: Record<string, Tensor>;
  loss: Tensor;
  rate: number;
}

/** Gradient descent: every parameter less `rate` times its gradient. */
function descent(
  { inputs, parameters, loss, rate }: Descent,
  gradients: Record<string, Tensor>,
  intermediates: Record<string, Tensor> = {},
): Seed {
  const step = ([name, tensor]: [string, Tensor]) => [name, tensor.sub((gradients[name] as Tensor).mul(rate))];
  const updates = Object.fromEntries(Object.entries(parameters).map(step));
  return { program: { inputs, parameters, outputs: { loss }, updates }, gradients, intermediates };
}

function derivatives(loss: Tensor, parameters: Record<string, Tensor>): Record<string, Tensor> {
  const found = grad(loss, Object.values(parameters));
  return Object.fromEntries(Object.keys(parameters).map((name, i) => [name, found[i] as Tensor]));
}
