import type { Program } from "../graph/program";
import { formatShape, type Shape } from "../util/shape";
import type { Bounded } from "./bounds";
import { LARGEST } from "./rounding";

export interface ParityReport {
  ok: boolean;
  /**
   * Outputs and updates by name: the absolute error at the element where it is the largest part of its bound, the bound there, and
   * that element's index. `unbounded` counts the elements without a bound, near a pole or beyond float32.
   */
  rows: { name: string; shape: Shape; maxError: number; bound: number; at: number[]; ok: boolean; unbounded: number }[];
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
  return { ok: rows.every(({ ok }) => ok), rows, toString: () => format(rows) };
}

function compare(name: string, shape: Shape, { values, bounds }: Bounded, got: Float32Array): Row {
  let worst = 0;
  let largest = -1;
  let unbounded = 0;
  for (let i = 0; i < values.length; i++) {
    if (bounds[i] === Number.POSITIVE_INFINITY) unbounded++;
    const ratio = ratioOf(errorOf(values[i] as number, bounds[i] as number, got[i] as number), bounds[i] as number);
    if (ratio <= largest) continue;
    worst = i;
    largest = ratio;
  }
  const maxError = errorOf(values[worst] as number, bounds[worst] as number, got[worst] as number);
  return {
    name,
    shape,
    maxError,
    bound: bounds[worst] as number,
    at: indexOf(worst, shape),
    ok: largest <= 1,
    unbounded,
  };
}

/**
 * Infinity for what is not finite where float64 is. Without a bound anything will do, a pole included (WGSL promises nothing of
 * log(0) or 1 / 0), except that a number beyond float32 must have become non-finite or huge.
 */
function errorOf(value: number, bound: number, got: number): number {
  if (bound < Number.POSITIVE_INFINITY) return Number.isFinite(got) ? Math.abs(got - value) : Number.POSITIVE_INFINITY;
  if (!Number.isFinite(got) || !Number.isFinite(value)) return 0;
  if (Math.abs(value) > LARGEST) return Math.abs(got) < LARGEST / 2 ? Number.POSITIVE_INFINITY : 0;
  return Math.abs(got - value);
}

function ratioOf(error: number, bound: number): number {
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
  const table = rows.map(({ name, shape, maxError, bound, at, ok, unbounded }) => [
    name,
    formatShape(shape),
    maxError.toExponential(2),
    bound.toExponential(2),
    ratioOf(maxError, bound).toPrecision(3),
    formatShape(at),
    ok ? "ok" : "OFF",
    unbounded > 0 ? `${unbounded} without a bound` : "",
  ]);
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

function verdict(rows: readonly Row[]): string {
  const off = rows.filter(({ ok }) => !ok).map(({ name }) => name);
  if (off.length === 0) return `parity: all ${rows.length} results are within their bounds`;
  const named = off.length > 4 ? `${off.slice(0, 3).join(", ")} and ${off.length - 3} more` : off.join(", ");
  return `parity: ${off.length} of ${rows.length} results are off: ${named}`;
}
