import {
  adam,
  conv2d,
  cosineDecay,
  type Device,
  dense,
  flatten,
  maxPool2d,
  open,
  randomState,
  sequential,
  softmaxCrossEntropy,
  trainer,
} from "wgrad";
import { holdBack, mnistDigits } from "./data";
import { moved } from "./moved";

const SIDE = 28;
const BATCH = 64;
const SHIFT = 2;

/**
 * A convolutional network on MNIST: 9,000 handwritten digits of 28 x 28 pixels to learn from, 1,000 held back. The digits are moved by up
 * to two pixels before each epoch, so that no two epochs show the same. Source: LeCun et al. 1998, of whose LeNet-5 it is a smaller one.
 */
export async function main(device?: Device, epochs = 12): Promise<{ accuracy: number; file: Uint8Array }> {
  const on = device ?? (await open());
  const { training, heldBack } = holdBack(await mnistDigits(), 1000);

  const model = sequential(
    [1, SIDE, SIDE],
    [
      conv2d(8, 5, { activation: "relu" }), // [8, 24, 24]
      maxPool2d(2),
      conv2d(16, 3, { activation: "relu" }), // [16, 10, 10]
      maxPool2d(2),
      flatten(),
      dense(64, { activation: "relu" }),
      dense(10),
    ],
  );
  console.log(model.summary());
  const steps = epochs * Math.ceil(training.y.length / BATCH);
  const optimizer = adam({ lr: cosineDecay(0.004, steps, { warmup: 20 }) });
  const net = await trainer(on, model, { loss: softmaxCrossEntropy(), optimizer, batchSize: BATCH });

  const random = randomState(1);
  let [accuracy, seconds] = [0, 0];
  for (let epoch = 1; epoch <= epochs; epoch++) {
    // Fits of one epoch each are one training: steps, the rate and the order of the digits go on where the last one ended.
    const history = await net.fit(
      { x: moved(training.x, SIDE, SHIFT, random), y: training.y },
      { epochs: 1, validation: heldBack },
    );
    accuracy = history.validationAccuracy?.at(-1) ?? 0;
    seconds += history.seconds;
    console.log(`epoch ${epoch}: ${(100 * accuracy).toFixed(1)} % of the digits held back`);
  }

  const rate = (epochs * training.y.length) / seconds;
  console.log(`cnn: ${(100 * accuracy).toFixed(1)} % of 1,000 held back; ${rate.toFixed(0)} digits a second`);
  const file = await net.save(); // torch: load_state_dict(safetensors.torch.load_file(…))
  net.dispose();
  if (!device) on.close();
  return { accuracy, file };
}
