/** How a layer tells of itself in PyTorch: as calls of Python that make its modules. */
export interface TorchModules {
  /** A module of `torch.nn`: `module("Linear", [3, 4], { bias: false })` is "nn.Linear(3, 4, bias=False)". */
  module(name: string, args?: readonly TorchArgument[], options?: Readonly<Record<string, TorchArgument>>): TorchModule;
  /** One that PyTorch has not, or not so that it stands in a Sequential; its class goes into the file too. */
  own(name: OwnModule, args?: readonly TorchArgument[], options?: Readonly<Record<string, TorchArgument>>): TorchModule;
  /** Modules one after another, as one. */
  sequential(modules: readonly TorchModule[]): TorchModule;
  /** That of one of the library's activations; of "linear" none. */
  activation(name: string): TorchModule[];
  /** Whether what the layer calls `name` stays as it is in training. */
  frozen(name: string): boolean;
  /** For a layer within this one, whose names begin with `prefix`. */
  within(prefix: string): TorchModules;
}

/** What makes a module, as Python has it. */
export interface TorchModule {
  readonly python: string;
}

/** A text is one of Python's too; an array is a tuple. */
export type TorchArgument = number | boolean | string | readonly TorchArgument[] | TorchModule;

/** Classes of `src/pytorch/modules.py`. */
export type OwnModule =
  | "BatchNorm"
  | "RMSNorm"
  | "Residual"
  | "Attention"
  | "GRU"
  | "LSTM"
  | "PositionEmbedding"
  | "GlobalAveragePool"
  | "Standardize"
  | "PaddedConv1d"
  | "PaddedConv2d"
  | "CutConvTranspose2d";
