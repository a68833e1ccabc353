export type { ParityReport } from "./cpu/parity";
export { type Reference, reference } from "./cpu/reference";
export { blobs } from "./data/blobs";
export { circles } from "./data/circles";
export { type Confusion, confusionMatrix } from "./data/confusion";
export { moons } from "./data/moons";
export type { Points } from "./data/points";
export { type RandomState, randomState } from "./data/random";
export { spirals } from "./data/spirals";
export { xor } from "./data/xor";
export { type CompileOptions, type Device, type DeviceInfo, type OpenOptions, open } from "./device";
export { type FileTensor, readSafetensors, safetensorsMetadata, writeSafetensors } from "./files/safetensors";
export { attention } from "./graph/attention";
export { grad } from "./graph/autodiff";
export type { Axes } from "./graph/axes";
export { checkpoint } from "./graph/checkpoint";
export { einsum } from "./graph/einsum";
export { concat, stack } from "./graph/join";
export type { DType } from "./graph/ops";
export type { Program, Values } from "./graph/program";
export { scan } from "./graph/scan";
export type { ConvOptions, PoolOptions } from "./graph/sliding";
export { constant, input, iota, type Operand, parameter, random, Tensor, where } from "./graph/tensor";
export {
  type Activation,
  absoluteError,
  activation,
  adam,
  avgPool2d,
  type BeginOptions,
  batchNorm,
  binaryCrossEntropy,
  type ConvLayer,
  type ConvLayerOptions,
  conv1d,
  conv2d,
  convTranspose2d,
  cosineDecay,
  type Dataset,
  type DataValues,
  type DenseLayer,
  type DenseOptions,
  type DropoutLayer,
  type Dropped,
  defineLayer,
  defineLoss,
  dense,
  dropout,
  type EarlyStopping,
  type Ensemble,
  type EnsembleEpoch,
  type EnsembleFitOptions,
  type EnsembleHistory,
  type EnsembleOptions,
  type EnsembleProgress,
  type EpochReport,
  embedding,
  ensemble,
  type FitOptions,
  type FitProgress,
  flatten,
  globalAveragePool,
  groupNorm,
  gru,
  type History,
  huber,
  type Initializer,
  type Layer,
  type LayerContext,
  type LayerParts,
  type LearningRate,
  type LoadOptions,
  type Loss,
  layerNorm,
  lstm,
  type Model,
  maxPool2d,
  multiHeadAttention,
  type NetworkReport,
  type OpenFit,
  type Optimizer,
  type OptimizerStep,
  positionEmbedding,
  type Recover,
  type Recovered,
  type ReduceOnPlateau,
  residual,
  rmsNorm,
  rmsprop,
  type Standardized,
  sequential,
  sgd,
  softmaxCrossEntropy,
  splitDataset,
  squaredError,
  standardize,
  stepDecay,
  type Trainer,
  type TrainerOptions,
  trainer,
  type UpdateOptions,
  upsample2d,
} from "./nn/index";
export { fusedKernels } from "./plan/fused";
export type { KernelTime } from "./runner";
export type { RunOptions, Session } from "./session";
export { DeviceError, FormatError, ShapeError } from "./util/errors";
export type { Shape } from "./util/shape";
export { VERSION } from "./util/version";
export type { TuningStore } from "./webgpu/store";
export type { TuneOptions, TuningReport } from "./webgpu/tune";

/**
 * What the declarations name of WebGPU, for a TypeScript whose DOM has none of it (before 6.0). Where it has, or @webgpu/types
 * are there, these add nothing to theirs.
 */
declare global {
  interface GPU {}
  interface GPUBuffer {}
  interface GPUDevice {}
}
