import { type Device, input, open, parameter } from "wgrad";

/**
 * In tensors, because its derivatives are its own: 2 -> 2 ReLU -> 1 on two rows, half the mean squared error, 100
 * epochs of 0.05. Rows, inputs and hidden units are all two, so that no shape complains of the program's mistakes,
 * which are kept: W1's gradient is dz Xᵀ for dzᵀ X, b1 is added by row and its gradient taken by unit, W2's gradient
 * is summed where the loss is a mean. Only b2's is the derivative; `grad(loss, …)` would give the four right ones.
 * Its path is unstable in float32: after some 80 epochs it parts from float64. Returns the loss of every epoch.
 */
export async function main(device?: Device): Promise<Float32Array> {
  const on = device ?? (await open());
  const [X, y] = [input([2, 2]), input([2, 1])];
  const [W1, b1] = [parameter([2, 2]), parameter([2, 1])];
  const [W2, b2] = [parameter([1, 2]), parameter([1, 1])];

  const z = X.matmul(W1.T).add(b1);
  const a = z.relu();
  const d = a.matmul(W2.T).add(b2).sub(y);
  const loss = d.square().mean().mul(0.5);

  const dz = d.matmul(W2).mask(z.gt(0));
  const updates = {
    W1: W1.sub(dz.matmul(X.T).mul(0.05)),
    b1: b1.sub(dz.mean(0, { keepDims: true }).T.mul(0.05)),
    W2: W2.sub(d.T.matmul(a).mul(0.05)),
    b2: b2.sub(d.mean(0, { keepDims: true }).mul(0.05)),
  };

  const session = await on.compile({ inputs: { X, y }, parameters: { W1, b1, W2, b2 }, outputs: { loss }, updates });
  session.write({ W1: [0.1, 0.2, 0.3, 0.4], b1: [0.1, 0.2], W2: [0.5, 0.6], b2: [0.3] });
  const { loss: losses = new Float32Array() } = await session.run({ X: [1, 2, 2, 1], y: [3, 2.5] }, { steps: 100 });

  for (const epoch of [0, 1, 10, 50]) console.log(`two rows, epoch ${epoch}: loss ${losses[epoch]?.toFixed(6)}`);
  session.dispose();
  if (!device) on.close();
  return losses;
}
