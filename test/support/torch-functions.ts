import { grad, input, type Program, type Tensor, where } from "../../src/index";
import { type Golden, readGolden } from "./golden";

type Unary = (x: Tensor) => Tensor;

/** The functions of test/golden/make_torch_functions.py, by their names there. */
export const FUNCTIONS: Record<string, Unary> = {
  log1p: (x) => x.abs().log1p(),
  expm1: (x) => x.minimum(20).expm1(),
  erf: (x) => x.erf(),
  sign: (x) => x.sign(),
  floor: (x) => x.floor(),
  ceil: (x) => x.ceil(),
  round: (x) => x.round(),
  ne: (x) => x.ne(0).mul(x),
  reciprocal: (x) => x.abs().add(0.5).reciprocal(),
  rsqrt: (x) => x.abs().add(0.5).rsqrt(),
  clip: (x) => x.clip(-0.5, 1.5),
  "clip-by-tensors": (x) => x.clip(x.mean(0).sub(0.5), x.mean(0).add(0.5)),
  where: (x) => where(x.gt(0), x.square(), x.tanh()),
  gelu: (x) => x.gelu(),
  "gelu-tanh": (x) => x.gelu("tanh"),
  silu: (x) => x.silu(),
  softplus: (x) => x.softplus(),
  elu: (x) => x.elu(),
  "elu-half": (x) => x.elu(0.5),
  "leaky-relu": (x) => x.leakyRelu(),
  "leaky-relu-fifth": (x) => x.leakyRelu(0.2),
  "stop-gradient": (x) => x.mul(x.stopGradient()),
  "sum-0-2": (x) => x.sum([0, 2]),
  "sum-0-2-kept": (x) => x.sum([2, 0], { keepDims: true }),
  "mean-0-1": (x) => x.mean([0, 1]),
  "max-0-2": (x) => x.max([0, -1]),
  "min-0-2": (x) => x.min([0, 2]),
  min: (x) => x.min(),
  "min-1": (x) => x.min(1),
  variance: (x) => x.variance(),
  "variance-0-2": (x) => x.variance([0, 2]),
  "variance-1-corrected": (x) => x.variance(1, { correction: 1 }),
  "log-sum-exp-1": (x) => x.logSumExp(1),
  "log-sum-exp-0-2-kept": (x) => x.logSumExp([0, 2], { keepDims: true }),
  "argmin-2": (x) => x.argmin(2).toFloat32(),
};

export interface Expected {
  readonly program: Program;
  readonly inputs: { x: Float32Array; weight?: Float64Array };
  readonly value: Float64Array;
  readonly derivative: Float64Array | null;
  readonly shape: readonly number[];
}

export const readFunctions = (): Promise<Golden> => readGolden("torch-functions");

/** A program of one function, and what PyTorch makes of it. */
export function expected(golden: Golden, name: string): Expected {
  const x = input(golden.shape("x"));
  const value = (FUNCTIONS[name] as Unary)(x);
  const derived = Object.hasOwn(golden.group("derivative"), name);
  const weight = input(value.shape);
  const outputs = derived ? { value, derivative: grad(value.mul(weight).sum(), [x])[0] } : { value };
  return {
    program: { inputs: derived ? { x, weight } : { x }, parameters: {}, outputs },
    inputs: {
      x: golden.values("x") as Float32Array,
      ...(derived && { weight: golden.values(`weight.${name}`) as Float64Array }),
    },
    value: golden.values(`value.${name}`) as Float64Array,
    derivative: derived ? (golden.values(`derivative.${name}`) as Float64Array) : null,
    shape: golden.shape(`value.${name}`),
  };
}
