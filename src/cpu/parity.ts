import type { Program } from "../graph/program";
import type { Shape } from "../util/shape";
import type { Bounded } from "./bounds";

export interface ParityReport {
  ok: boolean;
  /** Outputs and updates by name: the largest absolute error, the bound it was held to, and where. */
  rows: { name: string; shape: Shape; maxError: number; bound: number; at: number[]; ok: boolean }[];
  toString(): string;
}

export function compareStep(
  _program: Program,
  _expected: { outputs: Record<string, Bounded>; updates: Record<string, Bounded> },
  _got: { outputs: Record<string, Float32Array>; updates: Record<string, Float32Array> },
): ParityReport {
  throw new Error("internal: not there yet");
}
