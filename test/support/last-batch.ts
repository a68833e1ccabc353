import { expect } from "vitest";
import {
  avgPool2d,
  batchNorm,
  conv2d,
  type Device,
  dense,
  embedding,
  flatten,
  gru,
  type Layer,
  layerNorm,
  maxPool2d,
  multiHeadAttention,
  residual,
  sequential,
  sgd,
  softmaxCrossEntropy,
  squaredError,
  trainer,
} from "../../src/index";
import { integers, normal } from "../graph/numbers";

const ROWS = 7;
const BATCH = 4;

interface Network {
  readonly inputs: number[];
  readonly layers: () => Layer[];
  /** Numbers of a row. */
  readonly x: number;
  readonly y: number;
  readonly tokens?: number;
}

/** Networks whose rows are images and sequences. */
export const NETWORKS: Record<string, Network> = {
  images: {
    inputs: [2, 6, 6],
    layers: () => [
      conv2d(3, 3, { padding: "same" }),
      batchNorm(),
      maxPool2d(2),
      conv2d(4, 2, { activation: "relu" }),
      avgPool2d(2),
      flatten(),
      dense(2),
    ],
    x: 72,
    y: 2,
  },
  "a recurrence": { inputs: [5, 3], layers: () => [gru(4), dense(2)], x: 15, y: 2 },
  attention: {
    inputs: [5],
    layers: () => [embedding(6, 4), residual([layerNorm(), multiHeadAttention(2, { causal: true })]), dense(6)],
    x: 5,
    y: 5,
    tokens: 6,
  },
};

/**
 * Epochs whose last batch is smaller give the weights of steps on those rows alone, by a trainer that never had more: what lies behind the
 * rows, of the batch before or of nothing, goes into no sum.
 */
export async function agreesWithRowsAlone(device: Device, { inputs, layers, x, y, tokens }: Network): Promise<void> {
  const given = tokens ? integers(ROWS * x, tokens, 1) : normal(ROWS * x, 1);
  const target = tokens ? integers(ROWS * y, tokens, 2) : normal(ROWS * y, 2);
  const options = { loss: tokens ? softmaxCrossEntropy() : squaredError(), optimizer: sgd({ lr: 0.05 }) };
  const ragged = await trainer(device, sequential(inputs, layers()), { ...options, batchSize: BATCH });
  await ragged.fit({ x: given, y: target }, { epochs: 2, shuffle: false });
  const apart = await trainer(device, sequential(inputs, layers()), options);
  for (const [from, to] of [
    [0, BATCH],
    [BATCH, ROWS],
    [0, BATCH],
    [BATCH, ROWS],
  ] as const)
    await apart.fit({ x: given.slice(from * x, to * x), y: target.slice(from * y, to * y) }, { steps: 1 });
  const [found, wanted] = [await ragged.weights(), await apart.weights()];
  for (const [name, values] of Object.entries(wanted)) {
    const other = found[name] as Float32Array;
    const far = values.reduce((most, value, i) => Math.max(most, Math.abs(value - (other[i] as number))), 0);
    expect(far, name).toBeLessThan(1e-5);
  }
  for (const each of [ragged, apart]) each.dispose();
}
