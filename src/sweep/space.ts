import { randomState } from "../index";
import { canonical, checkInteger, checkJson, checkNames, isObject, type Json, told } from "./json";
import { GIVEN_NAMES } from "./trial";

/** What is tried of one option: values, or for random search a range: every number in it as likely, with `log` every order of magnitude. */
export type Choice = readonly Json[] | { readonly min: number; readonly max: number; log?: boolean; integer?: boolean };

/** What is tried, by name. */
export type Space = { readonly [name: string]: Choice };

/** One of each: what a trial is made of. */
export type Point = { readonly [name: string]: Json };

interface Range {
  readonly min: number;
  readonly max: number;
  readonly log: boolean;
  readonly integer: boolean;
}
type Checked = readonly (readonly [name: string, choice: readonly Json[] | Range])[];

const MOST_TRIALS = 100_000;
/** Digits that a drawn number is rounded to: it is read in tables, and written in files. */
const DIGITS = 4;
/** Draws of a point that was drawn before, after which there are taken to be no others. */
const MOST_REPEATS = 1000;

/** Every combination, the last name's values the fastest. Throws TypeError or RangeError. */
export function gridPoints(space: Space): Point[] {
  const choices = checkSpace(space);
  const ranged = choices.find(([, choice]) => !Array.isArray(choice));
  if (ranged !== undefined)
    throw new TypeError(
      `space.${ranged[0]} is a range; a grid takes values: give an array of them, or search at random.`,
    );
  const lists = choices as readonly (readonly [string, readonly Json[]])[];
  const count = lists.reduce((product, [, values]) => product * values.length, 1);
  checkInteger("the number of a grid's trials", count, 1, MOST_TRIALS);
  let points: Point[] = [{}];
  for (const [name, values] of lists)
    points = points.flatMap((point) => values.map((value) => ({ ...point, [name]: value })));
  return points;
}

/** So many different points, drawn by `seed`; fewer where there are no more. Throws TypeError or RangeError. */
export function randomPoints(space: Space, trials: number, seed: number): Point[] {
  const choices = checkSpace(space);
  const random = randomState(seed);
  const points = new Map<string, Point>();
  for (let repeats = 0; points.size < trials && repeats < MOST_REPEATS; ) {
    const point = Object.fromEntries(
      choices.map(([name, choice]) => [name, drawn(choice, random.rand(1)[0] as number)]),
    );
    const key = canonical(point);
    if (points.has(key)) repeats++;
    else [repeats] = [0, points.set(key, point)];
  }
  return [...points.values()];
}

function drawn(choice: readonly Json[] | Range, share: number): Json {
  if (Array.isArray(choice)) return choice[Math.floor(share * choice.length)] as Json;
  const { min, max, log, integer } = choice as Range;
  if (log) {
    const value = Math.exp(Math.log(min) + share * (Math.log(max) - Math.log(min)));
    return integer ? Math.min(max, Math.max(min, Math.round(value))) : Number(value.toPrecision(DIGITS));
  }
  if (integer) return min + Math.floor(share * (max - min + 1));
  return Number((min + share * (max - min)).toPrecision(DIGITS));
}

function checkSpace(space: Space): Checked {
  const checked = checkJson("space", space);
  if (!isObject(checked)) throw new TypeError(`space is ${told(checked)}; it must be an object of values by name.`);
  return Object.entries(checked).map(([name, choice]) => {
    const path = `space.${name}`;
    if (!/^[A-Za-z_]\w{0,59}$/.test(name) || name === "__proto__")
      throw new TypeError(`${path}: a name is letters, digits and _, as in a program.`);
    if (GIVEN_NAMES.includes(name))
      throw new TypeError(`${path}: $${name} is what the data say; give the option another name.`);
    if (Array.isArray(choice)) {
      if (choice.length > 0) return [name, choice];
      throw new RangeError(`${path} is empty; give it a value at least.`);
    }
    if (!isObject(choice))
      throw new TypeError(`${path} is ${told(choice)}; it must be an array of values, or a range {min, max}.`);
    const { min, max, log = false, integer = false } = checkNames(path, choice, ["min", "max", "log", "integer"]);
    if (typeof min !== "number" || typeof max !== "number" || min >= max)
      throw new RangeError(`${path} is from ${told(min)} to ${told(max)}; min must be below max.`);
    if (typeof log !== "boolean" || typeof integer !== "boolean")
      throw new TypeError(`${path}: log and integer are true or false.`);
    if (log && min <= 0) throw new RangeError(`${path}.min is ${min}; of a logarithmic range it must be above 0.`);
    if (integer && !(Number.isSafeInteger(min) && Number.isSafeInteger(max)))
      throw new RangeError(`${path} is from ${min} to ${max}; of whole numbers both must be one.`);
    return [name, { min, max, log, integer }];
  });
}
