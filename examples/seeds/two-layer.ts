import { type Device, dense, open, randomState, sequential, sgd, squaredError, trainer } from "wgrad";

/**
 * In layers: x [64, 1000] -> 100 ReLU -> 10, no biases, the squared error summed over everything, 500 steps of 1e-6.
 * All of it is random numbers, drawn as NumPy draws them from `seed`. Returns the loss of every step.
 * Source: the "Warm-up: numpy" of PyTorch's tutorial "Learning PyTorch with Examples".
 */
export async function main(device?: Device, seed = 0): Promise<Float32Array> {
  const on = device ?? (await open());
  const random = randomState(seed);
  const data = { x: random.randn(64 * 1000), y: random.randn(64 * 10) };

  const model = sequential(1000, [dense(100, { activation: "relu", bias: false }), dense(10, { bias: false })]);
  const net = await trainer(on, model, { loss: squaredError({ reduction: "sum" }), optimizer: sgd({ lr: 1e-6 }) });
  net.setWeights({ "0.weight": random.randn(1000 * 100), "2.weight": random.randn(100 * 10) });
  const { loss } = await net.fit(data, { steps: 500 });

  console.log(
    `two layers: squared error ${loss[0]?.toExponential(4)} at first, ${loss[499]?.toExponential(2)} at the end`,
  );
  net.dispose();
  if (!device) on.close();
  return loss;
}
