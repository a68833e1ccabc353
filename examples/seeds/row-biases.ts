import { type Device, grad, input, open, parameter, randomState, type Tensor, type Values } from "wgrad";

const shapes = { w1: [27, 9], b1: [100, 9], w2: [9, 3], b2: [100, 3] } as const;
type Name = keyof typeof shapes;
const names: readonly Name[] = ["w1", "b1", "w2", "b2"];

/** Data and first weights, drawn from the standard normal distribution. */
export function draw(seed = 1): Record<Name | "x" | "y", Values> {
  const { randn } = randomState(seed);
  const [x, y] = [randn(100 * 27), randn(100 * 3)];
  return { x, y, w1: randn(27 * 9), b1: randn(100 * 9), w2: randn(9 * 3), b2: randn(100 * 3) };
}

/**
 * In tensors, as a dense layer has one bias for all rows: x [100, 27] -> 9 ReLU -> 3 with a bias for each row, squared
 * error summed over everything, 2,000 steps of 1e-4. Returns the loss of every step.
 */
export async function main(device?: Device, { x: xs, y: ys, ...start } = draw()): Promise<Float32Array> {
  const on = device ?? (await open());
  const [x, y] = [input([100, 27]), input([100, 3])];
  const [w1, b1, w2, b2] = [parameter(shapes.w1), parameter(shapes.b1), parameter(shapes.w2), parameter(shapes.b2)];
  const hidden = x.matmul(w1).add(b1).relu();
  const loss = hidden.matmul(w2).add(b2).sub(y).square().sum();

  const parameters = { w1, b1, w2, b2 };
  const gradients = grad(loss, [w1, b1, w2, b2]);
  const updates = Object.fromEntries(
    names.map((name, i) => [name, parameters[name].sub((gradients[i] as Tensor).mul(1e-4))]),
  );
  const session = await on.compile({ inputs: { x, y }, parameters, outputs: { loss }, updates });
  session.write(start);
  const { loss: losses = new Float32Array() } = await session.run({ x: xs, y: ys }, { steps: 2000 });

  console.log(`row biases: squared error ${losses[0]?.toFixed(1)} at first, ${losses.at(-1)?.toFixed(4)} at the end`);
  session.dispose();
  if (!device) on.close();
  return losses;
}
