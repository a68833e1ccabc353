import type { CsvDescription } from "../files/csv";
import {
  adam,
  type Device,
  dense,
  type Layer,
  type Model,
  sequential,
  softmaxCrossEntropy,
  squaredError,
  standardize,
  type Trainer,
  trainer,
} from "../index";

export const ACTIVATIONS = ["relu", "tanh", "sigmoid", "gelu", "silu"] as const;

/** What a network for a table is made of: kept in its file, and all that there is to know of it but its weights. */
export interface Network {
  format: "wgrad table network 1";
  hidden: number[];
  activation: (typeof ACTIVATIONS)[number];
  seed: number;
  /** By what targets that are numbers were brought to mean 0 and deviation 1. */
  target: { mean: number; deviation: number } | null;
}

/** Columns of x for the first layer, which brings them to mean 0 and deviation 1; placeholders where the weights will be read. */
export function networkModel(
  network: Network,
  description: CsvDescription,
  columns: number,
  x: Float32Array | null,
): Model {
  const { hidden, activation, seed } = network;
  const outputs = description.target?.kind === "classes" ? description.target.classes.length : 1;
  const layers: Layer[] = [
    standardize(x ?? new Float32Array(columns), columns).layer(),
    ...hidden.map((units) => dense(units, { activation })),
    dense(outputs),
  ];
  return sequential(columns, layers, { seed });
}

export function networkTrainer(
  device: Device,
  model: Model,
  network: Network,
  lr: number,
  batchSize: number,
): Promise<Trainer> {
  const loss = network.target === null ? softmaxCrossEntropy() : squaredError();
  return trainer(device, model, { loss, optimizer: adam({ lr }), batchSize });
}

/** A number as the table has it. */
export function restored(value: number, { target }: Network): number {
  return target === null ? value : value * target.deviation + target.mean;
}
