import { readSafetensors } from "../../src/files/safetensors";
import {
  activation,
  adam,
  batchNorm,
  conv2d,
  convTranspose2d,
  type Device,
  dense,
  embedding,
  flatten,
  groupNorm,
  gru,
  type Layer,
  type Loss,
  layerNorm,
  lstm,
  maxPool2d,
  multiHeadAttention,
  type Optimizer,
  positionEmbedding,
  residual,
  rmsprop,
  type Shape,
  sequential,
  sgd,
  softmaxCrossEntropy,
  squaredError,
  trainer,
} from "../../src/index";
import STRAYED from "../golden/net-float32.json";
import { readGolden } from "./golden";

interface Network {
  readonly inputs: number | Shape;
  readonly layers: () => Layer[];
  readonly loss: Loss;
  readonly optimizer: Optimizer;
}

/** The networks of test/golden/net-*.safetensors, which PyTorch trained in float64 on one full batch, by their names. */
export const NETWORKS: Record<string, Network> = {
  cnn: {
    inputs: [1, 12, 12],
    layers: () => [
      conv2d(6, 3, { padding: "same", activation: "relu" }),
      maxPool2d(2),
      conv2d(8, 3, { stride: 2 }),
      batchNorm(),
      activation("relu"),
      flatten(),
      dense(10),
    ],
    loss: softmaxCrossEntropy(),
    optimizer: sgd({ lr: 0.05, momentum: 0.9 }),
  },
  gpt: {
    inputs: [24],
    layers: () => [
      embedding(17, 16),
      positionEmbedding(),
      residual([layerNorm(), multiHeadAttention(2, { causal: true })]),
      residual([layerNorm(), dense(32, { activation: "gelu" }), dense(16)]),
      layerNorm(),
      dense(17),
    ],
    loss: softmaxCrossEntropy(),
    optimizer: adam({ lr: 0.003 }),
  },
  gru: {
    inputs: [15, 3],
    layers: () => [gru(8, { sequences: true }), gru(7), dense(2)],
    loss: squaredError(),
    optimizer: adam({ lr: 0.01 }),
  },
  lstm: {
    inputs: [12, 4],
    layers: () => [lstm(9), dense(3)],
    loss: softmaxCrossEntropy(),
    optimizer: rmsprop({ lr: 0.002 }),
  },
  autoencoder: {
    inputs: [2, 8, 8],
    layers: () => [
      conv2d(6, 3, { stride: 2, padding: 1, activation: "gelu" }),
      groupNorm(2),
      convTranspose2d(2, 3, { stride: 2, padding: 1, outputPadding: 1 }),
    ],
    loss: squaredError(),
    optimizer: adam({ lr: 0.002, weightDecay: 0.02 }),
  },
};

export interface Trained {
  /** The first loss's relative error; the worst of all, in units of what it may be; those of predictions (probabilities) likewise; and the largest error of saved
   *  arrays, which nothing is said of where float32 strays. */
  readonly first: number;
  readonly losses: number;
  readonly predictions: number;
  readonly saved: Record<string, number>;
  /** Names in the saved file, and in PyTorch's. */
  readonly names: readonly [readonly string[], readonly string[]];
}

/** Trains a network as PyTorch did from the same start, and compares. */
export async function train(device: Device, name: string): Promise<Trained> {
  const network = NETWORKS[name];
  if (network === undefined) throw new RangeError(`there is no network "${name}"`);
  const golden = await readGolden(`net-${name}`);
  const start = await readGolden(`net-${name}-init`);
  const [rows] = golden.shape("x") as [number];
  const { loss, optimizer } = network;
  const model = sequential(network.inputs, network.layers());
  const training = await trainer(device, model, { loss, optimizer, batchSize: rows });
  training.load(start.file);
  const x = golden.values("x");
  const history = await training.fit({ x, y: golden.values("y") }, { epochs: 40, shuffle: false });
  const wanted = golden.values("losses");
  const relative = Array.from(wanted, (value, i) => Math.abs((history.loss[i] as number) / value - 1));
  // Eight times what PyTorch's own float32 has strayed up to there, and never below 2e-5.
  const float32 = (STRAYED as Record<string, { losses: readonly number[]; predictions: readonly number[] }>)[name];
  let strayed = 0;
  const parts = relative.map((off, i) => {
    strayed = Math.max(strayed, float32 ? Math.abs((float32.losses[i] as number) / (wanted[i] as number) - 1) : 0);
    return off / Math.max(8 * strayed, 2e-5);
  });
  const predicted = await training.predict(x);
  const probabilities = golden.values("prediction");
  const file = readSafetensors(await training.save());
  const final = golden.group("final");
  training.dispose();
  return {
    first: relative[0] as number,
    losses: Math.max(...parts),
    predictions:
      furthest(predicted, probabilities) /
      Math.max(8 * furthest(float32?.predictions ?? probabilities, probabilities), 1e-4),
    saved: Object.fromEntries(
      (strayed > 0 ? [] : Object.entries(final)).map(([key, values]) => {
        const [got, want] = [file[key]?.values ?? [], values].map((each) => determined(key, Array.from(each)));
        return [key, furthest(got as number[], want as number[])];
      }),
    ),
    names: [Object.keys(file).sort(), Object.keys(final).sort()],
  };
}

/** A bias of keys moves all scores of a query alike, so that its gradient is rounding alone, of which Adam makes whole steps: left out. */
function determined(name: string, values: number[]): number[] {
  if (!name.endsWith("in_proj_bias")) return values;
  const third = values.length / 3;
  return values.filter((_, i) => i < third || i >= 2 * third);
}

/** The largest difference, in units of the largest value. */
function furthest(got: ArrayLike<number>, want: ArrayLike<number>): number {
  if (got.length !== want.length) return Number.POSITIVE_INFINITY;
  const scale = Math.max(1e-3, ...Array.from(want, Math.abs));
  return Math.max(...Array.from(want, (value, i) => Math.abs((got[i] as number) - value))) / scale;
}
