import { type Device, dense, open, randomState, rmsprop, sequential, squaredError, stepDecay, trainer } from "wgrad";

const NOISE = 0.1;

/**
 * Numbers instead of classes: z = sin(2x) cos(y) from 1,000 points with noise. Returns the mean squared error on a grid
 * without noise: how much of the noise, whose own is 0.01, was not seen through.
 */
export async function main(device?: Device): Promise<number> {
  const on = device ?? (await open());
  const height = (x: number, y: number) => Math.sin(2 * x) * Math.cos(y);
  const surface = (points: Float64Array) =>
    Float64Array.from({ length: points.length / 2 }, (_, i) =>
      height(points[2 * i] as number, points[2 * i + 1] as number),
    );

  const random = randomState(0);
  const x = random.rand(2 * 1000).map((value) => 4 * value - 2);
  const noise = random.randn(1000);
  const y = surface(x).map((value, i) => value + NOISE * (noise[i] as number));
  const grid = Float64Array.from({ length: 2 * 21 * 21 }, (_, i) => {
    const place = i >> 1;
    return ((i % 2 === 0 ? place % 21 : Math.floor(place / 21)) - 10) / 5;
  });

  const model = sequential(2, [dense(32, { activation: "tanh" }), dense(32, { activation: "tanh" }), dense(1)]);
  const optimizer = rmsprop({ lr: stepDecay(0.01, 1500, 0.3) });
  const net = await trainer(on, model, { loss: squaredError(), optimizer, batchSize: 50 });
  await net.fit({ x, y }, { steps: 6000 });

  const { loss } = await net.evaluate({ x: grid, y: surface(grid) });
  console.log(`regression: mean squared error ${loss.toExponential(2)}; the noise has ${(NOISE ** 2).toFixed(2)}`);
  net.dispose();
  if (!device) on.close();
  return loss;
}
