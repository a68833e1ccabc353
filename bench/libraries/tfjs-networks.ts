import * as tf from "@tensorflow/tfjs-core";
import {
  convolutionsOf,
  denseOf,
  digits,
  frozenOf,
  type NetworkTask,
  normEpsilon,
  parametersOf,
  weightDecay,
} from "../networks";
import type { Array2, Data } from "../tasks";
import { type Training, tensor } from "./tfjs-arrays";

type Weights = Record<string, tf.Tensor>;

/** TF.js has images as [N, H, W, C] and a convolution's weight as [kernel, kernel, C, filters]: both are turned beforehand. */
const imagesOf = (array: Array2 | undefined): tf.Tensor4D =>
  tf.tidy(() => tf.transpose(tensor(array) as tf.Tensor4D, [0, 2, 3, 1]));

function weightsOf(task: NetworkTask, data: Data, names: readonly string[]): Weights {
  const before = task.kind === "cnn" ? convolutionsOf(task).at(-1) : undefined;
  const first = task.kind === "cnn" ? `${3 * task.convolutions.length + 1}.weight` : "";
  return Object.fromEntries(
    names.map((name) => {
      const own = tf.tidy(() => {
        const weight = tensor(data[name]);
        if (weight.shape.length === 4) return tf.transpose(weight, [2, 3, 1, 0]);
        if (name !== first || !before) return weight;
        // The rows of the first dense weight go by channel, row, column; here the channel is last.
        const { filters, pooled } = before;
        const units = weight.shape[1] as number;
        const turned = tf.transpose(tf.reshape(weight, [filters, pooled, pooled, units]), [1, 2, 0, 3]);
        return tf.reshape(turned, [-1, units]);
      });
      return [name, own];
    }),
  );
}

const weightOf = (weights: Weights, name: string): tf.Tensor => {
  const found = weights[name];
  if (!found) throw new Error(`internal: there is no weight "${name}"`);
  return found;
};

function affine(weights: Weights, prefix: string | number, x: tf.Tensor): tf.Tensor {
  return tf.add(tf.matMul(x, weightOf(weights, `${prefix}.weight`)), weightOf(weights, `${prefix}.bias`));
}

function convolved(weights: Weights, prefix: string, x: tf.Tensor, stride: number, padding: "same" | "valid" | number) {
  const filter = weightOf(weights, `${prefix}.weight`) as tf.Tensor4D;
  const sums = tf.conv2d(x as tf.Tensor4D, filter, stride, padding);
  return tf.relu(tf.add(sums, weightOf(weights, `${prefix}.bias`)));
}

function forwardOf(task: NetworkTask): (weights: Weights, x: tf.Tensor) => tf.Tensor {
  switch (task.kind) {
    case "cnn":
      return (weights, x) => {
        let h = x;
        task.convolutions.forEach(({ padding }, i) => {
          h = tf.maxPool(convolved(weights, String(3 * i), h, 1, padding) as tf.Tensor4D, 2, 2, "valid");
        });
        h = tf.reshape(h, [task.batch, -1]);
        denseOf(task).forEach((_, i) => {
          h = affine(weights, 3 * task.convolutions.length + 1 + 2 * i, i > 0 ? tf.relu(h) : h);
        });
        return h;
      };
    case "gpt":
      return gpt(task);
    case "gru":
      return gru(task);
    case "head":
      return (weights, x) => affine(weights, 0, x);
    default:
      return task satisfies never;
  }
}

