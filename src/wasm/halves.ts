import { V128 } from "./encoder";
import { D_DEMOTE, D_PROMOTE, V_SHUFFLE } from "./opcodes";
import type { FunctionBody, Value } from "./scope";

const HIGH_HALF = [8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15];
const LOW_HALVES = [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23];

/** The bytes of two vectors, 0 to 15 and 16 to 31, in the order given. */
export function shuffle(f: FunctionBody, a: Value, b: Value, bytes: readonly number[], uniform = false): Value {
  return f.make(V128, V_SHUFFLE, [a, b], bytes, uniform);
}

/** Four lanes of float32 as two vectors of float64. */
export function widened(f: FunctionBody, value: Value): [Value, Value] {
  return [f.op(D_PROMOTE, value), f.op(D_PROMOTE, shuffle(f, value, value, HIGH_HALF))];
}

/** Two vectors of float64 as four lanes of float32. */
export function narrowed(f: FunctionBody, low: Value, high: Value): Value {
  return shuffle(f, f.op(D_DEMOTE, low), f.op(D_DEMOTE, high), LOW_HALVES);
}
