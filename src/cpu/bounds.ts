import type { Program, Values } from "../graph/program";

export interface Bounded {
  values: Float64Array;
  bounds: Float64Array;
}

export function stepBounds(
  _program: Program,
  _parameters: Record<string, Values>,
  _inputs: Record<string, Values>,
): { outputs: Record<string, Bounded>; updates: Record<string, Bounded> } {
  throw new Error("internal: not there yet");
}
