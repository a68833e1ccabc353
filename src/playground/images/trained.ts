import type { History, OpenFit, Trainer } from "../../index";
import { factsOf } from "../training/device";
import { Pace } from "../training/pace";
import { Speed } from "../training/speed";
import { Training } from "../training/training";
import type { Begun, Progress } from "./messages";

/** Between two looks, in milliseconds: a look has every picture that is held back read. */
const LOOK_MS = 250;

/** A network that is trained while it is watched, for so many epochs. Each is a fit of its own: its pictures are others. */
export abstract class Trained<Look extends Progress> extends Training<Begun | { kind: "look"; look: Look }> {
  private net: Trainer | null = null;
  private fit: OpenFit | null = null;
  private loss: number | null = null;
  /** Epochs that are begun. */
  private epochs = 0;
  private pace = new Pace(4, LOOK_MS);
  private speed = new Speed();

  constructor(
    private readonly lastEpoch: number,
    private readonly batch: number,
  ) {
    super();
  }

  /** Makes the network, and another in its place where there is one; then it begins to train. */
  make(): Promise<void> {
    this.training = false;
    return this.after(() => this.guarded(() => this.making()));
  }

  save(): Promise<Uint8Array> {
    return this.after(() => this.trainer.save());
  }

  /** A new trainer, and what else is there for it; frees what was there before. */
  protected abstract made(): Promise<Trainer>;
  /** A fit of one more epoch, which outlives its device. */
  protected abstract begin(trainer: Trainer, epoch: number): Promise<OpenFit>;
  protected abstract look(progress: Progress): Promise<Look>;

  protected get trainer(): Trainer {
    if (!this.net) throw new Error("There is no network yet.");
    return this.net;
  }

  protected async advance(): Promise<void> {
    await this.guarded(() => this.steps());
  }

  protected override started(): void {
    this.speed.restart();
  }

  protected outlive(): void {
    if (this.net === null) {
      this.opened = null;
      return;
    }
    if (this.fit === null) void this.make();
    else if (!this.training) void this.after(() => this.guarded(() => this.show()));
  }

  protected release(): void {
    this.net?.dispose();
    this.net = null;
  }

  private async making(): Promise<void> {
    const device = await this.open("auto");
    this.release();
    this.net = await this.made();
    this.fit = null;
    this.loss = null;
    this.epochs = 0;
    this.pace = new Pace(4, LOOK_MS);
    this.speed = new Speed();
    this.tell({ kind: "begun", device: factsOf(device) });
    void this.train();
  }

  private async steps(): Promise<void> {
    const { trainer, pace } = this;
    if (this.fit === null || this.fit.step >= this.fit.stepsPerEpoch) {
      if (this.epochs >= this.lastEpoch) return this.finish();
      this.fit = await this.begin(trainer, this.epochs);
      this.epochs++;
    }
    const { fit } = this;
    const began = performance.now();
    const steps = Math.min(pace.chunk, fit.stepsPerEpoch - fit.step);
    const { loss, recovered }: History = await fit.advance(steps);
    this.moved(trainer.device, recovered?.at(-1)?.step ?? trainer.steps);
    this.loss = loss.reduce((sum, each) => sum + each / loss.length, 0);
    this.speed.mark(trainer.steps);
    if (steps === pace.chunk) pace.took(performance.now() - began, trainer.steps);
    await this.show();
    if (this.epochs >= this.lastEpoch && fit.step >= fit.stepsPerEpoch) this.finish();
  }

  private async show(): Promise<void> {
    const { trainer, fit, epochs, loss, speed, batch } = this;
    const look = await this.look({
      step: trainer.steps,
      epoch: fit === null ? 0 : epochs - 1 + fit.step / fit.stepsPerEpoch,
      loss,
      picturesPerSecond: speed.stepsPerSecond * batch,
    });
    this.tell({ kind: "look", look });
    this.moved(trainer.device, trainer.steps);
  }
}
