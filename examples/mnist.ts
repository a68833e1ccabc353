import { adam, type Device, dense, open, sequential, softmaxCrossEntropy, trainer } from "wgrad";
import { readMnist } from "wgrad/files/idx";

/** The four files of MNIST, or of a set in its format, packed with gzip or not: what an <input type="file"> gives. */
export interface MnistFiles {
  /** train-images-idx3-ubyte and train-labels-idx1-ubyte. */
  images: Uint8Array;
  labels: Uint8Array;
  /** t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte. */
  testImages: Uint8Array;
  testLabels: Uint8Array;
}

/** Images of handwritten digits from IDX files: 784-128-10 with ReLU. The data go to the device once, in pieces if need be. */
export async function main(files: MnistFiles, device?: Device, epochs = 5): Promise<{ accuracy: number }> {
  const on = device ?? (await open());
  const training = await readMnist(files.images, files.labels);
  const test = await readMnist(files.testImages, files.testLabels);

  const model = sequential(training.inputs, [dense(128, { activation: "relu" }), dense(10)]);
  const net = await trainer(on, model, { loss: softmaxCrossEntropy(), optimizer: adam(), batchSize: 128 });
  console.log(`${training.rows} images of ${training.height} x ${training.width}\n${model.summary()}`);
  await net.fit(training, {
    epochs,
    onProgress({ step, steps, loss, secondsLeft }) {
      if (step % 100 === 0)
        console.log(`step ${step}/${steps}  loss ${loss.toFixed(4)}  ${secondsLeft.toFixed(0)} s left`);
    },
  });

  const { accuracy = 0 } = await net.evaluate(test);
  console.log(`mnist: ${(100 * accuracy).toFixed(2)} % of ${test.rows} test images`);
  net.dispose();
  if (!device) on.close();
  return { accuracy };
}
