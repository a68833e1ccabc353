import { type Model, randomState, type Session } from "../../index";
import type { Written } from "./messages";
import type { Sizes } from "./network";
import type { Alphabet } from "./text";

export interface Wish {
  prompt: string;
  /** 1 draws by the network's probabilities; below 1 it takes fewer risks, and at 0 always the likeliest. */
  temperature: number;
}

/** Characters that are written at once. */
const LENGTH = 240;

/** Writes on from the prompt, a character at a time, by a session of the view program that has the weights. */
export async function write(
  session: Session,
  { model, sizes, alphabet }: { model: Model; sizes: Sizes; alphabet: Alphabet },
  { prompt, temperature }: Wish,
  step: number,
): Promise<Written> {
  const { length: T, blocks, heads } = sizes;
  const characters = model.outputShape.at(-1) as number;
  const random = randomState(step);
  const given = alphabet.tokens(prompt);
  const start = given.length > 0 ? given : Int32Array.of(Math.max(0, alphabet.characters.indexOf("\n")));
  const all = new Int32Array(start.length + LENGTH);
  all.set(start);
  /** Places behind the last character are seen by none before them. */
  const run = (end: number) => {
    const tokens = new Int32Array(T);
    tokens.set(all.subarray(Math.max(0, end - T), end));
    return session.run({ tokens });
  };
  for (let at = start.length; at < all.length; at++) {
    const { logits = new Float32Array() } = await run(at);
    const place = Math.min(at, T) - 1;
    const draw = random.rand(1)[0] as number;
    all[at] = drawn(logits.subarray(place * characters, (place + 1) * characters), temperature, draw);
  }
  const shown = Math.min(T, all.length);
  const seen = await run(all.length);
  const shares = new Float32Array(blocks * heads * shown * shown);
  for (let b = 0; b < blocks; b++) shares.set(seen[`attention ${b}`] as Float32Array, b * heads * shown * shown);
  return {
    ...{ step, prompt: alphabet.text(given), blocks, heads, shares },
    text: alphabet.text(all.subarray(start.length)),
    seen: [...alphabet.text(all.subarray(all.length - shown))],
  };
}

/** Which of the logits is drawn by a number from 0 to 1. */
export function drawn(logits: Float32Array, temperature: number, draw: number): number {
  const most = logits.reduce((most, value) => Math.max(most, value), -Infinity);
  const likeliest = logits.indexOf(most);
  if (temperature === 0) return likeliest;
  const shares = logits.map((value) => Math.exp((value - most) / temperature));
  let left = draw * shares.reduce((sum, share) => sum + share, 0);
  const found = shares.findIndex((share) => {
    left -= share;
    return left < 0;
  });
  return found < 0 ? likeliest : found;
}
