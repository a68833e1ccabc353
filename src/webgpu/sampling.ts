import type { Makers } from "../plan/compile";
import type { Target } from "../plan/plan";
import type { Memory } from "./memory";
import type { Pipelines } from "./pipelines";

/** What a tuner measures with. */
export interface Bench {
  readonly device: GPUDevice;
  readonly memory: Memory;
  readonly target: Target;
  readonly makers: Makers;
  /** Its own: what was compiled for nothing but measuring goes when the tuner is done. */
  readonly pipelines: Pipelines;
  readonly signal: AbortSignal | undefined;
  /** Whether there is time left for another measurement; throws where it is to stop. */
  begins(what: string): boolean;
}

/** A measurement lasts about so long: a submission's own cost is a small part of it. */
export const SAMPLE_MS = 20;
export const ROUNDS = 3;
