export type { Dataset, DataValues } from "./dataset";
export {
  type Ensemble,
  type EnsembleEpoch,
  type EnsembleFitOptions,
  type EnsembleHistory,
  type EnsembleOptions,
  type EnsembleProgress,
  ensemble,
} from "./ensemble";
export type { NetworkReport } from "./ensemble-fit";
export type { BeginOptions, FitOptions, OpenFit, Recover } from "./fit-options";
export type { History, Recovered } from "./history";
export type { Initializer } from "./initializers";
export { type Activation, activation } from "./layers/activation";
export { multiHeadAttention } from "./layers/attention";
export { batchNorm } from "./layers/batchnorm";
export {
  type ConvLayer,
  type ConvLayerOptions,
  conv1d,
  conv2d,
  convTranspose2d,
} from "./layers/convolution";
export { type DenseLayer, type DenseOptions, dense } from "./layers/dense";
export { type DropoutLayer, dropout } from "./layers/dropout";
export { embedding } from "./layers/embedding";
export { flatten } from "./layers/flatten";
export { groupNorm } from "./layers/groupnorm";
export type { Layer } from "./layers/layer";
export { layerNorm } from "./layers/layernorm";
export { defineLayer, type LayerContext, type LayerParts } from "./layers/own";
export { globalAveragePool } from "./layers/pool";
export { avgPool2d, maxPool2d } from "./layers/pooling";
export { positionEmbedding } from "./layers/position";
export { gru, lstm } from "./layers/recurrent";
export { residual } from "./layers/residual";
export { rmsNorm } from "./layers/rmsnorm";
export { upsample2d } from "./layers/upsample";
export {
  absoluteError,
  binaryCrossEntropy,
  defineLoss,
  huber,
  type Loss,
  softmaxCrossEntropy,
  squaredError,
} from "./losses";
export { type Model, sequential } from "./model";
export type { OptimizerStep, UpdateOptions } from "./optimizer-step";
export { adam, type Optimizer, rmsprop, sgd } from "./optimizers";
export type { FitProgress } from "./progress";
export { cosineDecay, type LearningRate, stepDecay } from "./schedules";
export { splitDataset } from "./split";
export { type Standardized, standardize } from "./standardize";
export type { Dropped } from "./together";
export { type Trainer, type TrainerOptions, trainer } from "./trainer";
export type { EarlyStopping, EpochReport, ReduceOnPlateau } from "./watch";
export type { LoadOptions } from "./weights-file";
