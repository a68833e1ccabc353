import { type Device, grad, input, parameter, randomState, type Session, type Tensor } from "../../index";
import { type Digits, loadDigits } from "../data/digits";
import { curve, digitSheet } from "./charts";
import type { Experiment } from "./experiment";

const hidden = 64;
const shapes = { W1: [64, hidden], b1: [hidden], W2: [hidden, 10], b2: [10] } as const;
type Name = keyof typeof shapes;
const names: readonly Name[] = ["W1", "b1", "W2", "b2"];

const rate = 0.01;
const beta1 = 0.9;
const beta2 = 0.999;
const epsilon = 1e-8;

function scoresOf(x: Tensor, weights: Record<Name, Tensor>): Tensor {
  return x.matmul(weights.W1).add(weights.b1).relu().matmul(weights.W2).add(weights.b2);
}

/**
 * 64-64-10 with ReLU and softmax on 1,437 handwritten digits, all of them in each step; derivatives from `grad`,
 * Adam (Kingma and Ba 2015, algorithm 1) written out as updates. The 360 held back are classified at each step too.
 */
export async function digits(): Promise<Experiment> {
  const { training, heldBack } = await loadDigits(0);

  const x = input([training.y.length, 64]);
  const y = input([training.y.length], "int32");
  const heldX = input([heldBack.y.length, 64]);
  const heldY = input([heldBack.y.length], "int32");
  const weights = byName((name) => parameter(shapes[name]));
  const logProbabilities = scoresOf(x, weights).logSoftmax();
  const loss = y.oneHot(10).mul(logProbabilities).sum().div(-training.y.length);
  const accuracy = scoresOf(heldX, weights).argmax(1).eq(heldY).mean();

  const m = byName((name) => parameter(shapes[name]));
  const v = byName((name) => parameter(shapes[name]));
  const powers = { power1: parameter([]), power2: parameter([]) };
  const power1 = powers.power1.mul(beta1); // beta1^t, for the correction of the moments' start at zero
  const power2 = powers.power2.mul(beta2);
  const updates: Record<string, Tensor> = { power1, power2 };
  const gradients = grad(
    loss,
    names.map((name) => weights[name]),
  );
  for (const [index, name] of names.entries()) {
    const gradient = gradients[index] as Tensor; // grad gives one for each
    const newM = m[name].mul(beta1).add(gradient.mul(1 - beta1));
    const newV = v[name].mul(beta2).add(gradient.square().mul(1 - beta2));
    const correctedM = newM.div(power1.neg().add(1));
    const correctedV = newV.div(power2.neg().add(1));
    updates[name] = weights[name].sub(correctedM.mul(rate).div(correctedV.sqrt().add(epsilon)));
    updates[`m.${name}`] = newM;
    updates[`v.${name}`] = newV;
  }

  const random = randomState(0);
  return {
    id: "digits",
    title: "64-64-10, ReLU and softmax, on 1,437 handwritten digits",
    steps: 200,
    program: {
      inputs: { x, y, heldX, heldY },
      parameters: { ...weights, ...prefixed("m.", m), ...prefixed("v.", v), ...powers },
      outputs: { loss, accuracy },
      updates,
    },
    inputs: { x: training.x, y: training.y, heldX: heldBack.x, heldY: heldBack.y },
    initial: {
      ...prefixed("m.", byName(zeros)),
      ...prefixed("v.", byName(zeros)),
      W1: random.randn(64 * hidden).map((value) => value * Math.sqrt(2 / 64)),
      b1: zeros("b1"),
      W2: random.randn(hidden * 10).map((value) => value * Math.sqrt(2 / hidden)),
      b2: zeros("b2"),
      power1: [1],
      power2: [1],
    },
    weights: names,
    async conclude(device, session, { loss: losses = new Float32Array(), accuracy: right = new Float32Array() }) {
      const predicted = await classify(device, session, heldBack);
      return {
        lines: [accuracyLine(heldBack, predicted)],
        figures: {
          "digits-loss": curve("1,437 digits: cross entropy, and accuracy on 360 held back", [
            { label: "loss", values: losses, logarithmic: true },
            { label: "accuracy", values: right, logarithmic: false },
          ]),
          "digits-held-back": digitSheet(
            "360 digits that were held back, and what 64-64-10 reads",
            heldBack,
            predicted,
          ),
        },
      };
    },
  };
}

async function classify(device: Device, trained: Session, { x, y }: Digits): Promise<Float32Array> {
  const rows = input([y.length, 64]);
  const weights = byName((name) => parameter(shapes[name]));
  const session = await device.compile({
    inputs: { rows },
    parameters: weights,
    outputs: { digit: scoresOf(rows, weights).argmax(1) },
  });
  for (const name of names) session.write({ [name]: await trained.read(name) });
  const { digit = new Float32Array() } = await session.run({ rows: x });
  session.dispose();
  return digit;
}

function accuracyLine(heldBack: Digits, predicted: Float32Array): string {
  const right = heldBack.y.filter((digit, row) => digit === predicted[row]).length;
  const rows = heldBack.y.length;
  return `held back: ${right} of ${rows} read right, ${((100 * right) / rows).toFixed(1)} %`;
}

function byName<T>(make: (name: Name) => T): Record<Name, T> {
  return { W1: make("W1"), b1: make("b1"), W2: make("W2"), b2: make("b2") };
}

function zeros(name: Name): Float32Array {
  return new Float32Array(shapes[name].reduce((size: number, length) => size * length, 1));
}

function prefixed<T>(prefix: string, values: Record<Name, T>): Record<string, T> {
  return Object.fromEntries(names.map((name) => [`${prefix}${name}`, values[name]]));
}
