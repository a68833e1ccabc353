import {
  blockUntilReady,
  defaultDevice,
  init,
  type Array as Jax,
  jit,
  nn,
  numpy as np,
  valueAndGrad,
  vmap,
} from "@jax-js/jax";
import type { Library, Prepared } from "../library";
import { classifierLayers, type Data, recordEvery, type Task } from "../tasks";
import { array, type Training } from "./jax-arrays";
import { head, network } from "./jax-networks";

/** jax-js, each step one jitted function. What is passed on is consumed, so what is used again is passed as `.ref`. */
export function jax(backend: "webgpu" | "wasm"): Library {
  return {
    async open() {
      const devices = await init(backend);
      if (!devices.includes(backend)) throw new Error(`jax-js does not start its backend ${backend}`);
      defaultDevice(backend);
      return `jax-js, ${backend}`;
    },
    async prepare(task, data) {
      switch (task.kind) {
        case "two-layer":
          return loop(task, twoLayer(task.rate, data));
        case "moons":
          return loop(
            task,
            moons(data, (step) => step),
          );
        case "many-moons":
          return loop(
            task,
            moons(data, (step) => vmap(step, [0, 0, 0, 0, null, null])),
          );
        case "classifier":
          return loop(task, classifier(data));
        case "matmul":
          return matmul(data);
        case "cnn":
        case "gpt":
        case "gru":
          return loop(task, network(task, data));
        case "head":
          return loop(task, head(task, data));
        default:
          return task satisfies never;
      }
    },
  };
}

function loop(task: Task, training: Training): Prepared {
  const every = recordEvery(task);
  return {
    async run(steps) {
      const values: number[] = [];
      for (let step = 0; step < steps; step++) {
        const loss = training.step(step % every === 0);
        if (loss) values.push((await loss.data())[0] as number);
        else if (step % 20 === 19) await blockUntilReady(training.last()); // or what is queued grows without end
      }
      await blockUntilReady(training.last());
      return values;
    },
    dispose: () => training.dispose(),
  };
}

function twoLayer(rate: number, data: Data): Training {
  const [x, y] = [array(data.x), array(data.y)];
  let [w1, w2] = [array(data.w1), array(data.w2)];
  const step = jit((w1: Jax, w2: Jax, x: Jax, y: Jax) => {
    const h = np.matmul(x.ref, w1.ref);
    const hRelu = nn.relu(h.ref);
    const residue = np.matmul(hRelu.ref, w2.ref).sub(y);
    const loss = np.sum(np.square(residue.ref));
    const gradY = residue.mul(2);
    const gradW2 = np.matmul(hRelu.transpose(), gradY.ref);
    const gradH = np.where(h.greaterEqual(0), np.matmul(gradY, w2.ref.transpose()), 0);
    const gradW1 = np.matmul(x.transpose(), gradH);
    return [w1.sub(gradW1.mul(rate)), w2.sub(gradW2.mul(rate)), loss];
  });
  return {
    step() {
      const [nextW1, nextW2, loss] = step(w1, w2, x.ref, y.ref) as [Jax, Jax, Jax];
      w1 = nextW1;
      w2 = nextW2;
      return loss;
    },
    last: () => w2,
    dispose() {
      for (const one of [x, y, w1, w2]) one.dispose();
      step.dispose();
    },
  };
}

type OfMoons<R> = (W1: Jax, b1: Jax, W2: Jax, b2: Jax, X: Jax, classes: Jax) => R;

/** `many` makes of a function of one network's weights that of those that there are. */
function moons(data: Data, many: <R extends Jax | Jax[]>(step: OfMoons<R>) => OfMoons<R>): Training {
  const X = array(data.X);
  const classes = nn.oneHot(array(data.y), 2);
  const penalty = 0.01;
  const rate = 0.01;
  type Four = [Jax, Jax, Jax, Jax];
  let weights = [data.W1, data.b1, data.W2, data.b2].map(array) as Four;
  const stepOf = (W1: Jax, b1: Jax, W2: Jax, b2: Jax, X: Jax, classes: Jax): Jax[] => {
    const a = np.tanh(np.matmul(X.ref, W1.ref).add(b1.ref));
    const d = nn.softmax(np.matmul(a.ref, W2.ref).add(b2.ref)).sub(classes);
    const dz = np.matmul(d.ref, W2.ref.transpose()).mul(np.square(a.ref).neg().add(1));
    return [
      W1.ref.sub(np.matmul(X.transpose(), dz.ref).add(W1.mul(penalty)).mul(rate)),
      b1.sub(np.sum(dz, 0, { keepdims: true }).mul(rate)),
      W2.ref.sub(np.matmul(a.transpose(), d.ref).add(W2.mul(penalty)).mul(rate)),
      b2.sub(np.sum(d, 0, { keepdims: true }).mul(rate)),
    ];
  };
  const ofOne = (W1: Jax, b1: Jax, W2: Jax, b2: Jax, X: Jax, classes: Jax): Jax => {
    const a = np.tanh(np.matmul(X, W1.ref).add(b1));
    const scores = np.matmul(a, W2.ref).add(b2);
    const squares = np.sum(np.square(W1)).add(np.sum(np.square(W2)));
    const entropy = np.sum(nn.logSoftmax(scores).mul(classes));
    return squares
      .mul(penalty / 2)
      .sub(entropy)
      .div(200);
  };
  const [step, lossOf] = [jit(many(stepOf)), jit(many(ofOne))];
  return {
    step(wantsLoss) {
      const loss = wantsLoss ? lossOf(...(weights.map((w) => w.ref) as Four), X.ref, classes.ref) : null;
      weights = step(...weights, X.ref, classes.ref) as Four;
      return loss;
    },
    last: () => weights[3],
    dispose() {
      for (const one of [X, classes, ...weights]) one.dispose();
      step.dispose();
      lossOf.dispose();
    },
  };
}

