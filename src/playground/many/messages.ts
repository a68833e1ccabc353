import type { Pictured } from "../page/plane-view";
import type { DeviceFacts, TrainingMessage } from "../training/messages";

export interface ManyMade extends Pictured {
  device: DeviceFacts;
  /** Of each network. */
  rates: number[];
  seeds: number[];
  parameters: number;
  stepsPerEpoch: number;
}

/** A network that became non-finite. */
export interface Stopped {
  network: number;
  /** Its step, from the first of all. */
  step: number;
  /** What is not finite: the loss, or the name of a weight. */
  tensor: string;
}

export interface ManyLook {
  epoch: number;
  /** Of each network [cells²]: the probability of class 1. */
  each: Float32Array[];
  /** [cells²] over the networks that have not stopped: their mean, and their standard deviation. */
  mean: Float32Array;
  apart: Float32Array;
  /** Of each network, on the rows held back: its loss, and the share that is right. */
  losses: Float32Array;
  shares: Float32Array;
  /** Of the mean of what they say. */
  together: { loss: number; share: number };
  stopped: Stopped[];
  /** Of one network, times networks. */
  stepsPerSecond: number;
}

export type ManyMessage = { kind: "made"; made: ManyMade } | { kind: "look"; look: ManyLook };

export type Message = TrainingMessage | ManyMessage;
