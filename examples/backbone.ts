import {
  activation,
  adam,
  avgPool2d,
  batchNorm,
  conv2d,
  cosineDecay,
  type Device,
  dense,
  flatten,
  type Layer,
  open,
  type RandomState,
  randomState,
  sequential,
  softmaxCrossEntropy,
  trainer,
  writeSafetensors,
} from "wgrad";
import { holdBack, mnistDigits, type Table } from "./data";
import { type MadeUp, madeUpObjects, pictureOf, pictureOfDigit, SIDE } from "./objects";

/** Filters of the convolutions, 3 x 3 all, and their strides. */
const CONVOLUTIONS = [
  [16, 2],
  [32, 2],
  [48, 2],
  [64, 1],
] as const;
const OBJECTS = 120;
/** Pictures of a round: drawn anew for each. */
const ROUND = 3000;
/** Of each round. */
const EPOCHS = 2;
const BATCH = 32;

/**
 * What sees, for the page on which a visitor's own classes are learnt: a small convolutional network that tells 120 made-up objects and the ten digits of MNIST apart,
 * each seen in ever other places, lights and surroundings. Returns its convolutions with the normalisation in their weights, as a file; and
 * how well a last layer on them tells objects apart that it has never seen, from ten pictures each, beside one on convolutions that have
 * learnt nothing. Source: Dosovitskiy et al. 2014, on what is learnt from telling single things apart.
 */
export async function main(
  device?: Device,
  rounds = 8,
): Promise<{ accuracy: number; unlearnt: number; file: Uint8Array }> {
  const on = device ?? (await open());
  const random = randomState(7);
  const objects = madeUpObjects(OBJECTS, random);
  const { training: digits, heldBack: otherDigits } = holdBack(await mnistDigits(), 1000);

  const model = sequential(
    [3, SIDE, SIDE],
    [
      ...CONVOLUTIONS.flatMap(([filters, stride]): Layer[] => [
        conv2d(filters, 3, { stride, padding: 1 }),
        batchNorm(),
        activation("relu"),
      ]),
      avgPool2d(4),
      flatten(),
      dense(OBJECTS + 10),
    ],
  );
  console.log(model.summary());
  const steps = rounds * EPOCHS * Math.ceil(ROUND / BATCH);
  const optimizer = adam({ lr: cosineDecay(0.003, steps, { warmup: 40 }) });
  const net = await trainer(on, model, { loss: softmaxCrossEntropy(), optimizer, batchSize: BATCH });
  const validation = pictures(objects, otherDigits, 600, randomState(8));
  for (let round = 1; round <= rounds; round++) {
    const { loss, validationAccuracy } = await net.fit(pictures(objects, digits, ROUND, random), {
      epochs: EPOCHS,
      validation,
    });
    const held = 100 * (validationAccuracy?.at(-1) ?? 0);
    console.log(`round ${round}: loss ${loss.at(-1)?.toFixed(3)}, ${held.toFixed(1)} % of 600 new pictures`);
  }
  const learnt = withoutNormalisation(await net.weights());
  net.dispose();

  const file = writeSafetensors(learnt, {
    trained: `${OBJECTS} made-up objects and the digits of MNIST, ${SIDE} x ${SIDE}`,
  });
  const accuracy = await fewShot(on, file);
  const unlearnt = await fewShot(on, null);
  const percent = (value: number) => `${(100 * value).toFixed(1)} %`;
  console.log(
    `backbone: ${percent(accuracy)} of objects never seen, from 10 pictures each; unlearnt convolutions ${percent(unlearnt)}`,
  );
  if (!device) on.close();
  return { accuracy, unlearnt, file };
}

/** The convolutions as the page has them: the normalisation is in their weights. */
function eyes(): Layer[] {
  return [
    ...CONVOLUTIONS.map(([filters, stride]) => conv2d(filters, 3, { stride, padding: 1, activation: "relu" })),
    avgPool2d(4),
    flatten(),
  ];
}

/** Names of their parameters begin so: each is followed by its activation. */
const EYES = CONVOLUTIONS.map((_, i) => `${2 * i}`);

/** Where batchNorm follows a convolution, y = (w x + b - mean) scale / √(variance + ε) + shift is a convolution too. */
function withoutNormalisation(
  weights: Record<string, Float32Array>,
): Record<string, { shape: number[]; values: Float32Array }> {
  let channels = 3;
  const entries = CONVOLUTIONS.flatMap(([filters], i) => {
    const of = (name: string) => weights[name] as Float32Array;
    const [conv, norm] = [`${3 * i}`, `${3 * i + 1}`];
    const factor = of(`${norm}.weight`).map(
      (scale, k) => scale / Math.sqrt((of(`${norm}.running_var`)[k] as number) + 1e-5),
    );
    const kernel = of(`${conv}.weight`);
    const size = kernel.length / filters;
    const shape = [filters, channels, 3, 3];
    channels = filters;
    const values = kernel.map((value, at) => value * (factor[Math.floor(at / size)] as number));
    const bias = of(`${conv}.bias`).map(
      (value, k) =>
        (value - (of(`${norm}.running_mean`)[k] as number)) * (factor[k] as number) + (of(`${norm}.bias`)[k] as number),
    );
    return [
      [`${2 * i}.weight`, { shape, values }],
      [`${2 * i}.bias`, { shape: [filters], values: bias }],
    ] as const;
  });
  return Object.fromEntries(entries);
}

/** The share of new pictures of twenty new objects that is right, by a last layer that has had ten of each; null: on convolutions as drawn. */
export async function fewShot(on: Device, file: Uint8Array | null): Promise<number> {
  const random = randomState(9);
  const unseen = madeUpObjects(20, random);
  const of = (each: number) => ({
    x: unseen.flatMap((object) => Array.from({ length: each }, () => pictureOf(object, random))),
    y: unseen.flatMap((_, k) => new Array<number>(each).fill(k)),
  });
  const model = sequential([3, SIDE, SIDE], [...eyes(), dense(unseen.length, { l2: 0.001 })]);
  const options = { loss: softmaxCrossEntropy(), optimizer: adam({ lr: 0.01 }), batchSize: 20, frozen: EYES };
  const net = await trainer(on, model, options);
  if (file) net.load(file, { strict: false });
  await net.fit(of(10), { epochs: 40 });
  const { accuracy = 0 } = await net.evaluate(of(20));
  net.dispose();
  return accuracy;
}

/** One in eight is a digit, of a class after those of the objects. */
function pictures(objects: readonly MadeUp[], digits: Table, count: number, random: RandomState) {
  const x: Float32Array[] = [];
  const y: number[] = [];
  const [kinds, things] = [random.rand(count), random.rand(count)];
  for (let i = 0; i < count; i++) {
    const thing = things[i] as number;
    if ((kinds[i] as number) < 1 / 8) {
      const row = Math.floor(thing * digits.y.length);
      x.push(pictureOfDigit(digits.x.subarray(row * 784, (row + 1) * 784), random));
      y.push(objects.length + (digits.y[row] as number));
    } else {
      const k = Math.floor(thing * objects.length);
      x.push(pictureOf(objects[k] as MadeUp, random));
      y.push(k);
    }
  }
  return { x, y };
}
