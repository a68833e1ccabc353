import { DeviceError } from "../../index";
import { factsOf } from "../training/device";
import { Training } from "../training/training";
import type { ManyConfig } from "./config";
import type { ManyMessage } from "./messages";
import { Networks } from "./networks";

/** How long to wait for word of a lost device after a call on it has failed, in milliseconds. */
const WORD_MS = 1000;

/** Trains many networks at once, in a worker. */
export class ManyEngine extends Training<ManyMessage> {
  private networks: Networks | null = null;

  /** Replaces the networks, and trains them or shows them as they are. */
  make(config: ManyConfig, train: boolean): Promise<void> {
    this.training = false;
    return this.after(async () => {
      const device = await this.open(config.backend);
      const networks = await Networks.create(device, config);
      this.release();
      this.networks = networks;
      this.tell({ kind: "made", made: { ...networks.describe(), device: factsOf(device) } });
      await this.guarded(() => this.outliving(() => this.look()));
      if (train) void this.train();
    });
  }

  /** Goes on to this epoch, where it had come to its end before. */
  extend(epochs: number): void {
    if (this.networks) this.networks.config.epochs = epochs;
  }

  protected advance(): Promise<void> {
    return this.guarded(async () => {
      const networks = await this.outliving(async (networks) => {
        await networks.train();
        await this.look();
      });
      if (networks.epoch >= networks.config.epochs) this.finish();
    });
  }

  protected override started(): void {
    this.networks?.speed.restart();
  }

  protected release(): void {
    this.networks?.dispose();
    this.networks = null;
  }

  protected outlive(): void {
    if (!this.training) void this.after(() => this.guarded(() => this.outliving(() => this.look())));
  }

  private async look(): Promise<void> {
    if (this.networks) this.tell({ kind: "look", look: await this.networks.look() });
  }

  /** Where the device is lost meanwhile: the same networks on another, trained again from their seeds to where they stood. */
  private async outliving(task: (networks: Networks) => Promise<void>): Promise<Networks> {
    for (;;) {
      const { networks, device } = this;
      if (!networks || !device) throw new Error("There are no networks yet.");
      try {
        await task(networks);
        return networks;
      } catch (error) {
        if (!(error instanceof DeviceError)) throw error;
        const word = new Promise<null>((resolve) => setTimeout(() => resolve(null), WORD_MS));
        const lost = await Promise.race([device.lost, word]);
        if (!lost) throw error;
        const { config, epoch } = networks;
        this.opened = null;
        const other = await this.open(config.backend);
        this.networks = await Networks.create(other, config);
        await this.networks.goTo(epoch);
        const step = epoch * this.networks.stepsPerEpoch;
        this.tell({ kind: "lost", reason: `${lost.reason}: ${lost.message}`, device: factsOf(other), step });
      }
    }
  }
}
