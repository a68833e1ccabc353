import { rowOf } from "../graph/ops";
import type { Program, Values } from "../graph/program";
import { type Tensor, topological } from "../graph/tensor";
import { errorRow, uncertain } from "./errors";
import { evaluate, isFed } from "./evaluate";
import type { Uncertain } from "./uncertain";

/** By what an element is judged: its bound; being NaN or infinite as the value is; being infinite; being one of the results of a decision
 *  that errors may turn; or not at all. */
export const BY = { bound: 0, kind: 1, infinity: 2, decision: 3, nothing: 4 } as const;

export interface Bounded {
  values: Float64Array;
  /**
   * How far a correct float32 device may be from each value. Infinity where nothing can be said: where an intermediate or the
   * value itself may leave float32, and near a pole.
   */
  bounds: Float64Array;
  /** One of BY for each element. */
  judged: Uint8Array;
}

/**
 * One step in float64 from these parameters and inputs, and for each element of its outputs and updates a bound on the error
 * of any correct float32 device: any fusion, any order of summation, fused multiply-adds, subnormals flushed or kept. What
 * each operation adds stands in errors.ts.
 */
export function stepBounds(
  program: Program,
  parameters: Record<string, Values>,
  inputs: Record<string, Values>,
): { outputs: Record<string, Bounded>; updates: Record<string, Bounded> } {
  const { outputs, updates = {} } = program;
  const results = [...Object.values(outputs), ...Object.values(updates)];
  const known = new Map<Tensor, Uncertain>();
  for (const [tensors, given] of [
    [program.inputs, inputs],
    [program.parameters, parameters],
  ] as const) {
    for (const [name, tensor] of Object.entries(tensors)) {
      known.set(tensor, uncertain(tensor, [], Float64Array.from(given[name] ?? missing(name))));
    }
  }
  const kept = new Set(results);
  const nodes = topological(results);
  const lastUse = new Map<Tensor, number>();
  nodes.forEach((node, i) => {
    for (const operand of node.operands) lastUse.set(operand, i);
  });
  nodes.forEach((node, i) => {
    if (isFed(node)) return;
    const operands = node.operands.map((operand) => known.get(operand) as Uncertain);
    const values = evaluate(
      node,
      operands.map((operand) => operand.values),
    );
    known.set(node, uncertain(node, operands, values));
    for (const operand of node.operands) if (lastUse.get(operand) === i && !kept.has(operand)) known.delete(operand);
  });
  const bounded = (tensors: Record<string, Tensor>) =>
    Object.fromEntries(
      Object.entries(tensors).map(([name, tensor]) => [name, read(tensor, known.get(tensor) as Uncertain)]),
    );
  return { outputs: bounded(outputs), updates: bounded(updates) };
}

/** What comes back is float32, also of int32 tensors and of a device that computes in float64. */
function read(tensor: Tensor, { values, errors }: Uncertain): Bounded {
  let source = tensor;
  while (rowOf(source.op).kind === "view") source = source.operands[0] as Tensor;
  const { decides = false } = errorRow(source.op);
  const bounds = errors.map((error, i) => {
    const value = values[i] as number;
    if (!Number.isFinite(value)) return Number.POSITIVE_INFINITY;
    return error < Number.POSITIVE_INFINITY ? Math.max(error, Math.abs(Math.fround(value) - value)) : error;
  });
  const judged = Uint8Array.from(errors, (error, i) => {
    if (error === Number.POSITIVE_INFINITY) return BY.nothing;
    if (!Number.isFinite(values[i])) return error === 0 ? BY.kind : BY.infinity;
    return decides && error > 0 ? BY.decision : BY.bound;
  });
  return { values, bounds, judged };
}

function missing(name: string): never {
  throw new Error(`internal: no values for "${name}"`);
}
