import type { Numbers } from "../graph/ops";
import type { Program, Values } from "../graph/program";
import { type Tensor, topological } from "../graph/tensor";
import { errorRow } from "./errors";
import { evaluate, isFed } from "./evaluate";
import { LARGEST } from "./rounding";
import type { Uncertain } from "./uncertain";

export interface Bounded {
  values: Float64Array;
  /**
   * How far a correct float32 device may be from each value. Infinity where nothing can be said: where an intermediate or the
   * value itself may leave float32, and near a pole.
   */
  bounds: Float64Array;
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
    Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, read(known.get(tensor) as Uncertain)]));
  return { outputs: bounded(outputs), updates: bounded(updates) };
}

function uncertain(node: Tensor, operands: readonly Uncertain[], values: Numbers): Uncertain {
  const row = errorRow(node.op);
  const largest = node.dtype === "int32" ? 2 ** 31 - 1 : LARGEST;
  const errors = row.errors(node, operands, values);
  errors.forEach((error, i) => {
    // Written so that NaN has no bound either.
    if (!(Math.abs(values[i] as number) + error <= largest)) errors[i] = Number.POSITIVE_INFINITY;
  });
  return { values, errors, nonnegative: isNonnegative(node, operands, values) };
}

function isNonnegative({ op, operands: [a, b] }: Tensor, operands: readonly Uncertain[], values: Numbers): boolean {
  const { nonnegative } = errorRow(op);
  if (nonnegative === "always" || (op === "mul" && a === b)) return true;
  if (operands.length === 0) return values.every((value) => value >= 0);
  return nonnegative === "inherited" && operands.every((operand) => operand.nonnegative);
}

/** What comes back is float32, also of int32 tensors and of a device that computes in float64. */
function read({ values, errors }: Uncertain): Bounded {
  const bounds = errors.map((error, i) => {
    const value = values[i] as number;
    return error < Number.POSITIVE_INFINITY ? Math.max(error, Math.abs(Math.fround(value) - value)) : error;
  });
  return { values, bounds };
}

function missing(name: string): never {
  throw new Error(`internal: no values for "${name}"`);
}
