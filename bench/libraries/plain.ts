import type { Library, Prepared } from "../library";
import { classifierLayers, type Data, recordEvery, type Task } from "../tasks";
import { product, productOfTransposed, transpose } from "./products";

/** The same networks in JavaScript over Float32Array, without a library: arrays made once, loops blocked and fused. */
export const plain: Library = {
  open: async () => "typed arrays",
  async prepare(task, data) {
    switch (task.kind) {
      case "two-layer":
        return loop(task, twoLayer(task, data));
      case "moons":
        return loop(task, moons(data));
      case "classifier":
        return loop(task, classifier(task.batch, data));
      case "matmul":
        return matmul(task.size, data);
      case "many-moons":
      case "cnn":
      case "gpt":
      case "gru":
      case "head":
        throw new Error("nobody writes it by hand");
      default:
        return task satisfies never;
    }
  },
};

/** Takes a step; the loss before it where that is asked for, else anything. */
type Step = (wantsLoss: boolean) => number;

function loop(task: Task, step: Step): Prepared {
  const every = recordEvery(task);
  return {
    async run(steps) {
      const losses: number[] = [];
      for (let i = 0; i < steps; i++) {
        const wanted = i % every === 0;
        const loss = step(wanted);
        if (wanted) losses.push(loss);
      }
      return losses;
    },
    dispose() {},
  };
}

function numbers(data: Data, name: string): Float32Array {
  return Float32Array.from(data[name]?.values ?? []);
}