function gpt({ batch, length, width, heads, blocks, vocabulary }: Extract<NetworkTask, { kind: "gpt" }>) {
  const flat = (x: tf.Tensor) => tf.reshape(x, [batch * length, -1]);
  const seen = tf.keep(tf.tidy(() => tf.linalg.bandPart(tf.ones([length, length]), -1, 0)));
  const norm = (weights: Weights, prefix: string, x: tf.Tensor) => {
    const { mean, variance } = tf.moments(x, -1, true);
    const scaled = tf.mul(tf.sub(x, mean), tf.rsqrt(tf.add(variance, normEpsilon)));
    return tf.add(tf.mul(scaled, weightOf(weights, `${prefix}.weight`)), weightOf(weights, `${prefix}.bias`));
  };
  const gelu = (x: tf.Tensor) => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1));
  const linear = (x: tf.Tensor, weight: tf.Tensor, bias: tf.Tensor) => tf.add(tf.matMul(x, weight, false, true), bias);
  return (weights: Weights, tokens: tf.Tensor): tf.Tensor => {
    const embedded = tf.gather(weightOf(weights, "0.weight"), tokens as tf.Tensor1D);
    let h = flat(tf.add(embedded, weightOf(weights, "1.weight")));
    for (let block = 0; block < blocks; block++) {
      const [first, second] = [`${2 + 2 * block}.body`, `${3 + 2 * block}.body`];
      const all = linear(
        norm(weights, `${first}.0`, h),
        weightOf(weights, `${first}.1.in_proj_weight`),
        weightOf(weights, `${first}.1.in_proj_bias`),
      );
      const [q, k, v] = tf
        .split(all, 3, -1)
        .map((part) => tf.transpose(tf.reshape(part, [batch, length, heads, width / heads]), [0, 2, 1, 3])) as [
        tf.Tensor,
        tf.Tensor,
        tf.Tensor,
      ];
      const scores = tf.mul(tf.matMul(q, k, false, true), 1 / Math.sqrt(width / heads));
      const shares = tf.softmax(tf.where(tf.cast(seen, "bool"), scores, tf.fill([length, length], -1e30)));
      const mixed = flat(tf.transpose(tf.matMul(shares, v), [0, 2, 1, 3]));
      const out = linear(
        mixed,
        weightOf(weights, `${first}.1.out_proj.weight`),
        weightOf(weights, `${first}.1.out_proj.bias`),
      );
      h = tf.add(h, out);
      const wide = gelu(affine(weights, `${second}.1`, norm(weights, `${second}.0`, h)));
      h = tf.add(h, affine(weights, `${second}.3`, wide));
    }
    return tf.reshape(affine(weights, 3 + 2 * blocks, norm(weights, String(2 + 2 * blocks), h)), [-1, vocabulary]);
  };
}

/** What the inputs give to all steps is one product; the steps are written out. */
function gru({ batch, length, features, units }: Extract<NetworkTask, { kind: "gru" }>) {
  return (weights: Weights, x: tf.Tensor): tf.Tensor => {
    const given = tf.add(
      tf.matMul(tf.reshape(x, [batch * length, features]), weightOf(weights, "0.weight_ih_l0"), false, true),
      weightOf(weights, "0.bias_ih_l0"),
    );
    const steps = tf.unstack(tf.reshape(given, [batch, length, 3 * units]), 1);
    const recurrent = weightOf(weights, "0.weight_hh_l0");
    const bias = weightOf(weights, "0.bias_hh_l0");
    let h: tf.Tensor = tf.zeros([batch, units]);
    for (const step of steps) {
      const [xr, xz, xn] = tf.split(step, 3, 1) as [tf.Tensor, tf.Tensor, tf.Tensor];
      const own = tf.add(tf.matMul(h, recurrent, false, true), bias);
      const [hr, hz, hn] = tf.split(own, 3, 1) as [tf.Tensor, tf.Tensor, tf.Tensor];
      const r = tf.sigmoid(tf.add(xr, hr));
      const z = tf.sigmoid(tf.add(xz, hz));
      const n = tf.tanh(tf.add(xn, tf.mul(r, hn)));
      h = tf.add(n, tf.mul(z, tf.sub(h, n)));
    }
    return affine(weights, 1, h);
  };
}

