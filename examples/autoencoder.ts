import { adam, binaryCrossEntropy, cosineDecay, type Device, dense, open, sequential, trainer } from "wgrad";
import { holdBack, mnistDigits } from "./data";

const SIDE = 28;
/** Numbers that are left of a digit's 784 pixels. */
const CODE = 16;
const BATCH = 64;

/**
 * An autoencoder: it squeezes a digit through 16 numbers and draws it again from them. Its target is its input, so that nobody has to say
 * what a picture shows. Returns the mean squared error of a pixel over 1,000 digits held back, beside that of always drawing the mean digit,
 * and some digits above what became of them. Source: Hinton and Salakhutdinov 2006.
 */
export async function main(device?: Device, epochs = 8): Promise<{ error: number; mean: number; picture: string }> {
  const on = device ?? (await open());
  const { training, heldBack } = holdBack(await mnistDigits(), 1000);

  const model = sequential(SIDE * SIDE, [
    dense(128, { activation: "relu" }),
    dense(CODE), // what is left of the digit
    dense(128, { activation: "relu" }),
    dense(SIDE * SIDE),
  ]);
  console.log(model.summary());
  const steps = epochs * Math.ceil(training.y.length / BATCH);
  const optimizer = adam({ lr: cosineDecay(0.004, steps) });
  const net = await trainer(on, model, { loss: binaryCrossEntropy(), optimizer, batchSize: BATCH });
  const { seconds } = await net.fit({ x: training.x, y: training.x }, { epochs });

  const drawn = await net.predict(heldBack.x);
  const average = meanImage(training.x);
  const error = meanSquare(heldBack.x, (i) => drawn[i] as number);
  const mean = meanSquare(heldBack.x, (i) => average[i % average.length] as number);
  const picture = `${inCharacters(heldBack.x, 5)}\n${inCharacters(drawn, 5)}`;
  console.log(picture);
  const rate = (epochs * training.y.length) / seconds;
  console.log(
    `autoencoder: squared error ${error.toFixed(4)}, of the mean digit ${mean.toFixed(4)}; ${rate.toFixed(0)} digits a second`,
  );
  net.dispose();
  if (!device) on.close();
  return { error, mean, picture };
}

function meanSquare(x: Float32Array, of: (i: number) => number): number {
  return x.reduce((sum, value, i) => sum + (value - of(i)) ** 2, 0) / x.length;
}

function meanImage(x: Float32Array): Float64Array {
  const size = SIDE * SIDE;
  const mean = new Float64Array(size);
  x.forEach((value, i) => {
    mean[i % size] = (mean[i % size] as number) + (value * size) / x.length;
  });
  return mean;
}

/** The first images side by side, in characters that are twice as high as they are wide. */
function inCharacters(images: Float32Array, count: number): string {
  const shades = " .:-=+*#%@";
  const lines = Array.from({ length: SIDE / 2 }, (_, line) =>
    Array.from({ length: count * SIDE }, (_, column) => {
      const at = Math.floor(column / SIDE) * SIDE * SIDE + 2 * line * SIDE + (column % SIDE);
      const value = ((images[at] as number) + (images[at + SIDE] as number)) / 2;
      return shades[Math.min(Math.floor(value * shades.length), shades.length - 1)];
    }).join(""),
  );
  return lines.join("\n");
}
