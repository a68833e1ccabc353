import {
  adam,
  conv2d,
  dense,
  embedding,
  flatten,
  globalAveragePool,
  gru,
  type Layer,
  type Loss,
  layerNorm,
  type Model,
  maxPool2d,
  multiHeadAttention,
  type Optimizer,
  positionEmbedding,
  residual,
  sequential,
  softmaxCrossEntropy,
  squaredError,
} from "../src/index";
import { digits, imageSize, type NetworkTask, weightDecay } from "./networks";

/** A task's network as a user of wgrad writes it. */
export interface OurNetwork {
  model: Model;
  loss: Loss;
  optimizer: Optimizer;
}

/** Of the head, what is trained; `frozenModel` is the rest. */
export function modelOf(task: NetworkTask): OurNetwork {
  switch (task.kind) {
    case "cnn": {
      const layers: Layer[] = task.convolutions.flatMap(({ filters, kernel, padding }) => [
        conv2d(filters, kernel, { activation: "relu", ...(padding === "same" && { padding }) }),
        maxPool2d(2),
      ]);
      layers.push(flatten(), ...task.hidden.map((units) => dense(units, { activation: "relu" })), dense(digits));
      const model = sequential([1, imageSize, imageSize], layers);
      return { model, loss: softmaxCrossEntropy(), optimizer: adam() };
    }
    case "gpt": {
      const { length, vocabulary, width, heads, blocks } = task;
      const layers: Layer[] = [embedding(vocabulary, width), positionEmbedding()];
      for (let block = 0; block < blocks; block++) {
        layers.push(
          residual([layerNorm(), multiHeadAttention(heads, { causal: true })]),
          residual([layerNorm(), dense(4 * width, { activation: "gelu" }), dense(width)]),
        );
      }
      layers.push(layerNorm(), dense(vocabulary));
      return { model: sequential([length], layers), loss: softmaxCrossEntropy(), optimizer: adam({ weightDecay }) };
    }
    case "gru": {
      const model = sequential([task.length, task.features], [gru(task.units), dense(1)]);
      return { model, loss: squaredError(), optimizer: adam() };
    }
    case "head": {
      const model = sequential(task.filters.at(-1) as number, [dense(task.classes)]);
      return { model, loss: softmaxCrossEntropy(), optimizer: adam() };
    }
    default:
      return task satisfies never;
  }
}

export function frozenModel({ size, filters }: Extract<NetworkTask, { kind: "head" }>): Model {
  return sequential(
    [3, size, size],
    [...filters.map((n) => conv2d(n, 3, { stride: 2, padding: 1, activation: "relu" })), globalAveragePool()],
  );
}
