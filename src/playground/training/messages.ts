/** What the worker tells the page. */

import type { CsvDescription } from "../../files/csv";
import type { Rows, Target } from "./data-set";

export interface DeviceFacts {
  backend: "webgpu" | "cpu";
  name: string;
  isFallback: boolean;
}

/** Of a hidden layer, as many units are drawn. */
export const SHOWN_UNITS = 12;

/** What stands while a network trains: told once, when it is made. */
export interface Made {
  device: DeviceFacts;
  inputs: number;
  features: string[];
  /** None where numbers are learned. */
  classes: string[];
  target: Target | null;
  image: number;
  axes: [number, number];
  /** Of each feature before it was standardised. */
  mean: number[];
  deviation: number[];
  /** How a row of a person's own is read; null where it is given as its features. */
  description: CsvDescription | null;
  /** Inputs, hidden layers, outputs. */
  widths: number[];
  parameters: number;
  training: Rows;
  heldBack: Rows;
  /** Whether weights were carried on from what was there before. */
  kept: boolean;
  plane: Plane | null;
}

/** The part of the plane that is drawn, and in how many cells a side; in standardised numbers. */
export interface Plane {
  x: [number, number];
  y: [number, number];
  cells: number;
  /** The feature's own numbers at the ends, for the axes. */
  xLabels: [string, string];
  yLabels: [string, string];
}

/** Rows that figures are told of, the first of each part: all of them but for large tables. */
export const SCORED = 1536;

/** What training goes on from. */
export interface Standing {
  checkpoint: Uint8Array;
  /** Passes over the data that were made by then. */
  epoch: number;
}

/** Of the first SCORED rows of a part. */
export interface Figures {
  /** Of classes, the share that is right; of numbers, the share of their variance that is explained: R², at most 1. */
  share: number;
  loss: number;
}

export interface Look {
  step: number;
  /** Passes over the data so far, with whatever batches they were made. */
  epoch: number;
  training: Figures;
  heldBack: Figures;
  /** By the clock on the wall; 0 where it is not known yet. */
  stepsPerSecond: number;
  route: string;
  bytes: number;
  rate: number;
  weights: Record<string, Float32Array>;
  /** Of each layer [cells * cells, at most SHOWN_UNITS]: its activations over the plane. */
  layers: Float32Array[];
  /** The class said for each row that was held back; null where numbers are learned. And of images, how sure. */
  said: Int32Array | null;
  sureness: Float32Array | null;
  /** Of numbers: what is said for the first rows of each part, with mean 0 and deviation 1 as the targets. */
  predicted: { training: Float32Array; heldBack: Float32Array } | null;
}

/** What every page is told, whatever it trains. */
export type TrainingMessage =
  | { kind: "state"; state: "training" | "paused" | "finished" }
  /** The device went away: training goes on, on this one, from this step. */
  | { kind: "lost"; reason: string; device: DeviceFacts; step: number }
  /** The CPU trains, though nobody asked for it: what would bring the GPU. */
  | { kind: "hint"; hint: string }
  | { kind: "failed"; message: string };

export type PlaygroundMessage =
  /** Another network is there; what follows is about it. */
  | { kind: "made"; made: Made }
  /** The plane shows other features. */
  | { kind: "viewed"; axes: [number, number]; plane: Plane }
  | { kind: "look"; look: Look }
  /** What a reload goes on from. */
  | { kind: "kept"; standing: Standing };

export type Message = TrainingMessage | PlaygroundMessage;
