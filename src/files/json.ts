import { FormatError } from "../util/errors";

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/**
 * `JSON.parse`, and a FormatError where the text is not JSON, an object has a key twice (of which `JSON.parse` keeps
 * the last, in silence) or a string has half of a surrogate pair (which is not Unicode). `part` begins the message.
 */
export function parseJson(part: string, text: string): Json {
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch (error) {
    throw new FormatError(`${part}: not valid JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  checkStrings(part, text);
  return value;
}

/** A name from a file, as it may stand in a message: escaped, and not longer than a line. */
export function quoted(name: unknown): string {
  const text = JSON.stringify(name) ?? String(name);
  return text.length <= 80 ? text : `${text.slice(0, 60)}… (${text.length} characters)`;
}

export function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text);
}

/** More than any file needs, and few enough that nothing which walks the value runs out of stack. */
const MAX_DEPTH = 128;

/** Walks text that is known to be JSON, so that nothing but strings, brackets and commas needs a look. */
function checkStrings(part: string, text: string): void {
  // One entry a bracket that is open: the keys so far of an object, null for an array.
  const open: (Set<string> | null)[] = [];
  let keyIsNext = false;
  for (let at = 0; at < text.length; at++) {
    switch (text[at]) {
      case "{":
      case "[":
        keyIsNext = text[at] === "{";
        open.push(keyIsNext ? new Set() : null);
        if (open.length > MAX_DEPTH) {
          throw new FormatError(`${part}: brackets are nested more than ${MAX_DEPTH} deep; they must not be.`);
        }
        break;
      case "}":
      case "]":
        open.pop();
        keyIsNext = false;
        break;
      case ",":
        keyIsNext = open.at(-1) instanceof Set;
        break;
      case '"': {
        const end = stringEnd(text, at);
        const string = JSON.parse(text.slice(at, end)) as string;
        at = end - 1;
        if (!isWellFormed(string)) {
          throw new FormatError(
            `${part}: the string ${quoted(string)} has half of a surrogate pair; it must be Unicode text.`,
          );
        }
        if (!keyIsNext) break;
        keyIsNext = false;
        const keys = open.at(-1);
        if (keys?.has(string)) {
          throw new FormatError(
            `${part}: the key ${quoted(string)} stands twice in one object; each key must stand once.`,
          );
        }
        keys?.add(string);
      }
    }
  }
}

/** Just past the closing mark of the string that opens at `start`. */
function stringEnd(text: string, start: number): number {
  let at = start + 1;
  while (text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
  return at + 1;
}
