import type { Program } from "../graph/program";
import { formatShape, type Shape, sizeOf } from "../util/shape";
import { VERSION } from "../util/version";
import { type Bounded, BY } from "./bounds";
import { LARGEST } from "./rounding";

/**
 * What `session.verify` found: for each output and parameter its largest error against float64, beside its bound. As a text, a table.
 */
export interface ParityReport {
  /** The library's version. */
  version: string;
  /** Nothing is off, and of each result something could be judged. */
  ok: boolean;
  /**
   * Outputs and updates by name: the absolute error at the element where it is the largest part of its bound, the bound there, and
   * that element's index. What is NaN or infinite in float64 must be so here, else its error is Infinity.
   *
   * `unbounded` counts the elements of which float32 arithmetic says nothing, near a pole or where it may overflow: they are not judged,
   * save that what lies beyond float32 must be huge or not finite. A result that has no others is not ok. `undecided` counts decisions
   * (comparisons, argmax, conversions to integers) whose operands lie within their errors of one another: either result is right.
   */
  rows: {
    name: string;
    shape: Shape;
    maxError: number;
    bound: number;
    at: number[];
    ok: boolean;
    unbounded: number;
    undecided: number;
    /** Where there are copies: the one in which the result is the furthest off, and which the row is of. */
    copy?: number;
  }[];
  /** Where there are copies: those that were judged. */
  copies?: readonly number[];
  toString(): string;
}

type Row = ParityReport["rows"][number];

/** A device's outputs and updates against float64, element by element, each with its own bound. */
export function compareStep(
  program: Program,
  expected: { outputs: Record<string, Bounded>; updates: Record<string, Bounded> },
  got: { outputs: Record<string, Float32Array>; updates: Record<string, Float32Array> },
): ParityReport {
  const rows: Row[] = [];
  for (const part of ["outputs", "updates"] as const) {
    for (const [name, { shape }] of Object.entries(program[part] ?? {})) {
      const values = got[part][name];
      const bounded = expected[part][name];
      if (values === undefined || bounded === undefined || values.length !== bounded.values.length) {
        throw new Error(`internal: ${part}.${name} has ${values?.length} values, expected ${bounded?.values.length}`);
      }
      rows.push(compare(name, shape, bounded, values));
    }
  }
  return reportOf(rows);
}

/** The report of rows; of those of `copies`, where it is given. */
export function reportOf(rows: Row[], copies?: readonly number[]): ParityReport {
  const judged = copies
    ? `\njudged: copies ${copies.join(", ")}; of each result the copy that is the furthest off`
    : "";
  return {
    ...{ version: VERSION, ok: rows.every(({ ok }) => ok), rows },
    ...(copies && { copies }),
    toString: () => format(rows) + judged,
  };
}

function compare(name: string, shape: Shape, { values, bounds, judged }: Bounded, got: Float32Array): Row {
  let worst = 0;
  let largest = -1;
  let unbounded = 0;
  let undecided = 0;
  let known = 0;
  const vague = (i: number) => judged[i] === BY.nothing || judged[i] === BY.decision;
  const error = (i: number) => errorOf(values[i] as number, judged[i] as number, got[i] as number);
  const share = (i: number) => {
    const ratio = ratioOf(error(i), bounds[i] as number);
    // Either result of a decision is right, and neither says how near it is: what can be judged better is shown before it.
    return vague(i) && ratio <= 1 ? -0.5 : ratio;
  };
  for (let i = 0; i < values.length; i++) {
    if (judged[i] === BY.nothing) unbounded++;
    if (judged[i] === BY.decision) undecided++;
    if (judged[i] !== BY.nothing || isBeyond(values[i] as number)) known++;
    const ratio = share(i);
    if (ratio <= largest) continue;
    worst = i;
    largest = ratio;
  }
  return {
    name,
    shape,
    maxError: error(worst),
    bound: bounds[worst] as number,
    at: indexOf(worst, shape),
    ok: largest <= 1 && known > 0,
    unbounded,
    undecided,
  };
}

