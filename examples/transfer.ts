import {
  adam,
  conv2d,
  type Device,
  dense,
  flatten,
  type Layer,
  maxPool2d,
  open,
  sequential,
  softmaxCrossEntropy,
  splitDataset,
  trainer,
} from "wgrad";
import { mnistDigits, type Table } from "./data";

const IMAGE = [1, 28, 28];
/** Of each new class, to learn from. */
const EXAMPLES = 20;

/** The names of its parameters begin so: its convolutions are modules 0 and 3. */
const SEES = ["0.", "3."];
/** What sees: trained once, for digits 0 to 4, and then kept as it is. */
const backbone = (): Layer[] => [
  conv2d(8, 5, { activation: "relu" }),
  maxPool2d(2),
  conv2d(16, 3, { activation: "relu" }),
  maxPool2d(2),
  flatten(),
];

/**
 * A head on a backbone (transfer learning). A network has learnt digits 0 to 4; what it sees with serves for digits 5 to 9 too, of which there
 * are 20 examples each: only a new last layer is trained, in well under a second. Returns the share of all other 5s to 9s that it gets
 * right, beside that of the same network when all of it has to learn from those examples.
 */
export async function main(device?: Device, epochs = 3): Promise<{ accuracy: number; alone: number; seconds: number }> {
  const on = device ?? (await open());
  const digits = await mnistDigits();
  const low = digitsOf(digits, 0, 5);
  const high = digitsOf(digits, 5, 10);

  const base = await trainer(on, sequential(IMAGE, [...backbone(), dense(64, { activation: "relu" }), dense(5)]), {
    loss: softmaxCrossEntropy(),
    optimizer: adam({ lr: 0.003 }),
    batchSize: 64,
  });
  const { seconds: before } = await base.fit(low, { epochs });
  console.log(`backbone: ${((epochs * low.y.length) / before).toFixed(0)} digits a second`);
  const learnt = Object.entries(await base.weights()).filter(([name]) => SEES.some((layer) => name.startsWith(layer)));
  base.dispose();

  // From here on it is as on a page whose visitor gives a few examples and clicks "train".
  const share = (5 * EXAMPLES) / high.y.length;
  const [few, rest] = splitDataset(high, [share, 1 - share], { stratify: true }) as [typeof high, typeof high];
  const begun = performance.now();
  const model = sequential(IMAGE, [...backbone(), dense(5, { l2: 0.03 })]);
  const options = { loss: softmaxCrossEntropy(), optimizer: adam({ lr: 0.01 }), batchSize: 20 };
  const net = await trainer(on, model, { ...options, frozen: SEES });
  net.setWeights(Object.fromEntries(learnt));
  await net.fit(few, { epochs: 20 });
  const seconds = (performance.now() - begun) / 1000;
  const { accuracy = 0 } = await net.evaluate(rest);
  net.dispose();

  const scratch = await trainer(on, model, options);
  await scratch.fit(few, { epochs: 20 });
  const { accuracy: alone = 0 } = await scratch.evaluate(rest);
  scratch.dispose();

  const percent = (value: number) => `${(100 * value).toFixed(1)} %`;
  console.log(
    `transfer: ${percent(accuracy)} of ${rest.y.length} digits 5 to 9, after ${seconds.toFixed(2)} s; without the backbone ${percent(alone)}`,
  );
  if (!device) on.close();
  return { accuracy, alone, seconds };
}

/** Those of the digits that are `from` and above and below `to`, as classes from 0. */
function digitsOf({ x, y }: Table, from: number, to: number): { x: Float32Array[]; y: number[] } {
  const rows = [...y.keys()].filter((row) => (y[row] as number) >= from && (y[row] as number) < to);
  return {
    x: rows.map((row) => x.subarray(row * 784, (row + 1) * 784)),
    y: rows.map((row) => (y[row] as number) - from),
  };
}
