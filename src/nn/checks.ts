/** Checks of arguments that several files make. `part` begins the message: the function that the caller called. */

export function checkCount(part: string, name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new RangeError(`${part}: ${name} is ${String(value)}; it must be an integer of at least 1.`);
  }
}

/** A finite number of at least 0. */
export function checkAmount(part: string, name: string, value: number): void {
  if (typeof value !== "number" || !(value >= 0 && value < Infinity)) {
    throw new RangeError(`${part}: ${name} is ${String(value)}; it must be a finite number of at least 0.`);
  }
}

/** A number from 0 up to and without 1: a probability of dropping, or the decay of a moving average. */
export function checkFraction(part: string, name: string, value: number): void {
  if (typeof value !== "number" || !(value >= 0 && value < 1)) {
    throw new RangeError(`${part}: ${name} is ${String(value)}; it must be at least 0 and less than 1.`);
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
    throw new RangeError(`${part}: seed is ${String(value)}; it must be an integer from 0 to 4294967295 (2^32 - 1).`);
  }
}

/** Options are an object, and none is unknown: a misspelt one would be passed over in silence. */
export function checkOptions(part: string, options: object, known: readonly string[]): void {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`${part}: the options are ${shown(options)}; they must be an object.`);
  }
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) {
      throw new TypeError(`${part}: there is no option "${name}"; the options are ${known.join(", ")}.`);
    }
  }
}

/** A value in a message: a string with its marks, an object by its kind. */
export function shown(value: unknown): string {
  if (typeof value === "string") return `"${value}"`;
  if (Array.isArray(value)) return `an array of ${value.length}`;
  return typeof value === "object" && value !== null ? `a ${value.constructor?.name ?? "object"}` : String(value);
}
