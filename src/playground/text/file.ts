import { FormatError, safetensorsMetadata } from "../../index";
import { SIZES, type Sizes } from "./network";
import { type Alphabet, alphabetOf } from "./text";

/** What a file of weights says of its network, beside the weights. */
export interface Described {
  sizes: Sizes;
  alphabet: Alphabet;
  adapters: boolean;
}

export function metadataOf({ sizes, alphabet, adapters }: Described): Record<string, string> {
  return { gpt: JSON.stringify({ sizes, adapters, characters: alphabet.characters }) };
}

/** Throws FormatError where the file is not of a network that this page has saved. */
export function describedIn(file: Uint8Array): Described {
  const { gpt } = safetensorsMetadata(file);
  const found = gpt === undefined ? null : (parsed(gpt) as Partial<Described & { characters: string[] }> | null);
  const { sizes, characters, adapters } = found ?? {};
  const names = Object.keys(SIZES.small) as (keyof Sizes)[];
  const whole = (value: unknown) => Number.isInteger(value) && (value as number) > 0 && (value as number) <= 1024;
  const isAlphabet = Array.isArray(characters) && characters.every((each) => typeof each === "string");
  if (!sizes || !names.every((name) => whole(sizes[name])) || !isAlphabet) {
    throw new FormatError("This file says nothing of a network that writes: open one that was saved on this page.");
  }
  return { sizes, alphabet: alphabetOf(characters), adapters: adapters === true };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
