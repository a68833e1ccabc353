import { adam, cosineDecay, type Device, dense, dropout, open, sequential, softmaxCrossEntropy, trainer } from "wgrad";
import { readCsv } from "wgrad/files/csv";
import { holdBack, textOf } from "./data";

const EPOCHS = 30;
const BATCH = 32;

/**
 * 1,797 handwritten digits of 8 x 8 pixels, 360 of them held back, with dropout and a rate that falls along a cosine.
 * Source: E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI 1998 (its test set).
 */
export async function main(device?: Device): Promise<{ accuracy: number; file: Uint8Array }> {
  const on = device ?? (await open());
  const { x, y } = readCsv(await textOf("digits.csv.gz"), { label: -1, header: false });
  const { training, heldBack } = holdBack({ x: x.map((pixel) => pixel / 16), y }, 360);

  const model = sequential(64, [dense(256, { activation: "relu" }), dropout(0.5), dense(10)]);
  const steps = EPOCHS * Math.ceil(training.y.length / BATCH);
  const optimizer = adam({ lr: cosineDecay(0.005, steps, { warmup: 50 }) });
  const net = await trainer(on, model, { loss: softmaxCrossEntropy(), optimizer, batchSize: BATCH });
  const history = await net.fit(training, { epochs: EPOCHS, validation: heldBack });

  const accuracy = history.validationAccuracy?.at(-1) ?? 0;
  console.log(`digits: ${(100 * accuracy).toFixed(1)} % of 360 held back, after ${history.seconds.toFixed(1)} s`);
  const file = await net.save(); // torch: load_state_dict(safetensors.torch.load_file(…))
  net.dispose();
  if (!device) on.close();
  return { accuracy, file };
}
