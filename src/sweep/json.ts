/** What JSON has: what trials, points and states are made of. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };
/** An object of it. */
export type JsonObject = { readonly [name: string]: Json };

/** So that what somebody sends costs no more to look at than a sweep needs. */
const MOST_VALUES = 20_000;
const MOST_DEPTH = 16;
const MOST_TEXT = 2_000;
/** float32 has no more. */
const LARGEST = 3.4e38;

/**
 * That a value is JSON, of a size and with numbers that a trial may have. Objects come back without a prototype, so that a name such as
 * "constructor" is nothing but a name. Throws TypeError or RangeError with the path.
 */
export function checkJson(path: string, value: unknown): Json {
  let values = 0;
  const copied = (at: string, value: unknown, depth: number): Json => {
    if (++values > MOST_VALUES) throw new RangeError(`${path} has more than ${MOST_VALUES} values; give fewer.`);
    if (depth > MOST_DEPTH) throw new RangeError(`${at} is nested deeper than ${MOST_DEPTH}; make it flatter.`);
    if (value === null || typeof value === "boolean") return value;
    if (typeof value === "string") {
      if (value.length <= MOST_TEXT) return value;
      throw new RangeError(`${at} is a text of ${value.length} characters; ${MOST_TEXT} is the most.`);
    }
    if (typeof value === "number") {
      if (Number.isFinite(value) && Math.abs(value) <= LARGEST) return value;
      throw new RangeError(`${at} is ${value}; it must be a number that float32 has.`);
    }
    if (Array.isArray(value)) return value.map((each, i) => copied(`${at}[${i}]`, each, depth + 1));
    if (isPlain(value)) {
      const entries = Object.entries(value).filter(([, each]) => each !== undefined);
      const own: Record<string, Json> = Object.create(null);
      for (const [name, each] of entries) own[name] = copied(`${at}.${name.slice(0, 60)}`, each, depth + 1);
      return own;
    }
    throw new TypeError(
      `${at} is ${shownKind(value)}, which JSON has not; give numbers, texts, arrays and plain objects.`,
    );
  };
  return copied(path, value, 0);
}

function isPlain(value: unknown): value is object {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function shownKind(value: unknown): string {
  if (typeof value !== "object" || value === null) return typeof value === "function" ? "a function" : String(value);
  return `a ${value.constructor?.name ?? "object"}`;
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The same text for the same value, whatever the order of an object's names. */
export function canonical(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const names = Object.keys(value).sort();
  return `{${names.map((name) => `${JSON.stringify(name)}:${canonical(value[name] as Json)}`).join(",")}}`;
}

/** An object whose names are all `known`. Throws TypeError. */
export function checkNames(path: string, value: Json | undefined, known: readonly string[]): JsonObject {
  if (!isObject(value))
    throw new TypeError(`${path} is ${told(value)}; it must be an object with ${known.join(", ")}.`);
  const unknown = Object.keys(value).find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new TypeError(`${path} has "${unknown.slice(0, 60)}"; what it may have is ${known.join(", ")}.`);
  return value;
}

export function checkInteger(path: string, value: Json | undefined, least: number, most: number): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= least && value <= most) return value;
  throw new RangeError(`${path} is ${told(value)}; it must be an integer from ${least} to ${most}.`);
}

/** A value in a message, short. */
export function told(value: Json | undefined): string {
  if (value === undefined) return "not given";
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