/**
 * Infinity for what is not finite where float64 is, or the other way round. Without a bound anything will do, except that a number beyond
 * float32 must have become non-finite or huge.
 */
function errorOf(value: number, judged: number, got: number): number {
  if (judged === BY.kind) return Object.is(value, got) ? 0 : Number.POSITIVE_INFINITY;
  if (judged === BY.infinity) return Math.abs(got) === Number.POSITIVE_INFINITY ? 0 : Number.POSITIVE_INFINITY;
  if (judged === BY.decision && !Number.isInteger(got)) return Number.POSITIVE_INFINITY;
  if (judged !== BY.nothing) return Number.isFinite(got) ? Math.abs(got - value) : Number.POSITIVE_INFINITY;
  if (!Number.isFinite(got) || !Number.isFinite(value)) return 0;
  if (isBeyond(value)) return Math.abs(got) < LARGEST / 2 ? Number.POSITIVE_INFINITY : 0;
  return Math.abs(got - value);
}

/** Beyond float32, and known. */
function isBeyond(value: number): boolean {
  return Math.abs(value) > LARGEST && Number.isFinite(value);
}

export function ratioOf(error: number, bound: number): number {
  if (error === Number.POSITIVE_INFINITY) return error;
  return error === 0 ? 0 : error / bound;
}

function indexOf(element: number, shape: Shape): number[] {
  const at = new Array<number>(shape.length).fill(0);
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    at[axis] = element % (shape[axis] as number);
    element = Math.floor(element / (shape[axis] as number));
  }
  return at;
}

function format(rows: readonly Row[]): string {
  const table = rows.map((row) => {
    const { name, shape, maxError, bound, at, unbounded, undecided, copy } = row;
    return [
      copy === undefined ? name : `${name}, copy ${copy}`,
      formatShape(shape),
      maxError.toExponential(2),
      bound.toExponential(2),
      ratioOf(maxError, bound).toPrecision(3),
      formatShape(at),
      isOff(row) ? "OFF" : isUnknown(row) ? "unknown" : "ok",
      [unbounded > 0 ? `${unbounded} without a bound` : "", undecided > 0 ? `${undecided} undecided` : ""]
        .filter((note) => note !== "")
        .join(", "),
    ];
  });
  table.unshift(["name", "shape", "error", "bound", "error/bound", "at", "", ""]);
  const widths = (table[0] as string[]).map((_, column) =>
    Math.max(...table.map((row) => (row[column] as string).length)),
  );
  const lines = table.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] as number))
      .join("  ")
      .trimEnd(),
  );
  return [verdict(rows), ...lines].join("\n");
}

/** Whether nothing of a result could be judged. */
function isUnknown({ shape, ok, maxError, unbounded }: Row): boolean {
  return !ok && maxError !== Number.POSITIVE_INFINITY && unbounded === sizeOf(shape);
}

function isOff(row: Row): boolean {
  return !row.ok && !isUnknown(row);
}

function verdict(rows: readonly Row[]): string {
  const named = (found: readonly Row[]) => {
    const names = found.map(({ name }) => name);
    return names.length > 4 ? `${names.slice(0, 3).join(", ")} and ${names.length - 3} more` : names.join(", ");
  };
  const off = rows.filter(isOff);
  if (off.length > 0) return `parity: ${off.length} of ${rows.length} results are off: ${named(off)}`;
  const count = (key: "unbounded" | "undecided") => rows.reduce((sum, row) => sum + row[key], 0);
  const [unbounded, undecided] = [count("unbounded"), count("undecided")];
  if (unbounded + undecided === 0) return `parity: all ${rows.length} results are within their bounds`;
  const elements = rows.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  const notes = [
    unbounded > 0 ? `${unbounded} of ${elements} elements have no bound and are not judged` : "",
    undecided > 0 ? `${undecided} of ${elements} elements are decisions that rounding may turn` : "",
  ].filter((note) => note !== "");
  const unknown = rows.filter(isUnknown);
  if (unknown.length > 0) notes.push(`nothing can be said of ${named(unknown)}`);
  return `parity: nothing is off; ${notes.join("; ")}`;
}
