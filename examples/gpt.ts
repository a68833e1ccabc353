import {
  adam,
  cosineDecay,
  type Device,
  dense,
  embedding,
  type Layer,
  layerNorm,
  type Model,
  multiHeadAttention,
  open,
  positionEmbedding,
  randomState,
  residual,
  sequential,
  softmaxCrossEntropy,
  type Trainer,
  trainer,
} from "wgrad";
import { textOf } from "./data";

/** Characters that the network sees at once. */
export const LENGTH = 64;
export const FEATURES = 64;
const HEADS = 4;
const BLOCKS = 2;
const BATCH = 8;

/**
 * A small GPT that learns to write, a character at a time, from the first nine tenths of Genesis; the last tenth says how well. Its loss is in
 * bits a character: 5.9 is guessing among 60, 4.2 knows how frequent each is. Source: Radford et al. 2018; Karpathy, minGPT.
 */
export async function main(device?: Device, epochs = 1): Promise<{ bits: number; written: string; known: number }> {
  const on = device ?? (await open());
  const text = await textOf("examples/genesis.txt");
  const letters = alphabet(text);
  const tokens = letters.tokens(text);
  const cut = Math.floor(0.9 * tokens.length);
  const training = windows(tokens.subarray(0, cut), LENGTH / 4);
  const heldBack = windows(tokens.subarray(cut), LENGTH);

  const model = gpt(letters.count, () => [dense(4 * FEATURES, { activation: "gelu" }), dense(FEATURES)]);
  console.log(model.summary());
  const steps = Math.round((epochs * training.x.length) / LENGTH / BATCH);
  const optimizer = adam({ lr: cosineDecay(0.003, steps, { warmup: Math.min(100, steps - 1) }), weightDecay: 0.01 });
  const net = await trainer(on, model, { loss: softmaxCrossEntropy(), optimizer, batchSize: BATCH, clipNorm: 1 });
  const { seconds } = await net.fit(training, {
    steps,
    onProgress({ step, loss, secondsLeft }) {
      if (step % 100 !== 0) return;
      console.log(`step ${step}/${steps}  ${(loss / Math.LN2).toFixed(2)} bits  ${secondsLeft.toFixed(0)} s left`);
    },
  });

  const bits = (await net.evaluate(heldBack)).loss / Math.LN2;
  const start = tokens.subarray(cut - LENGTH, cut);
  const written = letters.text(await write(net, letters.count, start, 400, { temperature: 0.7 }));
  const known = shareKnown(written, text);
  console.log(written);
  console.log(
    `gpt: ${bits.toFixed(2)} bits a character; ${(100 * known).toFixed(0)} % of the words written are of the text`,
  );
  console.log(`${((steps * BATCH * LENGTH) / seconds).toFixed(0)} characters a second`);
  net.dispose();
  if (!device) on.close();
  return { bits, written, known };
}

/** Each block looks back, then thinks: attention to what came before, and a small network by itself at each place. */
export function gpt(characters: number, think: () => readonly Layer[]): Model {
  const block = () => [
    residual([layerNorm(), multiHeadAttention(HEADS, { causal: true })]),
    residual([layerNorm(), ...think()]),
  ];
  return sequential(
    [LENGTH],
    [
      embedding(characters, FEATURES, { deviation: 0.02 }),
      positionEmbedding(),
      ...Array.from({ length: BLOCKS }, block).flat(),
      layerNorm(),
      dense(characters),
    ],
  );
}

/** The characters of a text, numbered. */
export function alphabet(text: string) {
  const characters = [...new Set(text)].sort();
  const numbers = new Map(characters.map((character, i) => [character, i]));
  return {
    count: characters.length,
    /** Characters that are not of the alphabet are left out. */
    tokens: (of: string) => Int32Array.from([...of].flatMap((character) => numbers.get(character) ?? [])),
    text: (tokens: Int32Array) => Array.from(tokens, (token) => characters[token]).join(""),
  };
}

/** Pieces of a text, one each `stride` characters; what is to be told at each place of a piece is the character that follows. */
export function windows(tokens: Int32Array, stride: number): { x: Int32Array; y: Int32Array } {
  const count = Math.floor((tokens.length - 1 - LENGTH) / stride) + 1;
  const [x, y] = [new Int32Array(count * LENGTH), new Int32Array(count * LENGTH)];
  for (let i = 0; i < count; i++) {
    x.set(tokens.subarray(i * stride, i * stride + LENGTH), i * LENGTH);
    y.set(tokens.subarray(i * stride + 1, i * stride + LENGTH + 1), i * LENGTH);
  }
  return { x, y };
}

/**
 * Writes `length` characters that go on from `start`, of LENGTH characters or more. A `temperature` of 1 draws by the network's
 * probabilities; below 1 it takes fewer risks, and at 0 always the likeliest.
 */
export async function write(
  net: Trainer,
  characters: number,
  start: Int32Array,
  length: number,
  { temperature = 1, seed = 0 } = {},
): Promise<Int32Array> {
  const random = randomState(seed);
  const all = new Int32Array(start.length + length);
  all.set(start);
  for (let at = start.length; at < all.length; at++) {
    const probabilities = (await net.predict(all.subarray(at - LENGTH, at))).subarray(-characters);
    const most = Math.max(...probabilities);
    const shares = probabilities.map((p) => (temperature === 0 ? Number(p === most) : (p / most) ** (1 / temperature)));
    let left = (random.rand(1)[0] as number) * shares.reduce((sum, share) => sum + share, 0);
    const drawn = shares.findIndex((share) => {
      left -= share;
      return left < 0;
    });
    all[at] = drawn < 0 ? probabilities.indexOf(most) : drawn;
  }
  return all.subarray(start.length);
}

/** The share of the whole words in `written` that are words of `text`. */
function shareKnown(written: string, text: string): number {
  const words = (of: string) => of.toLowerCase().match(/[a-z]+/g) ?? [];
  const known = new Set(words(text));
  const own = words(written).slice(1, -1); // the first and the last may be parts of words
  return own.filter((word) => known.has(word)).length / own.length;
}
