import Papa from "papaparse";
import { canonical, type Json } from "./json";
import type { Point } from "./space";
import type { Trial } from "./trial";

/** How good a trial is, over all rows: of training, and where there are any, of those held back. */
export interface Figures {
  readonly loss: number;
  readonly accuracy?: number;
  readonly validationLoss?: number;
  readonly validationAccuracy?: number;
}

/** By what trials are compared. */
export type By = keyof Figures;
export const BY: readonly By[] = ["loss", "accuracy", "validationLoss", "validationAccuracy"];

/** One trial, as far as it came. */
export interface TrialResult extends Partial<Figures> {
  /** Its place among the trials as they were made, from 0. */
  readonly id: number;
  /** "done" to its end; "stopped" where others were better at a rung; "failed"; "waiting" where the sweep has not come to its end. */
  readonly status: "done" | "stopped" | "failed" | "waiting";
  readonly point: Point;
  /** That the figures are of. */
  readonly epochs: number;
  /** Why it failed. */
  readonly reason?: string;
  readonly trial: Trial;
}

/** The table of a sweep. */
export interface SweepResults {
  readonly format: "wgrad sweep results 1";
  readonly by: By;
  /** The best first: those that were trained the longest, by what they are compared by; then those that failed. */
  readonly trials: readonly TrialResult[];
}

/** Below 0 where a is better than b. Equal ones are in the order of their ids, so that a table is the same each time. */
export function better(by: By, a: TrialResult, b: TrialResult): number {
  const [first, second] = [a, b].map((result) => (result.status === "failed" ? undefined : result[by]));
  if (first === undefined || second === undefined)
    return Number(first === undefined) - Number(second === undefined) || a.id - b.id;
  const larger = by === "accuracy" || by === "validationAccuracy";
  return b.epochs - a.epochs || (larger ? second - first : first - second) || a.id - b.id;
}

export function ranked(by: By, trials: readonly TrialResult[]): SweepResults {
  return { format: "wgrad sweep results 1", by, trials: [...trials].sort((a, b) => better(by, a, b)) };
}

/** The names of the space, in its order. */
export function pointNames({ trials }: SweepResults): string[] {
  return [...new Set(trials.flatMap(({ point }) => Object.keys(point)))];
}

export function pointText(value: Json | undefined): string {
  if (value === undefined) return "";
  return typeof value === "string" ? value : canonical(value);
}

/** The table as CSV, one line a trial, the best first. */
export function resultsCsv(results: SweepResults): string {
  const names = pointNames(results);
  const columns = ["epochs", ...BY, "reason"] as const;
  const known = ["rank", "id", "status", ...columns] as string[];
  const cell = (value: Json | undefined) => (typeof value === "number" ? value : pointText(value));
  return Papa.unparse(
    {
      fields: [
        "rank",
        "id",
        "status",
        ...names.map((name) => (known.includes(name) ? `space.${name}` : name)),
        ...columns,
      ],
      data: results.trials.map((result, i) => [
        ...[i + 1, result.id, result.status],
        ...names.map((name) => cell(result.point[name])),
        ...columns.map((column) => result[column] ?? ""),
      ]),
    },
    // A reason may come from another machine: no program that opens the table is to take it for a formula.
    { newline: "\n", escapeFormulae: true },
  );
}