/** The network with TF.js's own Adam; AdamW's decay, which it has not, goes before. */
function optimized(task: NetworkTask, data: Data, names: readonly string[]) {
  const forward = forwardOf(task);
  const start = weightsOf(task, data, names);
  const variables = Object.fromEntries(names.map((name) => [name, tf.variable(weightOf(start, name))]));
  const all = Object.values(variables);
  let optimizer = tf.train.adam(0.001, 0.9, 0.999, 1e-8);
  const decay = 1 - 0.001 * weightDecay;
  const lossOf = (x: tf.Tensor, y: tf.Tensor) => () => {
    const outputs = forward(variables, x);
    if (task.kind === "gru") return tf.mean(tf.squaredDifference(outputs, y)) as tf.Scalar;
    return tf.losses.softmaxCrossEntropy(y, outputs) as tf.Scalar;
  };
  return {
    step(x: tf.Tensor, y: tf.Tensor): tf.Tensor | null {
      if (task.kind !== "gpt") return optimizer.minimize(lossOf(x, y), true, all);
      return tf.tidy(() => {
        const { value, grads } = optimizer.computeGradients(lossOf(x, y), all);
        for (const variable of all) variable.assign(tf.mul(variable, decay));
        optimizer.applyGradients(Object.entries(grads).map(([name, tensor]) => ({ name, tensor })));
        return value;
      });
    },
    begin() {
      optimizer.dispose();
      optimizer = tf.train.adam(0.001, 0.9, 0.999, 1e-8);
      for (const name of names) (variables[name] as tf.Variable).assign(weightOf(start, name));
    },
    last: () => all.at(-1) as tf.Tensor,
    dispose() {
      optimizer.dispose();
      tf.dispose([start, variables]);
    },
  };
}

export function network(task: Exclude<NetworkTask, { kind: "head" }>, data: Data): Training {
  const training = optimized(task, data, Object.keys(parametersOf(task)));
  const x = task.kind === "cnn" ? imagesOf(data.x) : tensor(data.x);
  const classes = task.kind === "gpt" ? task.vocabulary : digits;
  const y =
    task.kind === "gru"
      ? tensor(data.y)
      : tf.tidy(() => tf.cast(tf.oneHot(tf.reshape(tensor(data.y), [-1]) as tf.Tensor1D, classes), "float32"));
  return {
    step: () => training.step(x, y),
    last: training.last,
    dispose() {
      training.dispose();
      tf.dispose([x, y]);
    },
  };
}

/** Images at a time through the frozen network. */
const TOGETHER = 50;

/** One step is a whole job. */
export function head(task: Extract<NetworkTask, { kind: "head" }>, data: Data): Training {
  const layers = frozenOf(task).map((_, i) => `frozen.${2 * i}`);
  const frozen = weightsOf(
    task,
    data,
    layers.flatMap((prefix) => [`${prefix}.weight`, `${prefix}.bias`]),
  );
  const training = optimized(task, data, ["0.weight", "0.bias"]);
  const { images, batch, epochs, size, classes } = task;
  const turned = tf.tidy(() => imagesOf(data.x));
  const values = turned.dataSync();
  turned.dispose();
  const pixels = 3 * size ** 2;
  return {
    step() {
      const features = tf.tidy(() => {
        const parts: tf.Tensor[] = [];
        for (let from = 0; from < images; from += TOGETHER) {
          const piece = values.slice(from * pixels, (from + TOGETHER) * pixels);
          let h: tf.Tensor = tf.tensor(piece, [TOGETHER, size, size, 3]);
          for (const prefix of layers) h = convolved(frozen, prefix, h, 2, 1);
          parts.push(tf.mean(h, [1, 2]));
        }
        return tf.split(tf.concat(parts, 0), images / batch);
      });
      const labels = tf.tidy(() =>
        tf.split(tf.cast(tf.oneHot(tensor(data.y) as tf.Tensor1D, classes), "float32"), images / batch),
      );
      training.begin();
      let loss: tf.Tensor | null = null;
      for (let i = 0; i < (epochs * images) / batch; i++) {
        const at = i % (images / batch);
        loss?.dispose();
        loss = training.step(features[at] as tf.Tensor, labels[at] as tf.Tensor);
      }
      tf.dispose([features, labels]);
      return loss;
    },
    last: training.last,
    dispose() {
      training.dispose();
      tf.dispose(frozen);
    },
  };
}
