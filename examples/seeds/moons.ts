import { type Device, dense, moons, open, randomState, sequential, sgd, softmaxCrossEntropy, trainer } from "wgrad";

const ROWS = 200;
const HIDDEN = 3;

/**
 * In layers: 2 -> 3 tanh -> softmax of 2 on two moons, gradients summed over the points, 0.01/2 of the squared weights
 * in the loss, rate 0.01. The numbers are those that NumPy draws from seed 0. Returns the loss before each pass, of a
 * point. Source: Denny Britz, "Implementing a Neural Network from Scratch in Python".
 */
export async function main(device?: Device, passes = 20_000): Promise<Float32Array> {
  const on = device ?? (await open());
  const data = moons(ROWS, { noise: 0.2, seed: 0 });
  const random = randomState(0);

  const model = sequential(2, [dense(HIDDEN, { activation: "tanh", l2: 0.01 }), dense(2, { l2: 0.01 })]);
  const net = await trainer(on, model, {
    loss: softmaxCrossEntropy({ reduction: "sum" }),
    optimizer: sgd({ lr: 0.01 }),
  });
  net.setWeights({
    "0.weight": random.randn(2 * HIDDEN).map((value) => value / Math.sqrt(2)),
    "2.weight": random.randn(HIDDEN * 2).map((value) => value / Math.sqrt(HIDDEN)),
  });
  const { loss } = await net.fit(data, { steps: passes });
  const { accuracy = 0 } = await net.evaluate(data);

  const losses = loss.map((sum) => sum / ROWS);
  console.log(`moons: loss ${losses.at(-1)?.toFixed(4)}, ${(100 * accuracy).toFixed(1)} % of the points`);
  net.dispose();
  if (!device) on.close();
  return losses;
}
