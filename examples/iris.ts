import { adam, type Device, dense, open, sequential, softmaxCrossEntropy, trainer } from "wgrad";
import { readCsv } from "wgrad/files/csv";
import { writeOnnx } from "wgrad/files/onnx";
import { columnsOf, holdBack, standardised, textOf } from "./data";

const FOLDS = 5;

/**
 * Three species of iris by four measures of a flower. Five networks, each learning from 120 flowers and tried on the 30
 * held back from it, so that every flower is held back once; the last one as an ONNX file, which
 * takes measures in centimetres.
 * Source: R. A. Fisher, The use of multiple measurements in taxonomic problems, 1936.
 */
export async function main(device?: Device): Promise<{ accuracy: number; onnx: Uint8Array }> {
  const on = device ?? (await open());
  const table = readCsv(await textOf("iris.csv"), { label: -1, header: true });
  const model = sequential(4, [dense(16, { activation: "tanh", l2: 1e-3 }), dense(3)]);

  let accuracy = 0;
  let onnx = new Uint8Array();
  for (let fold = 0; fold < FOLDS; fold++) {
    const { training, heldBack } = holdBack(table, table.y.length / FOLDS, { fold });
    const net = await trainer(on, model, { loss: softmaxCrossEntropy(), optimizer: adam({ lr: 0.01 }), batchSize: 20 });
    const standardize = columnsOf(training);
    await net.fit(standardised(training, standardize), { epochs: 60 });
    const result = await net.evaluate(standardised(heldBack, standardize));
    accuracy += (result.accuracy ?? 0) / FOLDS;
    onnx = writeOnnx(model, await net.weights(), { standardize, probabilities: "softmax", name: "iris" });
    net.dispose();
  }

  console.log(`iris: ${(100 * accuracy).toFixed(1)} % of the flowers right; ${onnx.length} bytes of ONNX`);
  if (!device) on.close();
  return { accuracy, onnx };
}
