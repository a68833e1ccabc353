import type { Device } from "../../index";
import type { Config } from "../config";
import { factsOf, openDevice, whyNoGpu } from "./device";
import type { TrainingMessage } from "./messages";

/**
 * What trains in a worker, some steps at a time, and tells the page of it: the same for every page, whatever it trains. Calls wait for
 * one another. `M` is what it tells beside TrainingMessage.
 */
export abstract class Training<M> {
  protected training = false;
  protected device: Device | null = null;
  /** What the device was opened for; null where the next network opens another. */
  protected opened: Config["backend"] | null = null;
  /** What became of the device that was lost last. */
  private lost = "";
  /** Counts calls of train, so that an old one ends where a new one has begun. */
  private turn = 0;
  private queue: Promise<unknown> = Promise.resolve();
  /** Said before anybody listened. */
  private readonly unheard: (M | TrainingMessage)[] = [];
  protected tell: (message: M | TrainingMessage) => void = (message) => this.unheard.push(message);

  listen(tell: (message: M | TrainingMessage) => void): void {
    this.tell = tell;
    for (const message of this.unheard.splice(0)) tell(message);
  }

  /** Opens a device ahead of the first network, which says so where that fails. */
  ready(backend: Config["backend"]): void {
    void this.after(() => this.open(backend)).catch(() => {});
  }

  async train(): Promise<void> {
    if (this.training) return;
    this.training = true;
    const turn = ++this.turn;
    this.started();
    const goesOn = () => this.training && this.turn === turn;
    this.tell({ kind: "state", state: "training" });
    while (goesOn()) {
      await this.after(async () => {
        if (goesOn()) await this.advance();
      });
    }
  }

  /** Resolves when no step runs any more. */
  pause(): Promise<void> {
    const trained = this.training;
    this.training = false;
    return this.after(async () => {
      if (trained && !this.training) this.tell({ kind: "state", state: "paused" });
      await this.paused();
    });
  }

  /** Takes the steps up to the next look and tells of it; calls finish() at the last. Errors are its own to tell. */
  protected abstract advance(): Promise<void>;
  /** Frees the network: its device is closed next. */
  protected abstract release(): void;
  /** The device is gone; what there is goes on on another. */
  protected abstract outlive(): void;
  /** Training begins, or goes on after a pause. */
  protected started(): void {}
  /** Training stands still. */
  protected async paused(): Promise<void> {}

  protected after<T>(task: () => Promise<T>): Promise<T> {
    const result = this.queue.then(task);
    this.queue = result.catch(() => {});
    return result;
  }

  protected finish(): void {
    this.training = false;
    this.tell({ kind: "state", state: "finished" });
  }

  /** Errors are told, and end training. */
  protected async guarded(task: () => Promise<unknown>): Promise<void> {
    try {
      await task();
    } catch (error) {
      this.training = false;
      this.tell({ kind: "state", state: "paused" });
      this.tell({ kind: "failed", message: error instanceof Error ? error.message : String(error) });
    }
  }

  /** The device that there is, where it was opened for the same; else another, in its place. Throws DeviceError. */
  protected async open(backend: Config["backend"]): Promise<Device> {
    if (this.device && this.opened === backend) return this.device;
    this.release();
    this.device?.close();
    this.device = null;
    const device = await openDevice(backend);
    this.opened = backend;
    this.watch(device);
    if (device.backend === "cpu" && backend !== "cpu") {
      void whyNoGpu().then((hint) => this.tell({ kind: "hint", hint }));
    }
    return device;
  }

  /** Tells of a device that took over. It is the trainer's: the next network opens one of its own. */
  protected moved(device: Device, step: number): void {
    if (device === this.device) return;
    this.watch(device);
    this.opened = null;
    this.tell({ kind: "lost", reason: this.lost, device: factsOf(device), step });
  }

  /** Works on this device from now on, and looks after it. */
  private watch(device: Device): void {
    this.device = device;
    void device.lost.then(({ reason, message }) => {
      this.lost = `${reason}: ${message}`;
      if (this.device === device) this.outlive();
    });
  }
}
