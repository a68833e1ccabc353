/** A text as a network takes it: its characters numbered, cut into pieces. */

/** Characters that differ at most: each has a row of its own in the first layer and the last. */
const MOST_DIFFERENT = 512;
/** Characters that are taken of a longer text. */
export const MOST_CHARACTERS = 2_000_000;
/** Of so long a text pieces overlap: each place of a piece is then learnt with more before it. */
const SHORT = 400_000;
/** Pieces of a text that must be there: the last tenth of it is held back. */
const LEAST_PIECES = 20;
/** Held back at most, in pieces: enough to judge by, and judged often. */
const MOST_HELD_BACK = 512;
const HELD_BACK = 0.1;

export interface Alphabet {
  /** In order of their numbers. */
  readonly characters: readonly string[];
  /** Characters that are not of the alphabet are left out. */
  tokens(text: string): Int32Array;
  text(tokens: Int32Array): string;
}

export function alphabetOf(characters: readonly string[]): Alphabet {
  const numbers = new Map(characters.map((character, i) => [character, i]));
  return {
    characters,
    tokens: (text) => Int32Array.from([...text].flatMap((character) => numbers.get(character) ?? [])),
    text: (tokens) => Array.from(tokens, (token) => characters[token] ?? "").join(""),
  };
}

/** Lines end as they do everywhere, and a letter with its accent is one character. */
export function cleaned(text: string): string {
  return [
    ...text
      .replace(/^\uFEFF/, "")
      .replace(/\r\n?/g, "\n")
      .normalize("NFC"),
  ]
    .slice(0, MOST_CHARACTERS)
    .join("");
}

/** The characters of a text, in order. Throws RangeError where they are too many to be an alphabet. */
export function alphabetIn(text: string): Alphabet {
  const characters = [...new Set(text)].sort();
  if (characters.length > MOST_DIFFERENT) {
    throw new RangeError(
      `The text has ${characters.length.toLocaleString("en")} different characters; at most ${MOST_DIFFERENT} can be learnt one by one. A text in an alphabet has about a hundred.`,
    );
  }
  return alphabetOf(characters);
}

export interface Pieces {
  x: Int32Array;
  y: Int32Array;
}

/** Pieces of `length` characters, one each `stride`: what is to be told at each place of a piece is the character that follows. */
export function pieces(tokens: Int32Array, length: number, stride: number, most = Infinity): Pieces {
  const count = Math.min(most, Math.floor((tokens.length - 1 - length) / stride) + 1);
  const [x, y] = [new Int32Array(count * length), new Int32Array(count * length)];
  for (let i = 0; i < count; i++) {
    x.set(tokens.subarray(i * stride, i * stride + length), i * length);
    y.set(tokens.subarray(i * stride + 1, i * stride + length + 1), i * length);
  }
  return { x, y };
}

/** The first nine tenths to learn from, the last to be judged by. Throws RangeError for a text that is too short. */
export function parts(tokens: Int32Array, length: number): { training: Pieces; heldBack: Pieces } {
  const least = LEAST_PIECES * length;
  if (tokens.length < least) {
    throw new RangeError(
      `The text has ${tokens.length.toLocaleString("en")} characters; at least ${least.toLocaleString("en")} are needed, and some 100,000 before what it writes has words.`,
    );
  }
  const cut = Math.floor((1 - HELD_BACK) * tokens.length);
  return {
    training: pieces(tokens.subarray(0, cut), length, tokens.length <= SHORT ? length / 4 : length),
    heldBack: pieces(tokens.subarray(cut), length, length, MOST_HELD_BACK),
  };
}