function classifier(data: Data): Training {
  const x = array(data.x);
  const labels = nn.oneHot(array(data.y), 10);
  const rows = x.shape[0] as number;
  const names = classifierLayers().flatMap(({ weight, bias }) => [weight, bias]);
  let weights = names.map((name) => array(data[name]));
  let moments = weights.map(({ shape }) => np.zeros(shape));
  let squares = weights.map(({ shape }) => np.zeros(shape));
  let taken = 0;
  const lossOf = (weights: Jax[], x: Jax, labels: Jax): Jax => {
    let h = x;
    for (let layer = 0; 2 * layer < weights.length; layer++) {
      const [weight, bias] = [weights[2 * layer], weights[2 * layer + 1]] as [Jax, Jax];
      h = np.matmul(layer > 0 ? nn.relu(h) : h, weight).add(bias);
    }
    return np.sum(nn.logSoftmax(h).mul(labels)).div(-rows);
  };
  const step = jit(
    (weights: Jax[], moments: Jax[], squares: Jax[], x: Jax, labels: Jax, stepSize: Jax, inverseRoot: Jax) => {
      const [loss, gradients] = valueAndGrad(lossOf)(
        weights.map((w) => w.ref),
        x,
        labels,
      ) as [Jax, Jax[]];
      const m = moments.map((old, i) => old.mul(0.9).add((gradients[i] as Jax).ref.mul(0.1)));
      const v = squares.map((old, i) => old.mul(0.999).add(np.square(gradients[i] as Jax).mul(1 - 0.999)));
      const next = weights.map((w, i) => {
        const root = np
          .sqrt((v[i] as Jax).ref)
          .mul(inverseRoot.ref)
          .add(1e-8);
        return w.sub((m[i] as Jax).ref.mul(stepSize.ref).div(root));
      });
      stepSize.dispose();
      inverseRoot.dispose();
      return { weights: next, m, v, loss };
    },
  );
  return {
    step() {
      taken++;
      const stepSize = np.array(Float32Array.of(0.001 / (1 - 0.9 ** taken)), { shape: [] });
      const inverseRoot = np.array(Float32Array.of(1 / Math.sqrt(1 - 0.999 ** taken)), { shape: [] });
      const done = step(weights, moments, squares, x.ref, labels.ref, stepSize, inverseRoot);
      weights = done.weights;
      moments = done.m;
      squares = done.v;
      return done.loss;
    },
    last: () => weights[5] as Jax,
    dispose() {
      for (const one of [x, labels, ...weights, ...moments, ...squares]) one.dispose();
      step.dispose();
    },
  };
}

function matmul(data: Data): Prepared {
  const [a, b] = [array(data.a), array(data.b)];
  const product = jit((a: Jax, b: Jax) => np.matmul(a, b));
  const together = 4; // products that may be under way: what is dropped before it is waited for is never computed
  const last: Jax[] = [];
  const drop = () => {
    for (const c of last.splice(0)) c.dispose();
  };
  return {
    async run(steps) {
      for (let done = 0; done < steps; done += together) {
        drop();
        for (let i = done; i < Math.min(steps, done + together); i++) last.push(product(a.ref, b.ref));
        await blockUntilReady(last);
      }
      return [];
    },
    async row(row) {
      const size = b.shape[1] as number;
      const all = await (last[last.length - 1] as Jax).ref.data();
      return Array.from(all.subarray(row * size, (row + 1) * size));
    },
    dispose() {
      drop();
      a.dispose();
      b.dispose();
      product.dispose();
    },
  };
}