function twoLayer({ batch, inputs, hidden, outputs, rate }: Extract<Task, { kind: "two-layer" }>, data: Data): Step {
  const [x, y, w1, w2] = ["x", "y", "w1", "w2"].map((name) => numbers(data, name)) as [
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const h = new Float32Array(batch * hidden);
  const gradH = new Float32Array(batch * hidden);
  const gradY = new Float32Array(batch * outputs);
  const w2T = new Float32Array(hidden * outputs);
  const gradW1 = new Float32Array(w1.length);
  const gradW2 = new Float32Array(w2.length);
  return () => {
    product(x, w1, h, batch, inputs, hidden);
    for (let i = 0; i < h.length; i++) h[i] = Math.max(h[i] as number, 0);
    product(h, w2, gradY, batch, hidden, outputs);
    let loss = 0;
    for (let i = 0; i < gradY.length; i++) {
      const residue = (gradY[i] as number) - (y[i] as number);
      loss += residue * residue;
      gradY[i] = 2 * residue;
    }
    productOfTransposed(h, gradY, gradW2, hidden, batch, outputs);
    transpose(w2, w2T, hidden, outputs);
    product(gradY, w2T, gradH, batch, outputs, hidden);
    for (let i = 0; i < h.length; i++) if ((h[i] as number) <= 0) gradH[i] = 0;
    productOfTransposed(x, gradH, gradW1, inputs, batch, hidden);
    descend(w1, gradW1, rate);
    descend(w2, gradW2, rate);
    return loss;
  };
}

function descend(weights: Float32Array, gradient: Float32Array, rate: number): void {
  for (let i = 0; i < weights.length; i++) weights[i] = (weights[i] as number) - rate * (gradient[i] as number);
}

/** Point by point, so that nothing but the weights is in memory. */
function moons(data: Data): Step {
  const X = numbers(data, "X");
  const y = data.y?.values ?? new Int32Array(0);
  const [W1, b1, W2, b2] = ["W1", "b1", "W2", "b2"].map((name) => numbers(data, name)) as [
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const [g1, c1, g2, c2, a] = [6, 3, 6, 2, 3].map((n) => new Float32Array(n)) as [
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const [penalty, rate] = [0.01, 0.01];
  return (wantsLoss) => {
    let loss = 0;
    for (let i = 0; i < 6; i++) {
      g1[i] = penalty * (W1[i] as number);
      g2[i] = penalty * (W2[i] as number);
      if (wantsLoss) loss += (penalty / 2) * ((W1[i] as number) ** 2 + (W2[i] as number) ** 2);
    }
    c1.fill(0);
    c2.fill(0);
    for (let row = 0; row < y.length; row++) {
      const x0 = X[2 * row] as number;
      const x1 = X[2 * row + 1] as number;
      let s0 = b2[0] as number;
      let s1 = b2[1] as number;
      for (let j = 0; j < 3; j++) {
        const value = Math.tanh(x0 * (W1[j] as number) + x1 * (W1[3 + j] as number) + (b1[j] as number));
        a[j] = value;
        s0 += value * (W2[2 * j] as number);
        s1 += value * (W2[2 * j + 1] as number);
      }
      const most = Math.max(s0, s1);
      const e0 = Math.exp(s0 - most);
      const e1 = Math.exp(s1 - most);
      const isOne = y[row] === 1;
      if (wantsLoss) loss += Math.log(e0 + e1) - ((isOne ? s1 : s0) - most);
      const d0 = e0 / (e0 + e1) - (isOne ? 0 : 1);
      const d1 = e1 / (e0 + e1) - (isOne ? 1 : 0);
      c2[0] = (c2[0] as number) + d0;
      c2[1] = (c2[1] as number) + d1;
      for (let j = 0; j < 3; j++) {
        const value = a[j] as number;
        g2[2 * j] = (g2[2 * j] as number) + value * d0;
        g2[2 * j + 1] = (g2[2 * j + 1] as number) + value * d1;
        const dz = (d0 * (W2[2 * j] as number) + d1 * (W2[2 * j + 1] as number)) * (1 - value * value);
        c1[j] = (c1[j] as number) + dz;
        g1[j] = (g1[j] as number) + x0 * dz;
        g1[3 + j] = (g1[3 + j] as number) + x1 * dz;
      }
    }
    descend(W1, g1, rate);
    descend(b1, c1, rate);
    descend(W2, g2, rate);
    descend(b2, c2, rate);
    return loss / y.length;
  };
}

function classifier(batch: number, data: Data): Step {
  const x = numbers(data, "x");
  const y = data.y?.values ?? new Int32Array(0);
  const layers = classifierLayers().map(({ weight, bias, inputs, units }) => ({
    inputs,
    units,
    w: numbers(data, weight),
    b: numbers(data, bias),
    wT: new Float32Array(inputs * units),
    gw: new Float32Array(inputs * units),
    gb: new Float32Array(units),
    out: new Float32Array(batch * units),
    gradient: new Float32Array(batch * units),
    moments: [0, 1].map((which) => ({
      m: new Float32Array(which === 0 ? inputs * units : units),
      v: new Float32Array(which === 0 ? inputs * units : units),
    })),
  }));
  const top = layers[layers.length - 1] as (typeof layers)[number];
  let taken = 0;
  return () => {
    let h = x;
    for (const layer of layers) {
      product(h, layer.w, layer.out, batch, layer.inputs, layer.units);
      addBias(layer.out, layer.b, layer === top);
      h = layer.out;
    }
    const loss = softmaxGradient(top.out, y, top.gradient, top.units);
    for (let l = layers.length - 1; l >= 0; l--) {
      const { inputs, units, w, wT, gw, gb, gradient } = layers[l] as (typeof layers)[number];
      const below = layers[l - 1];
      productOfTransposed(below?.out ?? x, gradient, gw, inputs, batch, units);
      sumRows(gradient, gb);
      if (!below) continue;
      transpose(w, wT, inputs, units);
      product(gradient, wT, below.gradient, batch, units, inputs);
      for (let i = 0; i < below.out.length; i++) if ((below.out[i] as number) <= 0) below.gradient[i] = 0;
    }
    taken++;
    for (const { w, b, gw, gb, moments } of layers) {
      const [ofWeight, ofBias] = moments as [Moments, Moments];
      adam(w, gw, ofWeight, taken);
      adam(b, gb, ofBias, taken);
    }
    return loss;
  };
}

function addBias(out: Float32Array, bias: Float32Array, isTop: boolean): void {
  const units = bias.length;
  for (let start = 0; start < out.length; start += units) {
    for (let j = 0; j < units; j++) {
      const value = (out[start + j] as number) + (bias[j] as number);
      out[start + j] = isTop ? value : Math.max(value, 0);
    }
  }
}

function softmaxGradient(scores: Float32Array, y: ArrayLike<number>, gradient: Float32Array, classes: number): number {
  const rows = scores.length / classes;
  let loss = 0;
  for (let row = 0; row < rows; row++) {
    const start = row * classes;
    let most = Number.NEGATIVE_INFINITY;
    for (let j = 0; j < classes; j++) most = Math.max(most, scores[start + j] as number);
    let sum = 0;
    for (let j = 0; j < classes; j++) sum += Math.exp((scores[start + j] as number) - most);
    const label = y[row] as number;
    loss += Math.log(sum) + most - (scores[start + label] as number);
    for (let j = 0; j < classes; j++) {
      const share = Math.exp((scores[start + j] as number) - most) / sum;
      gradient[start + j] = (share - (j === label ? 1 : 0)) / rows;
    }
  }
  return loss / rows;
}

function sumRows(values: Float32Array, sums: Float32Array): void {
  sums.fill(0);
  const units = sums.length;
  for (let start = 0; start < values.length; start += units) {
    for (let j = 0; j < units; j++) sums[j] = (sums[j] as number) + (values[start + j] as number);
  }
}

interface Moments {
  m: Float32Array;
  v: Float32Array;
}

function adam(p: Float32Array, g: Float32Array, { m, v }: Moments, step: number): void {
  const stepSize = 0.001 / (1 - 0.9 ** step);
  const inverseRoot = 1 / Math.sqrt(1 - 0.999 ** step);
  for (let i = 0; i < p.length; i++) {
    const gradient = g[i] as number;
    const nextM = 0.9 * (m[i] as number) + (1 - 0.9) * gradient;
    const nextV = 0.999 * (v[i] as number) + (1 - 0.999) * gradient * gradient;
    m[i] = nextM;
    v[i] = nextV;
    p[i] = (p[i] as number) - (stepSize * nextM) / (Math.sqrt(nextV) * inverseRoot + 1e-8);
  }
}

function matmul(size: number, data: Data): Prepared {
  const [a, b, c] = [numbers(data, "a"), numbers(data, "b"), new Float32Array(size * size)];
  return {
    async run(steps) {
      for (let step = 0; step < steps; step++) product(a, b, c, size, size, size);
      return [];
    },
    row: async (row) => Array.from(c.subarray(row * size, (row + 1) * size)),
    dispose() {},
  };
}
