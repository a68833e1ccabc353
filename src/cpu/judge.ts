import { valuesOfCopy } from "../graph/copies";
import type { Copies, Program } from "../graph/program";
import { stepBounds } from "./bounds";
import { compareStep, type ParityReport, ratioOf, reportOf } from "./parity";

/** Copies that are judged at most: one step of each is done in float64, an operation after another. */
const JUDGED = 8;

type Arrays = Record<string, Float32Array | Float64Array | Int32Array>;
type Row = ParityReport["rows"][number];
type Step = { outputs: Record<string, Float32Array>; updates: Record<string, Float32Array> };

/**
 * A step of each copy against float64, or of some where there are many: the first, the last, and others at equal distances. A row is of
 * the copy in which the result is the furthest off.
 */
function judgeCopies(program: Program, copies: Copies, state: Arrays, inputs: Arrays, got: Step): ParityReport {
  const { count } = copies;
  const judged = Math.min(count, JUDGED);
  const which = Array.from({ length: judged }, (_, i) => Math.round((i * (count - 1)) / Math.max(1, judged - 1)));
  const of = <A extends Arrays[string]>(arrays: Record<string, A>, copy: number, has: (name: string) => boolean) =>
    Object.fromEntries(
      Object.entries(arrays).map(([name, values]) => [name, has(name) ? valuesOfCopy(values, copy, count) : values]),
    );
  const every = () => true;
  const reports = which.map((copy) => {
    const bounds = stepBounds(
      program,
      of(state, copy, (name) => !copies.shared.has(name)),
      of(inputs, copy, (name) => copies.own.has(name)),
    );
    return compareStep(program, bounds, {
      outputs: of(got.outputs, copy, every),
      updates: of(got.updates, copy, every),
    });
  });
  const rows = (reports[0] as ParityReport).rows.map((_, at): Row => {
    const each = reports.map(({ rows }, i) => ({ ...(rows[at] as Row), copy: which[i] as number }));
    const off = ({ ok, maxError, bound }: Row) => ratioOf(maxError, bound) + (ok ? 0 : 2);
    return each.reduce((a, b) => (off(b) > off(a) ? b : a));
  });
  return reportOf(rows, which);
}

/** A step against float64, from the state and the inputs that it began with. */
export function judge(program: Program, state: Arrays, inputs: Arrays, got: Step): ParityReport {
  if (program.copies) return judgeCopies(program, program.copies, state, inputs, got);
  return compareStep(program, stepBounds(program, state, inputs), got);
}
