import type { Entrant } from "./contenders";
import type { PlanFacts } from "./library";
import type { Task } from "./tasks";

/** Something that runs tasks, wherever it does. One task at a time; calls are not to overlap. */
export interface Contender extends Entrant {
  /** Throws where it is not there. Returns what it says of itself. */
  open(): Promise<string>;
  prepare(task: Task): Promise<void>;
  /** `ms` is taken where the steps run, around all of them. */
  run(steps: number): Promise<{ ms: number; losses: number[] }>;
  row(row: number): Promise<number[]>;
  plan(): Promise<PlanFacts | null>;
  release(): Promise<void>;
  close(): Promise<void>;
}

/** Runs prepared tasks of a library in this very thread: the half of a contender that the page and Node share. */
export type Bench = Omit<Contender, keyof Entrant | "close">;
