import type { Device, Program, Session, Values } from "../../index";

/** One network to train, and what to show of it. */
export interface Experiment {
  id: string;
  title: string;
  steps: number;
  /** Has a scalar output `loss`. */
  program: Program;
  inputs: Record<string, Values>;
  initial: Record<string, Values>;
  /** The parameters worth keeping; the rest are the optimizer's. */
  weights: readonly string[];
  /** Looks at the trained session. `histories` has every scalar output, one value a step. */
  conclude(device: Device, session: Session, histories: Record<string, Float32Array>): Promise<Conclusion>;
}

export interface Conclusion {
  /** Lines for the terminal. */
  lines: string[];
  /** Each becomes `out/NAME.png`. */
  figures: Record<string, HTMLElement>;
}
