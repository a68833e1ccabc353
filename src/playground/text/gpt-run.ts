import { isAdapter } from "../../../examples/lora";
import {
  type Device,
  DeviceError,
  type History,
  type Model,
  type OpenFit,
  softmaxCrossEntropy,
  type Trainer,
  trainer,
} from "../../index";
import { Beside } from "../training/beside";
import { Pace } from "../training/pace";
import { Speed } from "../training/speed";
import type { TextLook, Written } from "./messages";
import { gpt, optimizerOf, type Sizes, viewProgram } from "./network";
import type { Alphabet, parts } from "./text";
import { type Wish, write } from "./writer";

export interface RunParts {
  sizes: Sizes;
  alphabet: Alphabet;
  adapters: boolean;
  /** Null: it writes, and has nothing to learn from. */
  data: ReturnType<typeof parts> | null;
  steps: number;
  /** What it begins with, by name; the rest is drawn by the model's seed. */
  weights: Record<string, Float32Array>;
}

/** One network on one device: trained some steps at a time, judged and heard between. */
export class GptRun {
  readonly pace = new Pace(4, 200);
  readonly speed = new Speed();
  private fit: Promise<OpenFit> | null = null;
  private readonly beside: Beside;

  private constructor(
    readonly parts: RunParts,
    readonly model: Model,
    readonly trainer: Trainer,
  ) {
    this.beside = new Beside(trainer, viewProgram(model, parts.sizes), model.inputs);
  }

  /** Throws DeviceError where the device cannot hold or compile it. */
  static async create(device: Device, parts: RunParts): Promise<GptRun> {
    const { sizes, alphabet, adapters, steps, weights } = parts;
    const model = gpt(alphabet.characters.length, sizes, adapters);
    const made = await trainer(device, model, {
      loss: softmaxCrossEntropy(),
      optimizer: optimizerOf(steps, adapters),
      batchSize: sizes.batch,
      clipNorm: 1,
      ...(adapters && { frozen: Object.keys(model.parameters).filter((name) => !isAdapter(name)) }),
    });
    made.setWeights(weights);
    return new GptRun(parts, model, made);
  }

  get step(): number {
    return this.trainer.steps;
  }

  get recovers(): boolean {
    return this.fit !== null;
  }

  /** Trains up to the next look. */
  async train(): Promise<{ look: TextLook; history: History }> {
    const { parts, trainer, pace, speed } = this;
    if (!parts.data) throw new Error("There is no text to learn from: drop one on the page.");
    const { length, batch } = parts.sizes;
    const compiled = this.fit !== null;
    this.fit ??= trainer.begin(parts.data.training, { recover: true });
    const fit = await this.fit;
    const steps = Math.min(pace.chunk, parts.steps - this.step);
    const began = performance.now();
    const history = await fit.advance(steps);
    speed.mark(this.step);
    if (compiled && steps === pace.chunk) pace.took(performance.now() - began, this.step);
    const mean = history.loss.reduce((sum, loss) => sum + loss, 0) / history.loss.length;
    const look: TextLook = {
      ...{ step: this.step, steps: parts.steps, heldBack: null },
      bits: mean / Math.LN2,
      charactersPerSecond: speed.stepsPerSecond * batch * length,
    };
    return { look, history };
  }

  /** Bits a character of what was held back; null without a text. */
  async heldBack(): Promise<number | null> {
    const { data } = this.parts;
    return data && (await this.trainer.evaluate(data.heldBack)).loss / Math.LN2;
  }

  /** Null where the device goes away meanwhile: the next call that trains finds another. */
  async write(wish: Wish): Promise<Written | null> {
    const { beside, parts, model, trainer } = this;
    const weights = await trainer.weights();
    try {
      const session = await beside.session();
      session.write(weights);
      return await write(session, { ...parts, model }, wish, this.step);
    } catch (error) {
      if (error instanceof DeviceError) return null;
      throw error;
    }
  }

  dispose(): void {
    this.beside.dispose();
    this.trainer.dispose();
  }
}
