import { input, parameter, randomState } from "../../index";
import { curve } from "./charts";
import type { Experiment } from "./experiment";

const rows = 64;
const rate = 1e-6;

/**
 * x [64, 1000] -> 100 ReLU -> 10, no biases, the gradients written by hand, fitted to random numbers.
 * Source: "Warm-up: numpy" of PyTorch's tutorial "Learning PyTorch with Examples"; NumPy's draws from seed 0.
 */
export function twoLayer(): Experiment {
  const x = input([rows, 1000]);
  const y = input([rows, 10]);
  const w1 = parameter([1000, 100]);
  const w2 = parameter([100, 10]);

  const h = x.matmul(w1);
  const hRelu = h.relu();
  const residue = hRelu.matmul(w2).sub(y);
  const loss = residue.square().sum();

  const gradPrediction = residue.mul(2);
  const gradW2 = hRelu.T.matmul(gradPrediction);
  const gradH = gradPrediction.matmul(w2.T).mask(h.ge(0));
  const gradW1 = x.T.matmul(gradH);

  const random = randomState(0);
  const inputs = { x: random.randn(rows * 1000), y: random.randn(rows * 10) };
  const initial = { w1: random.randn(1000 * 100), w2: random.randn(100 * 10) };

  return {
    id: "two-layer",
    title: "1000-100-10, ReLU, on random numbers",
    steps: 500,
    program: {
      inputs: { x, y },
      parameters: { w1, w2 },
      outputs: { loss },
      updates: { w1: w1.sub(gradW1.mul(rate)), w2: w2.sub(gradW2.mul(rate)) },
    },
    inputs,
    initial,
    weights: ["w1", "w2"],
    async conclude(_device, _session, { loss: losses = new Float32Array() }) {
      const first = losses[0] ?? Number.NaN;
      const last = losses[losses.length - 1] ?? Number.NaN;
      return {
        lines: [`squared error ${first.toExponential(4)} at step 0, ${last.toExponential(2)} at the last`],
        figures: {
          "two-layer-loss": curve("1000-100-10 on random numbers: squared error", [
            { label: "loss", values: losses, logarithmic: true },
          ]),
        },
      };
    },
  };
}
