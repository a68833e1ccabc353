import type { DeviceFacts, TrainingMessage } from "../training/messages";
import type { ForecastOptions } from "./series";

export interface SeriesMade {
  device: DeviceFacts;
  name: string;
  /** The whole series, in its own numbers. */
  values: Float32Array;
  /** Rows of the file that had no value. */
  leftOut: number;
  first: number;
  truth: Float32Array;
  naive: Float32Array;
  naiveError: number;
  options: ForecastOptions;
  parameters: number;
  learnsFrom: number;
}

export interface SeriesLook {
  step: number;
  steps: number;
  epoch: number;
  /** Of what is held back, in the series' own numbers. */
  forecast: Float32Array;
  error: number;
  /** In the last steps, of what it learns from; not known before the first. */
  trainingError: number | null;
  forecastsPerSecond: number;
}

export type SeriesMessage = { kind: "made"; made: SeriesMade } | { kind: "look"; look: SeriesLook };

export type Message = TrainingMessage | SeriesMessage;
