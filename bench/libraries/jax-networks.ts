import { type Array as Jax, jit, lax, nn, numpy as np, valueAndGrad } from "@jax-js/jax";
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
import type { Data } from "../tasks";
import { array, type Training } from "./jax-arrays";

type Weights = Record<string, Jax>;
/** Outputs of the network for x, of weights that may be used once each. */
type Forward = (weights: Weights, x: Jax) => Jax;

/** Takes a weight by its name, once. */
const weightOf = (weights: Weights, name: string): Jax => {
  const found = weights[name];
  if (!found) throw new Error(`internal: there is no weight "${name}"`);
  return found;
};

function affine(weights: Weights, prefix: string | number, x: Jax): Jax {
  return np.matmul(x, weightOf(weights, `${prefix}.weight`)).add(weightOf(weights, `${prefix}.bias`));
}

/** With PyTorch's weight [units, inputs]. */
function affineOfTransposed(x: Jax, weight: Jax, bias: Jax): Jax {
  return np.matmul(x, weight.transpose()).add(bias);
}

function convolved(weights: Weights, prefix: string, x: Jax, stride: number, padding: "SAME" | "VALID" | number): Jax {
  const pads = typeof padding === "number" ? [padding, padding].map((p): [number, number] => [p, p]) : padding;
  const sums = lax.convGeneralDilated(x, weightOf(weights, `${prefix}.weight`), [stride, stride], pads);
  return nn.relu(sums.add(weightOf(weights, `${prefix}.bias`).reshape([-1, 1, 1])));
}

function cnn(task: Extract<NetworkTask, { kind: "cnn" }>): Forward {
  const convolutions = convolutionsOf(task);
  const dense = denseOf(task);
  return (weights, x) => {
    let h = x;
    convolutions.forEach(({ padding }, i) => {
      h = convolved(weights, String(3 * i), h, 1, padding === "same" ? "SAME" : "VALID");
      h = lax.reduceWindow(h, np.max, [2, 2], [2, 2]);
    });
    h = h.reshape([task.batch, -1]);
    dense.forEach((_, i) => {
      h = affine(weights, 3 * convolutions.length + 1 + 2 * i, i > 0 ? nn.relu(h) : h);
    });
    return h;
  };
}

function gpt({ batch, length, width, heads, blocks, vocabulary }: Extract<NetworkTask, { kind: "gpt" }>): Forward {
  const norm = (weights: Weights, prefix: string, x: Jax) =>
    nn
      .standardize(x, -1, { epsilon: normEpsilon })
      .mul(weightOf(weights, `${prefix}.weight`))
      .add(weightOf(weights, `${prefix}.bias`));
  return (weights, tokens) => {
    // A row of ones a token: of jax-js's two ways to an embedding the one with a quicker derivative.
    let h = np.matmul(nn.oneHot(tokens, vocabulary), weightOf(weights, "0.weight")).add(weightOf(weights, "1.weight"));
    for (let block = 0; block < blocks; block++) {
      const [first, second] = [`${2 + 2 * block}.body`, `${3 + 2 * block}.body`];
      const all = affineOfTransposed(
        norm(weights, `${first}.0`, h.ref),
        weightOf(weights, `${first}.1.in_proj_weight`),
        weightOf(weights, `${first}.1.in_proj_bias`),
      );
      const [q, k, v] = np.split(all, 3, -1).map((part) => part.reshape([batch, length, heads, width / heads])) as [
        Jax,
        Jax,
        Jax,
      ];
      const seen = nn.dotProductAttention(q, k, v, { isCausal: true }).reshape([batch, length, width]);
      h = h.add(
        affineOfTransposed(
          seen,
          weightOf(weights, `${first}.1.out_proj.weight`),
          weightOf(weights, `${first}.1.out_proj.bias`),
        ),
      );
      const wide = nn.gelu(affine(weights, `${second}.1`, norm(weights, `${second}.0`, h.ref)), { approximate: false });
      h = h.add(affine(weights, `${second}.3`, wide));
    }
    return affine(weights, 3 + 2 * blocks, norm(weights, String(2 + 2 * blocks), h)).reshape([-1, vocabulary]);
  };
}

