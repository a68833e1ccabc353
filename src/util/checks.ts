/** Checks of arguments that several files make. `part` begins the message: the function that the caller called. */

export function checkCount(part: string, name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new RangeError(`${part}: ${name} is ${shown(value)}; it must be an integer of at least 1.`);
  }
}

/** A finite number of at least 0. */
export function checkAmount(part: string, name: string, value: number): void {
  if (typeof value !== "number" || !(value >= 0 && value < Infinity)) {
    throw new RangeError(`${part}: ${name} is ${shown(value)}; it must be a finite number of at least 0.`);
  }
}

/** A number from 0 up to and without 1: a probability of dropping, or the decay of a moving average. */
export function checkFraction(part: string, name: string, value: number): void {
  if (typeof value !== "number" || !(value >= 0 && value < 1)) {
    throw new RangeError(`${part}: ${name} is ${shown(value)}; it must be at least 0 and less than 1.`);
  }
}

export function checkChoice<T extends string>(part: string, name: string, value: T, choices: readonly T[]): void {
  if (!choices.includes(value)) {
    const known = choices.map((choice) => `"${choice}"`).join(", ");
    throw new TypeError(`${part}: ${name} is ${shown(value)}; it must be one of ${known}.`);
  }
}

export function checkFlag(part: string, name: string, value: boolean): void {
  if (typeof value !== "boolean") {
    throw new TypeError(`${part}: ${name} is ${shown(value)}; it must be true or false.`);
  }
}

/** A seed of the generator that NumPy has. */
export function checkSeed(part: string, value: number): void {
  if (!Number.isInteger(value) || value < 0 || value > 0xffffffff) {
    throw new RangeError(`${part}: seed is ${shown(value)}; it must be an integer from 0 to 4294967295 (2^32 - 1).`);
  }
}

/** Options are an object; where the `known` are given, none is unknown: a misspelt one would be passed over in silence. */
export function checkOptions(part: string, options: object, known?: readonly string[]): void {
  if (!isRecord(options)) {
    const named = known === undefined ? "" : ` with ${known.join(", ")}`;
    throw new TypeError(`${part}: the options are ${shown(options)}; they must be an object${named}.`);
  }
  if (known === undefined) return;
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) {
      throw new TypeError(`${part}: there is no option "${name}"; the options are ${known.join(", ")}.`);
    }
  }
}

export function checkCallback(part: string, name: string, value: unknown): void {
  if (value !== undefined && typeof value !== "function") {
    throw new TypeError(`${part}: ${name} is ${shown(value)}; it must be a function.`);
  }
}

export function checkSignal(part: string, signal: AbortSignal | undefined): void {
  if (signal !== undefined && typeof signal?.throwIfAborted !== "function") {
    throw new TypeError(`${part}: signal is ${shown(signal)}; it must be the signal of an AbortController.`);
  }
}

export function checkFile(part: string, file: Uint8Array): void {
  if (!(file instanceof Uint8Array)) {
    throw new TypeError(
      `${part}: the file must be a Uint8Array, not ${shown(file)}; of an ArrayBuffer, give new Uint8Array(buffer).`,
    );
  }
}

/** A tensor for a file: values with their shape. */
export function checkShaped(part: string, tensor: unknown): void {
  if (!isRecord(tensor)) {
    throw new TypeError(`${part}: the tensor is ${shown(tensor)}; it must be an object {shape, values}.`);
  }
}

/** An object with keys of its own: nothing that has entries of another sort, or will only come. */
export function isRecord(value: unknown): value is object {
  return typeof value === "object" && value !== null && !(Symbol.iterator in value) && !isPromise(value);
}

/** Numbers one after the other in an array of JavaScript's own, of whatever type; not those of BigInt. */
export function isNumbers(value: unknown): value is ArrayLike<number> {
  return (
    Array.isArray(value) || (ArrayBuffer.isView(value) && "length" in value && typeof Object(value)[0] !== "bigint")
  );
}

function isPromise(value: object): boolean {
  return typeof (value as { then?: unknown }).then === "function";
}

/**
 * A value in a message: a string with its marks, an object by its kind, and what was forgotten where that shows. `wanted` is the
 * class that the caller asked for.
 */
export function shown(value: unknown, wanted?: { readonly name: string }): string {
  if (typeof value === "string") return `"${value.length > 60 ? `${value.slice(0, 60)}…` : value}"`;
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return "a function that is not called";
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value !== "object" || value === null) return String(value);
  if (isPromise(value)) return "a Promise that is not awaited";
  const kind: string = Object.getPrototypeOf(value)?.constructor?.name ?? "Object";
  return `a ${kind}${kind === wanted?.name ? " of another copy of this library (load it once)" : ""}`;
}
