import type { Data, Task } from "./tasks";

/** What is measured: a library on one backend. Each runs in a page or a process of its own. */
export interface Library {
  /** Starts the backend. Throws where it is not there. Returns what it says of itself. */
  open(): Promise<string>;
  prepare(task: Task, data: Data): Promise<Prepared>;
}

/** A task that is ready to run; it goes on from where the last call left it. */
export interface Prepared {
  /**
   * Takes `steps` steps and waits until they are done. Returns the losses that the task records (recordEvery), the one of
   * the first step included, each of the weights before its step; of a product, nothing.
   */
  run(steps: number): Promise<number[]>;
  /** One row of the last product. */
  row?(row: number): Promise<number[]>;
  /** What the library says of how it runs it: wgrad's plan. */
  plan?(): Promise<PlanFacts>;
  dispose(): void;
}

export interface PlanFacts {
  /** How wgrad runs it: "recorded", "persistent", "cpu". */
  route: string;
  /** Dispatches of one step; 0 where a dispatch takes many steps. */
  dispatches: number;
}

/** The row of a product that is compared: near its end, where edges of tiles go wrong. */
export function comparedRow(size: number): number {
  return size - 3;
}
