import type { Entrant } from "./contenders";
import type { PlanFacts } from "./library";
import type { Limits } from "./limits";
import type { Spread } from "./statistics";

/** What is kept of a run, under bench/results/. */
export interface Results {
  format: 1;
  kind: "browser" | "native";
  date: string;
  commit: string;
  runtime: string;
  machine: { system: string; processor: string; cores: number; load: number };
  adapter: Adapter | null;
  options: string[];
  /** Every contender that was asked, and what it said of itself or why it is not there. */
  contenders: (Entrant & { says: string; absent: boolean })[];
  limits: Limits | null;
  workloads: MeasuredWorkload[];
  loading: MeasuredLoading[];
  /** Of the package's entry points; runs before 2026-11-26 have none. */
  entries?: MeasuredEntry[];
  scaling: MeasuredScaling[];
  seconds: number;
}

export interface Adapter {
  vendor: string;
  architecture: string;
  description: string;
  /** A software adapter: its figures are a processor's. */
  software: boolean;
}

export interface MeasuredWorkload {
  id: string;
  title: string;
  step: string;
  /** Of the products in the formulas of one step. */
  flops: number;
  /** That one step cannot do without. */
  bytes: number;
  cells: Cell[];
}

export type Cell = { contender: string; plan?: PlanFacts } & (
  | {
      status: "measured";
      /** Milliseconds of one step, one value a round. */
      samples: number[];
      stepsPerRound: number;
      ms: Spread;
      /** Largest distance from float64 and what was allowed. */
      error: number;
      tolerance: number;
      /** From nothing to the end of the first step: compiling and uploading included. */
      firstMs: number;
    }
  | { status: "mismatch" | "failed" | "skipped"; why: string }
);

export interface MeasuredLoading {
  contender: string;
  ours: boolean;
  webgpu: boolean;
  /** From navigation to the loss of the first step. */
  ms: Spread;
  samples: number[];
  gzipBytes: number;
  why?: string;
}

/** An entry point with all that it exports: the least that a page loads of it is far less, where it imports some names only. */
export interface MeasuredEntry {
  name: string;
  /** With what it imports at once, packed with gzip. */
  gzipBytes: number;
  /** Of chunks that are loaded when a network needs them. */
  laterBytes: number;
}

export interface MeasuredScaling {
  over: "width" | "batch";
  title: string;
  points: { at: number; contender: string; route: string; ms: Spread | null; why?: string }[];
}
