import type { Parity } from "../support/operation-parity";

/** What a runtime tells of its tests, one at a time, in JSON. */
export type Told =
  | { kind: "adapter"; description: string; fallback: boolean; features: string[]; agent: string }
  | { kind: "begun"; file: string; name: string }
  | { kind: "test"; file: string; name: string; passed: boolean; ms: number; errors: string[]; parity?: Parity }
  | { kind: "file"; file: string; tests: number; ms: number }
  /** What went wrong in no test of its own: an error on the page, or one that the GPU reported outside any call. */
  | { kind: "fault"; message: string }
  /** All is told; so many tests were to run. */
  | { kind: "end"; tests: number };
