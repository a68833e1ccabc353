import {
  adam,
  binaryCrossEntropy,
  cosineDecay,
  dense,
  input,
  type OpenFit,
  type Program,
  parameter,
  sequential,
  type Tensor,
  type Trainer,
  trainer,
} from "../../index";
import type { Digits } from "../data/digits";
import { loadMnist, MNIST_SIDE } from "../data/mnist";
import { Beside } from "../training/beside";
import { type AutoencoderLook, type Progress, SHOWN } from "./messages";
import { Trained } from "./trained";

const PIXELS = MNIST_SIDE * MNIST_SIDE;
const EPOCHS = 30;
const BATCH = 64;
/** Numbers that are left of a digit. */
const CODE = 2;
/** Dense layers by their place in the network, before the code and behind it; a ReLU follows each but the last of either. */
const [BEFORE, BEHIND] = [
  [0, 2, 4],
  [5, 7, 9],
] as const;

/** Source: Hinton and Salakhutdinov 2006. */
export const autoencoderNetwork = () =>
  sequential(PIXELS, [
    dense(128, { activation: "relu" }),
    dense(32, { activation: "relu" }),
    dense(CODE), // what is left of the digit
    dense(32, { activation: "relu" }),
    dense(128, { activation: "relu" }),
    dense(PIXELS),
  ]);

/** A network that squeezes a digit through two numbers and draws it again from them. */
export class AutoencoderTraining extends Trained<AutoencoderLook> {
  private encoder: Beside | null = null;
  private decoder: Beside | null = null;

  constructor() {
    super(EPOCHS, BATCH);
  }

  /** The digits that are held back. */
  async heldBack(): Promise<Digits> {
    return (await loadMnist()).heldBack;
  }

  /** The digit [28, 28] that the network draws from a code of two numbers. */
  decode(code: readonly [number, number]): Promise<Float32Array> {
    return this.after(async () => {
      const { drawn } = (await this.decoder?.run({ code: Float32Array.from(code) })) ?? {};
      return drawn as Float32Array;
    });
  }

  /** The network as a file that takes [rows, 784] and gives what it draws. */
  onnx(): Promise<Uint8Array> {
    return this.after(async () => {
      const { writeOnnx } = await import("../../files/onnx");
      return writeOnnx(autoencoderNetwork(), await this.trainer.weights(), { probabilities: "sigmoid" });
    });
  }

  protected async made(): Promise<Trainer> {
    const { training, heldBack } = await loadMnist();
    const steps = EPOCHS * Math.ceil(training.y.length / BATCH);
    const net = await trainer(await this.open("auto"), autoencoderNetwork(), {
      loss: binaryCrossEntropy(),
      optimizer: adam({ lr: cosineDecay(0.004, steps) }),
      batchSize: BATCH,
    });
    for (const old of [this.encoder, this.decoder]) old?.dispose();
    this.encoder = new Beside(net, part("x", [heldBack.y.length, PIXELS], BEFORE, "codes"), PIXELS);
    this.decoder = new Beside(net, part("code", [1, CODE], BEHIND, "drawn"), PIXELS);
    return net;
  }

  protected async begin(net: Trainer): Promise<OpenFit> {
    const { x } = (await loadMnist()).training;
    return net.begin({ x, y: x }, { recover: true });
  }

  protected async look(progress: Progress): Promise<AutoencoderLook> {
    const { x } = (await loadMnist()).heldBack;
    const drawn = await this.trainer.predict(x);
    const { codes } = (await this.encoder?.run({ x })) ?? {};
    return { ...progress, ...compared(x, drawn), after: drawn.slice(0, SHOWN * PIXELS), codes: codes as Float32Array };
  }
}

/** The mean cross entropy of a pixel, and what share of the pixels' variance about the mean digit is explained. */
export function compared(x: Float32Array, drawn: Float32Array): { heldLoss: number; explained: number } {
  const rows = x.length / PIXELS;
  const mean = new Float64Array(PIXELS);
  x.forEach((value, i) => {
    mean[i % PIXELS] = (mean[i % PIXELS] as number) + value / rows;
  });
  let [loss, errors, variance] = [0, 0, 0];
  x.forEach((value, i) => {
    const p = drawn[i] as number;
    const log = (probability: number) => Math.log(Math.max(probability, 1e-12));
    loss -= value * log(p) + (1 - value) * log(1 - p);
    errors += (value - p) ** 2;
    variance += (value - (mean[i % PIXELS] as number)) ** 2;
  });
  return { heldLoss: loss / x.length, explained: 1 - errors / variance };
}

/** Some of the dense layers over these rows; the last pixels are squashed. */
function part(name: string, shape: readonly [number, number], layers: readonly number[], output: string): Program {
  const { parameters: shapes } = autoencoderNetwork();
  const names = layers.flatMap((layer) => [`${layer}.weight`, `${layer}.bias`]);
  const parameters = Object.fromEntries(names.map((each) => [each, parameter(shapes[each] as number[])]));
  const of = (each: string) => parameters[each] as Tensor;
  const x = input([...shape]);
  let value: Tensor = x;
  layers.forEach((layer, i) => {
    value = value.matmul(of(`${layer}.weight`)).add(of(`${layer}.bias`));
    if (i < layers.length - 1) value = value.relu();
  });
  return { inputs: { [name]: x }, parameters, outputs: { [output]: layers === BEHIND ? value.sigmoid() : value } };
}
