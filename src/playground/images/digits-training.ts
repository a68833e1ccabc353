import { moved } from "../../../examples/moved";
import {
  adam,
  conv2d,
  cosineDecay,
  dense,
  dropout,
  flatten,
  input,
  maxPool2d,
  type OpenFit,
  type Program,
  parameter,
  randomState,
  sequential,
  softmaxCrossEntropy,
  type Tensor,
  type Trainer,
  trainer,
} from "../../index";
import type { Digits } from "../data/digits";
import { loadMnist, MNIST_SIDE } from "../data/mnist";
import { Beside } from "../training/beside";
import { score } from "../training/score";
import type { DigitsLook, Progress, Reading } from "./messages";
import { Trained } from "./trained";

const PIXELS = MNIST_SIDE * MNIST_SIDE;
const EPOCHS = 15;
const BATCH = 64;
/** Filters of the convolutions and the sides of their kernels; behind each the maps are halved. */
const FIRST = { filters: 8, kernel: 5 };
const SECOND = { filters: 16, kernel: 3 };

/** A smaller LeNet. Source: LeCun et al. 1998, §II. */
export const digitsNetwork = () =>
  sequential(
    [1, MNIST_SIDE, MNIST_SIDE],
    [
      conv2d(FIRST.filters, FIRST.kernel, { activation: "relu" }), // [8, 24, 24]
      maxPool2d(2),
      conv2d(SECOND.filters, SECOND.kernel, { activation: "relu" }), // [16, 10, 10]
      maxPool2d(2),
      flatten(),
      dropout(0.25),
      dense(64, { activation: "relu" }),
      dense(10),
    ],
  );

/** A convolutional network that learns to read digits. */
export class DigitsTraining extends Trained<DigitsLook> {
  private random = randomState(1);
  private seen: Beside | null = null;

  constructor() {
    super(EPOCHS, BATCH);
  }

  /** The digits that are held back, and of how many the network learns. */
  async digits(): Promise<{ heldBack: Digits; training: number }> {
    const { heldBack, training } = await loadMnist();
    return { heldBack, training: training.y.length };
  }

  /** What the network makes of a digit, [28, 28] from 0 to 1. */
  read(pixels: Float32Array): Promise<Reading> {
    return this.after(async () => {
      const shares = await this.trainer.predict(pixels);
      const { first, second } = (await this.seen?.run({ x: pixels })) ?? {};
      const sideOf = (side: number, kernel: number) => side - kernel + 1;
      const one = sideOf(MNIST_SIDE, FIRST.kernel);
      return {
        shares,
        maps: [
          { filters: FIRST.filters, side: one, values: first as Float32Array },
          { filters: SECOND.filters, side: sideOf(one / 2, SECOND.kernel), values: second as Float32Array },
        ],
      };
    });
  }

  /** The network as a file that takes [rows, 1, 28, 28] and gives probabilities. */
  onnx(): Promise<Uint8Array> {
    return this.after(async () => {
      const { writeOnnx } = await import("../../files/onnx");
      return writeOnnx(digitsNetwork(), await this.trainer.weights(), { probabilities: "softmax" });
    });
  }

  protected async made(): Promise<Trainer> {
    const { training } = await loadMnist();
    const steps = EPOCHS * Math.ceil(training.y.length / BATCH);
    const net = await trainer(await this.open("auto"), digitsNetwork(), {
      loss: softmaxCrossEntropy(),
      optimizer: adam({ lr: cosineDecay(0.004, steps, { warmup: 20 }) }),
      batchSize: BATCH,
    });
    this.seen?.dispose();
    this.seen = new Beside(net, seenProgram(), PIXELS);
    this.random = randomState(1);
    return net;
  }

  protected async begin(net: Trainer): Promise<OpenFit> {
    const { x, y } = (await loadMnist()).training;
    // Moved a little each epoch, so that no two show the same; whoever draws does not draw in the middle either.
    return net.begin({ x: moved(x, MNIST_SIDE, 2, this.random), y }, { recover: true });
  }

  protected async look(progress: Progress): Promise<DigitsLook> {
    const { x, y } = (await loadMnist()).heldBack;
    const { share, loss, said, sureness } = score("softmaxCrossEntropy", await this.trainer.predict(x), y, false);
    const kernels = (await this.trainer.weights())["0.weight"] as Float32Array;
    return { ...progress, heldLoss: loss, share, said, sureness, kernels };
  }
}

/** The two convolutions over one digit. */
function seenProgram(): Program {
  const { parameters: shapes } = digitsNetwork();
  const names = ["0.weight", "0.bias", "3.weight", "3.bias"];
  const parameters = Object.fromEntries(names.map((name) => [name, parameter(shapes[name] as number[])]));
  const of = (name: string) => parameters[name] as Tensor;
  const convolved = (x: Tensor, layer: number) =>
    x
      .conv(of(`${layer}.weight`))
      .add(of(`${layer}.bias`).reshape([1, -1, 1, 1]))
      .relu();
  const x = input([1, PIXELS]);
  const first = convolved(x.reshape([1, 1, MNIST_SIDE, MNIST_SIDE]), 0);
  const second = convolved(first.maxPool(2), 3);
  return { inputs: { x }, parameters, outputs: { first, second } };
}
