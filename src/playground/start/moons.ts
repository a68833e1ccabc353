import { type Device, input, moons as moonPoints, parameter, randomState, type Tensor } from "../../index";
import { boundary, curve, type Plane } from "./charts";
import type { Experiment } from "./experiment";

const rows = 200;
const hidden = 3;
const rate = 0.01;
const penalty = 0.01;
const passes = 20_000;

function parameters(): Record<"W1" | "b1" | "W2" | "b2", Tensor> {
  return { W1: parameter([2, hidden]), b1: parameter([1, hidden]), W2: parameter([hidden, 2]), b2: parameter([1, 2]) };
}

function forward(x: Tensor, { W1, b1, W2, b2 }: ReturnType<typeof parameters>): { a: Tensor; scores: Tensor } {
  const a = x.matmul(W1).add(b1).tanh();
  return { a, scores: a.matmul(W2).add(b2) };
}

/**
 * 2-3-2 with tanh and softmax on 200 points of two moons; gradients summed over the points and written by hand.
 * Source: Denny Britz, "Implementing a Neural Network from Scratch in Python"; NumPy's draws from seed 0.
 */
export function moons(): Experiment {
  const x = input([rows, 2]);
  const y = input([rows], "int32");
  const weights = parameters();
  const { W1, b1, W2, b2 } = weights;
  const { a, scores } = forward(x, weights);
  const truth = y.oneHot(2);
  const crossEntropy = truth.mul(scores.logSoftmax()).sum().neg();
  const squares = W1.square().sum().add(W2.square().sum());
  const loss = crossEntropy.add(squares.mul(penalty / 2)).div(rows);

  const gradScores = scores.softmax().sub(truth);
  const gradZ = gradScores.matmul(W2.T).mul(a.square().neg().add(1));
  const gradients = {
    W1: x.T.matmul(gradZ).add(W1.mul(penalty)),
    b1: gradZ.sum(0, { keepDims: true }),
    W2: a.T.matmul(gradScores).add(W2.mul(penalty)),
    b2: gradScores.sum(0, { keepDims: true }),
  };

  const points = moonPoints(rows, { noise: 0.2, seed: 0 });
  const random = randomState(0);
  const initial = {
    W1: random.randn(2 * hidden).map((value) => value / Math.sqrt(2)),
    b1: new Float32Array(hidden),
    W2: random.randn(hidden * 2).map((value) => value / Math.sqrt(hidden)),
    b2: new Float32Array(2),
  };

  return {
    id: "moons",
    title: "2-3-2, tanh and softmax, on two moons",
    steps: passes,
    program: {
      inputs: { x, y },
      parameters: weights,
      outputs: { loss },
      updates: {
        W1: W1.sub(gradients.W1.mul(rate)),
        b1: b1.sub(gradients.b1.mul(rate)),
        W2: W2.sub(gradients.W2.mul(rate)),
        b2: b2.sub(gradients.b2.mul(rate)),
      },
    },
    inputs: { x: points.x, y: points.y },
    initial,
    weights: ["W1", "b1", "W2", "b2"],
    async conclude(device, session, { loss: losses = new Float32Array() }) {
      const trained = {
        W1: await session.read("W1"),
        b1: await session.read("b1"),
        W2: await session.read("W2"),
        b2: await session.read("b2"),
      };
      const plane = { x: [-1.8, 2.8], y: [-1.3, 1.8], columns: 184, rows: 124 } as const;
      return {
        lines: [
          ...lossLines(losses),
          "NumPy ends at 0.07132, or at 0.07076 by the order of its sums: passes 1,000 to 3,000 are unstable",
        ],
        figures: {
          "moons-loss": curve("Two moons: mean cross entropy with penalty", [
            { label: "loss", values: losses, logarithmic: true },
          ]),
          "moons-boundary": boundary(
            "Two moons: what 2-3-2 decides",
            points,
            plane,
            await probabilities(device, trained, plane),
          ),
        },
      };
    },
  };
}

/** The loss after pass 0, 1000, …, with the weights that the pass left: the loss before the step that follows. */
function lossLines(losses: Float32Array): string[] {
  const lines: string[] = [];
  for (let pass = 0; pass + 1 < losses.length; pass += 5000) {
    const shown = [0, 1000, 2000, 3000, 4000]
      .map((more) => pass + more)
      .filter((at) => at + 1 < losses.length)
      .map((at) => `${at}: ${(losses[at + 1] as number).toFixed(6)}`);
    lines.push(`${pass === 0 ? "loss after pass " : "                "}${shown.join("   ")}`);
  }
  return lines;
}

/** The probability of class 1 at each point of a grid, row by row from the top. */
async function probabilities(
  device: Device,
  trained: Record<string, Float32Array>,
  plane: Plane,
): Promise<Float32Array> {
  const count = plane.columns * plane.rows;
  const grid = new Float32Array(count * 2);
  for (let row = 0; row < plane.rows; row++) {
    for (let column = 0; column < plane.columns; column++) {
      const at = (row * plane.columns + column) * 2;
      grid[at] = plane.x[0] + ((column + 0.5) / plane.columns) * (plane.x[1] - plane.x[0]);
      grid[at + 1] = plane.y[1] - ((row + 0.5) / plane.rows) * (plane.y[1] - plane.y[0]);
    }
  }
  const x = input([count, 2]);
  const weights = parameters();
  const session = await device.compile({
    inputs: { x },
    parameters: weights,
    outputs: { probability: forward(x, weights).scores.softmax() },
  });
  session.write(trained);
  const { probability = new Float32Array() } = await session.run({ x: grid });
  session.dispose();
  return probability.filter((_, index) => index % 2 === 1);
}
