import {
  activation,
  adam,
  avgPool2d,
  batchNorm,
  binaryCrossEntropy,
  conv1d,
  conv2d,
  convTranspose2d,
  cosineDecay,
  type Dataset,
  dense,
  dropout,
  embedding,
  flatten,
  globalAveragePool,
  groupNorm,
  gru,
  huber,
  layerNorm,
  lstm,
  type Model,
  maxPool2d,
  multiHeadAttention,
  positionEmbedding,
  randomState,
  residual,
  rmsNorm,
  rmsprop,
  sequential,
  sgd,
  softmaxCrossEntropy,
  standardize,
  stepDecay,
  type TrainerOptions,
  upsample2d,
} from "../../src/index";

export interface Case {
  readonly model: Model;
  readonly options: TrainerOptions;
  readonly data: Dataset;
  readonly sampleWeights?: Float32Array;
}

const random = randomState(11);
const numbers = (count: number) => Float32Array.from(random.randn(count));
const integers = (below: number, count: number) => random.randint(0, below, count);

/** 19 rows in batches of 6: the last of an epoch is one row, of which one of two processes has none. */
const denseCase: Case = {
  model: sequential(5, [
    dense(8, { activation: "tanh", l2: 0.01 }),
    dense(7, { activation: "softplus" }),
    activation("leakyRelu"),
    dense(6, { activation: "relu", bias: false }),
    activation("linear"),
    dense(3, { l2: 0.02 }),
  ]),
  options: {
    loss: softmaxCrossEntropy(),
    optimizer: adam({ lr: cosineDecay(0.02, 60, { warmup: 5, final: 0.001 }), weightDecay: 0.02 }),
    batchSize: 6,
    clipNorm: 0.8,
    classWeights: [1, 3, 2], // which Python reads as whole numbers
    frozen: ["2.bias"],
  },
  data: { x: numbers(19 * 5), y: integers(3, 19) },
  sampleWeights: Float32Array.from(random.uniform(0.2, 2, 19)),
};

const cnn: Case = {
  model: sequential(
    [2, 6, 6],
    [
      conv2d(4, 3, { padding: 1, activation: "relu" }),
      batchNorm(),
      maxPool2d(2),
      flatten(),
      dense(6, { activation: "gelu" }),
      batchNorm({ momentum: 0.3 }),
      dense(3),
    ],
  ),
  options: {
    loss: softmaxCrossEntropy(),
    optimizer: sgd({ lr: stepDecay(0.004, 20, 0.5), momentum: 0.9, nesterov: true, weightDecay: 0.01 }),
    batchSize: 8,
  },
  data: { x: numbers(21 * 72), y: integers(3, 21) },
};

const gpt: Case = {
  model: sequential(
    [6],
    [
      embedding(7, 8),
      positionEmbedding(),
      residual([layerNorm(), multiHeadAttention(2, { causal: true })]),
      residual([layerNorm(), dense(16, { activation: "gelu" }), dense(8)]),
      layerNorm(),
      dense(7),
    ],
  ),
  options: { loss: softmaxCrossEntropy(), optimizer: adam({ lr: 0.005 }), batchSize: 8 },
  data: { x: integers(7, 20 * 6), y: integers(7, 20 * 6) },
};

/** What the others have not, of images; a batchNorm stays as it is. */
const images: Case = {
  model: sequential(
    [2, 6, 5],
    [
      conv2d(4, [2, 3], { padding: "same", activation: "elu" }),
      avgPool2d(2, {
        padding: [
          [0, 1],
          [1, 0],
        ],
      }),
      upsample2d(2),
      groupNorm(2),
      convTranspose2d(3, 3, {
        stride: 2,
        outputPadding: 1,
        activation: "silu",
        padding: [
          [0, 1],
          [1, 1],
        ],
      }),
      convTranspose2d(4, 2, { padding: 1, groups: 1 }),
      maxPool2d(3, {
        stride: 2,
        padding: [
          [1, 0],
          [0, 1],
        ],
      }),
      batchNorm({ epsilon: 0.01 }),
      globalAveragePool(),
      rmsNorm(),
      dense(2),
    ],
  ),
  options: {
    loss: huber({ delta: 0.7, reduction: "sum" }),
    optimizer: rmsprop({ lr: 0.002, momentum: 0.5 }),
    batchSize: 5,
    frozen: ["9.running_mean", "9.running_var"],
  },
  data: { x: numbers(12 * 60), y: numbers(24) },
};

const columns = numbers(14 * 28);
/** Of sequences, with a network within the network. */
const sequences: Case = {
  model: sequential(
    [7, 4],
    [
      standardize(columns, 4).layer(),
      gru(5, { sequences: true }),
      conv1d(6, 2, { padding: "same" }),
      batchNorm(),
      sequential([6, 5], [lstm(4, { sequences: true }), lstm(4), dropout(0), activation("sigmoid")]),
      dense(2),
    ],
  ),
  options: { loss: binaryCrossEntropy(), optimizer: sgd({ lr: 0.1 }), batchSize: 4 },
  data: { x: columns, y: Float32Array.from(random.uniform(0, 1, 28)) },
};

export const CASES: Readonly<Record<string, Case>> = { dense: denseCase, cnn, gpt, images, sequences };
