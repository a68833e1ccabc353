import { expect } from "vitest";
import { FormatError } from "../../src/util/errors";

export const fromBase64 = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(atob(text), (character) => character.charCodeAt(0));

export const fromLatin1 = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(text, (character) => character.charCodeAt(0));

/** Numbers as Python writes them. */
export const toNumbers = (texts: readonly string[]): number[] =>
  texts.map((text) => Number(text.replace("inf", "Infinity")));

export function expectFormatError(read: () => unknown, message: string | RegExp = ""): void {
  expect(read).toThrow(FormatError);
  expect(read).toThrow(message);
}

/** True where it reads, false at a FormatError; anything else is thrown on. */
export function readsOrRefuses(read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch (error) {
    if (error instanceof FormatError) return false;
    throw error;
  }
}
