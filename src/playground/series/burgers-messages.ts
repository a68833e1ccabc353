import type { DeviceFacts, TrainingMessage } from "../training/messages";

export const STEPS = 2000;
/** Of a picture's side. */
export const CELLS = 48;

export interface BurgersLook {
  step: number;
  /** [CELLS²]: x from -1 to 1 across, t from 1 down to 0. */
  found: Float32Array;
  /** Of the solution, on these cells. */
  error: number;
}

export type BurgersSaid =
  | { kind: "made"; device: DeviceFacts; exact: Float32Array }
  | { kind: "look"; look: BurgersLook };

export type BurgersMessage = TrainingMessage | BurgersSaid;