/** There is no scan: the steps are written out. What the inputs give to all steps is one product. */
function gru({ batch, length, units }: Extract<NetworkTask, { kind: "gru" }>): Forward {
  return (weights, x) => {
    const given = affineOfTransposed(x, weightOf(weights, "0.weight_ih_l0"), weightOf(weights, "0.bias_ih_l0"));
    const steps = np.split(given, length, 1);
    const recurrent = weightOf(weights, "0.weight_hh_l0").transpose();
    const bias = weightOf(weights, "0.bias_hh_l0");
    let h = np.zeros([batch, units]);
    for (const step of steps) {
      const [xr, xz, xn] = np.split(step.reshape([batch, 3 * units]), 3, -1) as [Jax, Jax, Jax];
      const [hr, hz, hn] = np.split(np.matmul(h.ref, recurrent.ref).add(bias.ref), 3, -1) as [Jax, Jax, Jax];
      const r = nn.sigmoid(xr.add(hr));
      const z = nn.sigmoid(xz.add(hz));
      const n = np.tanh(xn.add(r.mul(hn)));
      h = n.ref.add(z.mul(h.sub(n)));
    }
    recurrent.dispose();
    bias.dispose();
    return affine(weights, 1, h);
  };
}

function forwardOf(task: NetworkTask): Forward {
  switch (task.kind) {
    case "cnn":
      return cnn(task);
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

interface Optimized {
  step(x: Jax, y: Jax): Jax;
  last(): Jax;
  /** Back to the start. */
  begin(): void;
  dispose(): void;
}

/** The network with Adam, one jitted function a step; y of classes as rows of ones and zeros. */
function optimized(task: NetworkTask, data: Data, names: readonly string[]): Optimized {
  const forward = forwardOf(task);
  const decay = task.kind === "gpt" ? weightDecay : 0;
  const lossOf = (weights: Weights, x: Jax, y: Jax): Jax => {
    const outputs = forward(weights, x);
    if (task.kind === "gru") return np.mean(np.square(outputs.sub(y)));
    const rows = outputs.shape[0] as number;
    return np.sum(nn.logSoftmax(outputs).mul(y)).div(-rows);
  };
  const refs = (all: Weights) => Object.fromEntries(names.map((name) => [name, weightOf(all, name).ref]));
  const step = jit(
    (weights: Weights, m: Weights, v: Weights, x: Jax, y: Jax, stepSize: Jax, inverseRoot: Jax, kept: Jax) => {
      const [loss, gradients] = valueAndGrad(lossOf)(refs(weights), x, y) as [Jax, Weights];
      const next: { weights: Weights; m: Weights; v: Weights; loss: Jax } = { weights: {}, m: {}, v: {}, loss };
      for (const name of names) {
        const g = weightOf(gradients, name);
        const nextM = weightOf(m, name).mul(0.9).add(g.ref.mul(0.1));
        const nextV = weightOf(v, name)
          .mul(0.999)
          .add(np.square(g).mul(1 - 0.999));
        const root = np.sqrt(nextV.ref).mul(inverseRoot.ref).add(1e-8);
        const old = weightOf(weights, name);
        const before = decay > 0 ? old.mul(kept.ref) : old;
        next.weights[name] = before.sub(nextM.ref.mul(stepSize.ref).div(root));
        next.m[name] = nextM;
        next.v[name] = nextV;
      }
      for (const one of [stepSize, inverseRoot, kept]) one.dispose();
      return next;
    },
  );
  let state: { weights: Weights; m: Weights; v: Weights } | null = null;
  let taken = 0;
  const drop = () => {
    if (state) for (const all of Object.values(state)) for (const one of Object.values(all)) one.dispose();
    state = null;
  };
  const begin = () => {
    drop();
    taken = 0;
    const zeros = () => Object.fromEntries(names.map((name) => [name, np.zeros([...(data[name]?.shape ?? [])])]));
    state = { weights: Object.fromEntries(names.map((name) => [name, array(data[name])])), m: zeros(), v: zeros() };
  };
  const number = (value: number) => np.array(Float32Array.of(value), { shape: [] });
  begin();
  return {
    begin,
    step(x, y) {
      if (!state) throw new Error("internal: a step after dispose()");
      taken++;
      const stepSize = number(0.001 / (1 - 0.9 ** taken));
      const inverseRoot = number(1 / Math.sqrt(1 - 0.999 ** taken));
      const kept = number(1 - 0.001 * decay);
      const { loss, ...next } = step(state.weights, state.m, state.v, x, y, stepSize, inverseRoot, kept) as {
        weights: Weights;
        m: Weights;
        v: Weights;
        loss: Jax;
      };
      state = next;
      return loss;
    },
    last: () => weightOf(state?.weights ?? {}, names.at(-1) ?? ""),
    dispose() {
      drop();
      step.dispose();
    },
  };
}

/** A network in jax-js, one jitted function a step. */
export function network(task: Exclude<NetworkTask, { kind: "head" }>, data: Data): Training {
  const training = optimized(task, data, Object.keys(parametersOf(task)));
  const x = array(data.x);
  const y =
    task.kind === "gru" ? array(data.y) : nn.oneHot(array(data.y), task.kind === "gpt" ? task.vocabulary : digits);
  const rows = task.kind === "gpt" ? y.reshape([task.batch * task.length, task.vocabulary]) : y;
  return {
    step: () => training.step(x.ref, rows.ref),
    last: () => training.last(),
    dispose() {
      training.dispose();
      x.dispose();
      rows.dispose();
    },
  };
}

/** Images at a time through the frozen network. */
const TOGETHER = 50;

/** One step is a whole job. */
export function head(task: Extract<NetworkTask, { kind: "head" }>, data: Data): Training {
  const layers = frozenOf(task).map((_, i) => `frozen.${2 * i}`);
  const names = layers.flatMap((prefix) => [`${prefix}.weight`, `${prefix}.bias`]);
  const frozen = Object.fromEntries(names.map((name) => [name, array(data[name])]));
  const seen = jit((weights: Weights, x: Jax) => layers.reduce((h, prefix) => convolved(weights, prefix, h, 2, 1), x));
  const training = optimized(task, data, ["0.weight", "0.bias"]);
  const { images, batch, epochs, size, classes } = task;
  const pixels = 3 * size ** 2;
  const values = data.x?.values.slice() ?? new Float32Array();
  const y = data.y?.values ?? new Int32Array();
  return {
    step() {
      const parts: Jax[] = [];
      for (let from = 0; from < images; from += TOGETHER) {
        const piece = values.slice(from * pixels, (from + TOGETHER) * pixels);
        const x = array({ shape: [TOGETHER, 3, size, size], values: piece });
        const all = Object.fromEntries(names.map((name) => [name, (frozen[name] as Jax).ref]));
        parts.push(np.mean(seen(all, x) as Jax, [2, 3]));
      }
      const features = np.split(np.concatenate(parts, 0), images / batch, 0);
      const labels = Array.from({ length: images / batch }, (_, i) =>
        nn.oneHot(array({ shape: [batch], values: y.slice(i * batch, (i + 1) * batch) }), classes),
      );
      training.begin();
      let loss: Jax | null = null;
      for (let i = 0; i < (epochs * images) / batch; i++) {
        const at = i % (images / batch);
        loss?.dispose();
        loss = training.step((features[at] as Jax).ref, (labels[at] as Jax).ref);
      }
      for (const one of [...features, ...labels]) one.dispose();
      return loss;
    },
    last: () => training.last(),
    dispose() {
      training.dispose();
      seen.dispose();
      for (const one of Object.values(frozen)) one.dispose();
    },
  };
}
