import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-core/dist/register_all_gradients";
import type { Library, Prepared } from "../library";
import { classifierLayers, type Data, recordEvery, type Task } from "../tasks";
import { type Training, tensor } from "./tfjs-arrays";
import { head, network } from "./tfjs-networks";

/** TensorFlow.js. The programs are those of the task by hand, as one ports them from NumPy; the classifier has TF.js's own Adam. */
export function tfjs(backend: "webgpu" | "wasm" | "cpu"): Library {
  return {
    async open() {
      if (backend === "webgpu") await import("@tensorflow/tfjs-backend-webgpu");
      else if (backend === "wasm") await openWasm();
      else await import("@tensorflow/tfjs-backend-cpu");
      if (!(await tf.setBackend(backend))) throw new Error(`TF.js does not start its backend ${backend}`);
      await tf.ready();
      return `TF.js ${tf.version_core}, ${tf.getBackend()}`;
    },
    async prepare(task, data) {
      switch (task.kind) {
        case "two-layer":
          return loop(task, twoLayer(task.rate, data));
        case "moons":
          return loop(task, moons(data));
        case "many-moons":
          throw new Error("it has no vmap");
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

async function openWasm(): Promise<void> {
  const [{ setWasmPaths }, plain, simd, threaded] = await Promise.all([
    import("@tensorflow/tfjs-backend-wasm"),
    import("@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm?url"),
    import("@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url"),
    import("@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-threaded-simd.wasm?url"),
  ]);
  setWasmPaths({
    "tfjs-backend-wasm.wasm": plain.default,
    "tfjs-backend-wasm-simd.wasm": simd.default,
    "tfjs-backend-wasm-threaded-simd.wasm": threaded.default,
  });
}

/** Losses stay on the device until the steps are queued: TF.js is not made to wait for any. */
function loop(task: Task, training: Training): Prepared {
  const every = recordEvery(task);
  return {
    async run(steps) {
      const losses: tf.Tensor[] = [];
      for (let step = 0; step < steps; step++) {
        const loss = training.step(step % every === 0);
        if (loss) losses.push(loss);
      }
      const values = await Promise.all(losses.map(async (loss) => (await loss.data())[0] as number));
      await training.last().data();
      tf.dispose(losses);
      return values;
    },
    dispose: () => training.dispose(),
  };
}

function twoLayer(rate: number, data: Data): Training {
  const [x, y] = [tensor(data.x) as tf.Tensor2D, tensor(data.y)];
  let [w1, w2] = [tensor(data.w1) as tf.Tensor2D, tensor(data.w2) as tf.Tensor2D];
  return {
    step() {
      const [nextW1, nextW2, loss] = tf.tidy(() => {
        const h = tf.matMul(x, w1);
        const hRelu = tf.relu(h);
        const residue = tf.sub(tf.matMul(hRelu, w2), y);
        const gradY = tf.mul(residue, 2) as tf.Tensor2D;
        const gradW2 = tf.matMul(hRelu, gradY, true, false);
        const gradH = tf.mul(tf.matMul(gradY, w2, false, true), tf.step(h)) as tf.Tensor2D;
        const gradW1 = tf.matMul(x, gradH, true, false);
        return [
          tf.sub(w1, tf.mul(gradW1, rate)) as tf.Tensor2D,
          tf.sub(w2, tf.mul(gradW2, rate)) as tf.Tensor2D,
          tf.sum(tf.square(residue)),
        ] as const as [tf.Tensor2D, tf.Tensor2D, tf.Tensor];
      });
      tf.dispose([w1, w2]);
      w1 = nextW1;
      w2 = nextW2;
      return loss;
    },
    last: () => w2,
    dispose: () => tf.dispose([x, y, w1, w2]),
  };
}

function moons(data: Data): Training {
  const X = tensor(data.X) as tf.Tensor2D;
  const classes = tf.tidy(() => tf.cast(tf.oneHot(tensor(data.y) as tf.Tensor1D, 2), "float32"));
  const penalty = 0.01;
  const rate = 0.01;
  let weights = [data.W1, data.b1, data.W2, data.b2].map((array) => tensor(array) as tf.Tensor2D) as Four;
  type Four = [tf.Tensor2D, tf.Tensor2D, tf.Tensor2D, tf.Tensor2D];
  return {
    step(wantsLoss) {
      const [W1, b1, W2, b2] = weights;
      const { loss, ...next } = tf.tidy(() => {
        const a = tf.tanh(tf.add(tf.matMul(X, W1), b1)) as tf.Tensor2D;
        const scores = tf.add(tf.matMul(a, W2), b2);
        const d = tf.sub(tf.softmax(scores), classes) as tf.Tensor2D;
        const dz = tf.mul(tf.matMul(d, W2, false, true), tf.sub(1, tf.square(a))) as tf.Tensor2D;
        const less = (w: tf.Tensor2D, g: tf.Tensor) => tf.sub(w, tf.mul(g, rate)) as tf.Tensor2D;
        const found: { W1: tf.Tensor2D; b1: tf.Tensor2D; W2: tf.Tensor2D; b2: tf.Tensor2D; loss?: tf.Tensor } = {
          W1: less(W1, tf.add(tf.matMul(X, dz, true), tf.mul(W1, penalty))),
          b1: less(b1, tf.sum(dz, 0, true)),
          W2: less(W2, tf.add(tf.matMul(a, d, true), tf.mul(W2, penalty))),
          b2: less(b2, tf.sum(d, 0, true)),
        };
        if (wantsLoss) {
          const squares = tf.add(tf.sum(tf.square(W1)), tf.sum(tf.square(W2)));
          const entropy = tf.sum(tf.mul(tf.logSoftmax(scores), classes));
          found.loss = tf.div(tf.sub(tf.mul(squares, penalty / 2), entropy), 200);
        }
        return found;
      });
      tf.dispose(weights);
      weights = [next.W1, next.b1, next.W2, next.b2];
      return loss ?? null;
    },
    last: () => weights[3],
    dispose: () => tf.dispose([X, classes, ...weights]),
  };
}

function classifier(data: Data): Training {
  const x = tensor(data.x) as tf.Tensor2D;
  const labels = tf.tidy(() => tf.cast(tf.oneHot(tensor(data.y) as tf.Tensor1D, 10), "float32"));
  const layers = classifierLayers().map(({ weight, bias }) => ({
    weight: tf.variable(tensor(data[weight]) as tf.Tensor2D),
    bias: tf.variable(tensor(data[bias])),
  }));
  const variables = layers.flatMap(({ weight, bias }) => [weight, bias]);
  const optimizer = tf.train.adam(0.001, 0.9, 0.999, 1e-8);
  const lossOf = () => {
    let h: tf.Tensor = x;
    for (const [layer, { weight, bias }] of layers.entries()) {
      h = tf.add(tf.matMul(layer > 0 ? tf.relu(h) : h, weight), bias);
    }
    return tf.losses.softmaxCrossEntropy(labels, h) as tf.Scalar;
  };
  return {
    step: () => optimizer.minimize(lossOf, true, variables),
    last: () => variables[5] as tf.Tensor,
    dispose: () => {
      optimizer.dispose();
      tf.dispose([x, labels, ...variables]);
    },
  };
}

function matmul(data: Data): Prepared {
  const [a, b] = [tensor(data.a) as tf.Tensor2D, tensor(data.b) as tf.Tensor2D];
  let c: tf.Tensor2D | undefined;
  const rowOf = async (row: number) => {
    const slice = tf.slice(c as tf.Tensor2D, [row, 0], [1, b.shape[1]]);
    const values = await slice.data();
    slice.dispose();
    return Array.from(values);
  };
  return {
    async run(steps) {
      for (let step = 0; step < steps; step++) {
        c?.dispose();
        c = tf.matMul(a, b);
      }
      await rowOf(0);
      return [];
    },
    row: rowOf,
    dispose: () => tf.dispose(c ? [a, b, c] : [a, b]),
  };
}
