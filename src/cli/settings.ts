import type { CsvOptions } from "../files/csv";
import type { ACTIVATIONS } from "./network";

/** All that decides what comes out, besides the file: kept in a checkpoint. */
export interface Settings {
  target: string | number;
  as?: "classes" | "numbers";
  table: CsvOptions;
  hidden: number[];
  activation: (typeof ACTIVATIONS)[number];
  epochs: number;
  lr: number;
  batch: number;
  seed: number;
  heldBack: number;
}

/** A point of the curves: an epoch. */
export interface Epoch {
  epoch: number;
  loss: number;
  validationLoss?: number;
  validationAccuracy?: number;
}
