import {
  adam,
  binaryCrossEntropy,
  cosineDecay,
  type Dataset,
  dense,
  input,
  type Loss,
  type Model,
  type Optimizer,
  type Program,
  parameter,
  rmsprop,
  sequential,
  sgd,
  softmaxCrossEntropy,
  squaredError,
  stepDecay,
  type Tensor,
} from "../../index";
import type { Config } from "../config";
import type { DataSet, Rows } from "./data-set";

/** Two classes need one output, where the loss is not a softmax; so does a number. */
export function outputsOf(config: Config, classes: number): number {
  if (classes === 0) return 1;
  return classes === 2 && config.loss !== "softmaxCrossEntropy" ? 1 : classes;
}

export function modelOf(config: Config, { features, classes }: DataSet): Model {
  const { l2, seed } = config;
  const hidden = config.layers.map(({ units, activation }) => dense(units, { activation, l2 }));
  return sequential(features.length, [...hidden, dense(outputsOf(config, classes.length), { l2 })], { seed });
}

export function lossOf(config: Config): Loss {
  return { softmaxCrossEntropy, binaryCrossEntropy, squaredError }[config.loss]();
}

/** The rate at a step by the numbers as they stand now: `live` may change while training goes on. */
export function rateOf(live: Pick<Config, "rate" | "schedule" | "steps">): (step: number) => number {
  return (step) => {
    if (live.schedule === "cosine") return cosineFrom(live)(step);
    if (live.schedule === "step") return stepFrom(live)(step);
    return live.rate;
  };
}

type Schedule = (step: number) => number;
function asFunction(rate: ReturnType<typeof cosineDecay>): Schedule {
  return typeof rate === "number" ? () => rate : rate;
}
function cosineFrom({ rate, steps }: Pick<Config, "rate" | "steps">): Schedule {
  return asFunction(cosineDecay(rate, steps, { final: rate / 100 }));
}
function stepFrom({ rate, steps }: Pick<Config, "rate" | "steps">): Schedule {
  return asFunction(stepDecay(rate, Math.max(1, Math.round(steps / 4)), 0.4));
}

export function optimizerOf(config: Config, live: Pick<Config, "rate" | "schedule" | "steps">): Optimizer {
  const lr = rateOf(live);
  const { momentum } = config;
  switch (config.optimizer) {
    case "adam":
      return adam({ lr });
    case "sgd":
      return sgd({ lr, momentum });
    case "rmsprop":
      return rmsprop({ lr, momentum });
    default:
      return config.optimizer satisfies never;
  }
}

/** Rows as the loss takes them: classes for softmax, else a 1 in the column of the class; numbers as they stand. */
export function targetsOf(config: Config, { x, y }: Rows, classes: number): Dataset {
  if (config.loss === "softmaxCrossEntropy" || classes === 0) return { x, y };
  const outputs = outputsOf(config, classes);
  if (outputs === 1) return { x, y: Float32Array.from(y) };
  const values = new Float32Array(y.length * outputs);
  y.forEach((k, row) => {
    values[row * outputs + k] = 1;
  });
  return { x, y: values };
}

export function weightNames(model: Model): { weight: string; bias: string }[] {
  return Object.keys(model.parameters)
    .filter((name) => name.endsWith(".weight"))
    .map((weight) => ({ weight, bias: weight.replace("weight", "bias") }));
}

/** The network on `rows` rows with the activations of every layer as outputs, the last one as `predict` gives it. */
export function viewProgram(config: Config, model: Model, rows: number): Program {
  const x = input([rows, model.inputs]);
  const parameters = Object.fromEntries(
    Object.entries(model.parameters).map(([name, shape]): [string, Tensor] => [name, parameter(shape)]),
  );
  const outputs: Record<string, Tensor> = {};
  let value = x;
  weightNames(model).forEach(({ weight, bias }, layer) => {
    const before = value.matmul(parameters[weight] as Tensor).add(parameters[bias] as Tensor);
    value = activated(before, config.layers[layer]?.activation ?? config.loss);
    outputs[`layer${layer}`] = value;
  });
  return { inputs: { x }, parameters, outputs };
}

function activated(x: Tensor, kind: Config["layers"][number]["activation"] | Config["loss"]): Tensor {
  switch (kind) {
    case "relu":
      return x.relu();
    case "tanh":
      return x.tanh();
    case "sigmoid":
    case "binaryCrossEntropy":
      return x.sigmoid();
    case "softmaxCrossEntropy":
      return x.softmax();
    case "linear":
    case "squaredError":
      return x;
    default:
      return kind satisfies never;
  }
}
