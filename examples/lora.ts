import {
  activation,
  adam,
  cosineDecay,
  type Dataset,
  type Device,
  defineLayer,
  dense,
  type Layer,
  open,
  softmaxCrossEntropy,
  trainer,
  writeSafetensors,
} from "wgrad";
import { textOf } from "./data";
import { alphabet, FEATURES, gpt, LENGTH, windows } from "./gpt";

const RANK = 4;
const BATCH = 8;

/** A dense layer that stays as it is, beside a narrow way around it that learns: x W + b + (x down) up. It begins as the layer alone. */
export const adapted = (units: number): Layer =>
  defineLayer("adapted", {
    parameters: (inputs) => {
      const features = inputs.at(-1) as number;
      return {
        weight: { shape: [features, units] },
        bias: { shape: [units] },
        down: { shape: [features, RANK] },
        up: { shape: [RANK, units], init: "zeros" },
      };
    },
    apply: (x, { weight, bias, down, up }) => x.matmul(weight).add(bias).add(x.matmul(down).matmul(up)),
  });
/** Whether a parameter of this name is an adapter's. */
export const isAdapter = (name: string) => name.endsWith(".down") || name.endsWith(".up");

/**
 * LoRA on the GPT: a network that learnt from Genesis learns the tone of the Proverbs, all of its own weights frozen. Only narrow adapters are
 * trained, which are a twentieth of its size and make a file of their own. Returns the bits a character of Proverbs held back, without and
 * with the adapters, and with those of the file. Source: Hu et al. 2021, §4.1.
 */
export async function main(
  device?: Device,
  epochs = 1,
): Promise<{ before: number; after: number; loaded: number; adapters: Uint8Array }> {
  const on = device ?? (await open());
  const genesis = await textOf("examples/genesis.txt");
  const letters = alphabet(genesis);
  const proverbs = letters.tokens(await textOf("examples/proverbs.txt"));
  const cut = Math.floor(0.9 * proverbs.length);
  const training = windows(proverbs.subarray(0, cut), LENGTH / 4);
  const heldBack = windows(proverbs.subarray(cut), LENGTH);
  const options = (data: Dataset, lr: number) => {
    const steps = Math.round((epochs * data.x.length) / LENGTH / BATCH);
    const optimizer = adam({ lr: cosineDecay(lr, steps, { warmup: Math.floor(steps / 10) }) });
    return { steps, using: { loss: softmaxCrossEntropy(), optimizer, batchSize: BATCH, clipNorm: 1 } };
  };

  const all = windows(letters.tokens(genesis), LENGTH / 4);
  const first = options(all, 0.003);
  const plain = gpt(letters.count, () => [dense(4 * FEATURES), activation("gelu"), dense(FEATURES)]);
  const base = await trainer(on, plain, first.using);
  await base.fit(all, { steps: first.steps });
  const learnt = await base.weights();
  base.dispose();

  const second = options(training, 0.01);
  const model = gpt(letters.count, () => [adapted(4 * FEATURES), activation("gelu"), adapted(FEATURES)]);
  const frozen = Object.keys(model.parameters).filter((name) => !isAdapter(name));
  const net = await trainer(on, model, { ...second.using, frozen });
  net.setWeights(learnt);
  const before = (await net.evaluate(heldBack)).loss / Math.LN2;
  const { seconds } = await net.fit(training, { steps: second.steps });
  const after = (await net.evaluate(heldBack)).loss / Math.LN2;

  const adapters = writeSafetensors(
    Object.fromEntries(
      Object.entries(await net.weights())
        .filter(([name]) => isAdapter(name))
        .map(([name, values]) => [name, { shape: model.parameters[name] as number[], values }]),
    ),
  );
  net.dispose();

  // Who has the network needs no more than that file.
  const again = await trainer(on, model, { ...second.using, frozen });
  again.setWeights(learnt);
  again.load(adapters, { strict: false });
  const loaded = (await again.evaluate(heldBack)).loss / Math.LN2;
  again.dispose();
  const rate = (second.steps * BATCH * LENGTH) / seconds;
  console.log(
    `lora: ${before.toFixed(2)} bits a character of Proverbs before, ${after.toFixed(2)} after; ${rate.toFixed(0)} characters a second`,
  );
  console.log(`${adapters.length} bytes of adapters`);
  if (!device) on.close();
  return { before, after, loaded, adapters };
}
