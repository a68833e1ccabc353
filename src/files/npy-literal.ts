import { FormatError } from "../util/errors";
import { quoted } from "./json";

/** What a Python literal may hold here: tuples and lists are arrays. */
export type Literal = string | boolean | number | Literal[];

const MAX_DEPTH = 8;
/** One token after spaces: a string without escapes, a word or number, or a single character. */
const TOKEN = /([ \t\r\n\f]*)(?:'([^'\\\n]*)'|"([^"\\\n]*)"|([A-Za-z0-9_.+-]+)|([^ \t\r\n\f]))/y;

interface Token {
  kind: "string" | "word" | "mark" | "end";
  text: string;
  start: number;
  end: number;
}

/**
 * Reads a Python dictionary of strings as keys and, as values, strings, True, False, integers that are not negative,
 * and tuples and lists of these; nothing is evaluated. `longIntegers` allows `3L`, which Python 2 wrote. `part` begins
 * each message. Throws FormatError for anything else, and for a key that stands twice.
 */
export function parseDictionary(text: string, part: string, longIntegers: boolean): Map<string, Literal> {
  let next = read(0);

  function read(from: number): Token {
    TOKEN.lastIndex = from;
    const found = TOKEN.exec(text);
    if (found === null) return { kind: "end", text: "", start: text.length, end: text.length };
    const [, spaces = "", single, double, word, mark = ""] = found;
    const place = { start: from + spaces.length, end: TOKEN.lastIndex };
    const string = single ?? double;
    if (string !== undefined) return { kind: "string", text: string, ...place };
    if (word !== undefined) return { kind: "word", text: word, ...place };
    return { kind: "mark", text: mark, ...place };
  }

  function take(): Token {
    const token = next;
    next = read(token.end);
    return token;
  }

  function isNext(mark: string): boolean {
    return next.kind === "mark" && next.text === mark;
  }

  function wrong(what: string): FormatError {
    const found = next.kind === "end" ? "it ends" : `${quoted(next.text)} stands`;
    return new FormatError(`${part}: ${found} at character ${next.start}; ${what}.`);
  }

  function expectMark(mark: string): void {
    if (!isNext(mark)) throw wrong(`there must be ${quoted(mark)}`);
    take();
  }

  function value(depth: number): Literal {
    if (next.kind === "string") return take().text;
    if (next.kind === "word") {
      if (next.text === "True" || next.text === "False") return take().text === "True";
      const digits = /^(0|[1-9][0-9]*)(L?)$/.exec(next.text);
      if (digits === null || (digits[2] === "L" && !longIntegers)) {
        throw wrong("there must be a string, True, False, an integer that is not negative, or a tuple of these");
      }
      take();
      return Number(digits[1]);
    }
    if (isNext("(")) return sequence(")", depth);
    if (isNext("[")) return sequence("]", depth);
    throw wrong("there must be a string, True, False, an integer that is not negative, or a tuple of these");
  }

  function sequence(close: ")" | "]", depth: number): Literal[] {
    if (depth === MAX_DEPTH) throw wrong(`brackets must not be nested more than ${MAX_DEPTH} deep`);
    take();
    const items: Literal[] = [];
    while (!isNext(close)) {
      items.push(value(depth + 1));
      if (isNext(",")) take();
      // In Python, (3) is no tuple.
      else if (!isNext(close) || (close === ")" && items.length === 1)) throw wrong(`there must be ","`);
    }
    take();
    return items;
  }

  const entries = new Map<string, Literal>();
  expectMark("{");
  while (!isNext("}")) {
    if (next.kind !== "string") throw wrong("there must be a string as a key");
    if (entries.has(next.text)) throw wrong("each key must stand once");
    const key = take().text;
    expectMark(":");
    entries.set(key, value(0));
    if (isNext(",")) take();
    else if (!isNext("}")) throw wrong(`there must be "," or "}"`);
  }
  take();
  if (next.kind !== "end") throw wrong("after the closing brace, only spaces may follow");
  return entries;
}
