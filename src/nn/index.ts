export type { Dataset, DataValues } from "./dataset";
export type { FitProgress, History } from "./fit";
export type { BeginOptions, FitOptions, OpenFit } from "./fitter";
export type { Initializer } from "./initializers";
export {
  type Activation,
  type DenseLayer,
  type DenseOptions,
  type DropoutLayer,
  dense,
  dropout,
  type Layer,
} from "./layers";
export { binaryCrossEntropy, type Loss, softmaxCrossEntropy, squaredError } from "./losses";
export { type Model, sequential } from "./model";
export { adam, type Optimizer, rmsprop, sgd } from "./optimizers";
export { cosineDecay, type LearningRate, stepDecay } from "./schedules";
export { type Trainer, type TrainerOptions, trainer } from "./trainer";
