import {
  adam,
  cosineDecay,
  type Device,
  dense,
  gru,
  open,
  randomState,
  sequential,
  squaredError,
  trainer,
} from "wgrad";

/** Values that a forecast is made from, and how many steps ahead it is. */
const SEEN = 40;
const AHEAD = 6;
const NOISE = 0.01;
const BATCH = 32;

/**
 * A GRU that forecasts a time series: the chaotic one of Mackey and Glass, 3,000 steps with a little noise, of which it sees 40 values and
 * tells the value six steps on. The last fifth is held back. Beside it stands the naive forecast, that all stays as it is.
 * Returns the root of the mean squared error of both. Sources: Mackey and Glass 1977, eq. 4b; Cho et al. 2014.
 */
export async function main(device?: Device, epochs = 10): Promise<{ error: number; naive: number }> {
  const on = device ?? (await open());
  const series = mackeyGlass(3000);
  const rows = series.length - SEEN - AHEAD + 1;
  const x = Float32Array.from({ length: rows * SEEN }, (_, i) => series[Math.floor(i / SEEN) + (i % SEEN)] as number);
  const y = Float32Array.from({ length: rows }, (_, row) => series[row + SEEN - 1 + AHEAD] as number);

  // Held back are the last rows, and no value of theirs is in a row to learn from: the future must not be told.
  const last = Math.floor(0.8 * rows);
  const first = last - SEEN - AHEAD + 1;
  const training = { x: x.subarray(0, first * SEEN), y: y.subarray(0, first) };
  const heldBack = { x: x.subarray(last * SEEN), y: y.subarray(last) };

  const model = sequential([SEEN, 1], [gru(32), dense(1)]);
  const steps = epochs * Math.ceil(first / BATCH);
  const optimizer = adam({ lr: cosineDecay(0.01, steps) });
  const net = await trainer(on, model, { loss: squaredError(), optimizer, batchSize: BATCH });
  const { seconds } = await net.fit(training, { epochs });

  const error = Math.sqrt((await net.evaluate(heldBack)).loss);
  const misses = Array.from(heldBack.y, (value, row) => value - (heldBack.x[row * SEEN + SEEN - 1] as number));
  const naive = Math.sqrt(misses.reduce((sum, miss) => sum + miss ** 2, 0) / misses.length);
  console.log(`forecast: off by ${error.toFixed(3)}, the naive one by ${naive.toFixed(3)}, the noise is ${NOISE}`);
  console.log(`${((epochs * first) / seconds).toFixed(0)} sequences of ${SEEN} a second`);
  net.dispose();
  if (!device) on.close();
  return { error, naive };
}

/** x' = 0.2 x(t - 17) / (1 + x(t - 17)^10) - 0.1 x by small steps of Euler's; its mean taken away, and noise added. */
export function mackeyGlass(length: number, seed = 0): Float64Array {
  const fine = 10;
  const x = new Float64Array((length + 300) * fine).fill(1.2, 0, 17 * fine + 1);
  for (let i = 17 * fine; i + 1 < x.length; i++) {
    const late = x[i - 17 * fine] as number;
    const now = x[i] as number;
    x[i + 1] = now + ((0.2 * late) / (1 + late ** 10) - 0.1 * now) / fine;
  }
  const noise = randomState(seed).normal(-0.9, NOISE, length);
  return noise.map((value, i) => value + (x[(i + 300) * fine] as number));
}
