import type { Config } from "../config";
import type { DeviceFacts, TrainingMessage } from "../training/messages";
import { byId, setText } from "./dom";
import { Status } from "./status";

/** What a worker that trains can be asked for, whatever it trains. */
export interface Trains {
  train(): Promise<unknown>;
  pause(): Promise<unknown>;
}

/** The top of a page that trains one thing: the device, what there is to notice, and the button that trains and pauses. */
export class Desk {
  training = false;
  private readonly status = new Status();
  private readonly button = byId("train", HTMLButtonElement);

  /** `chosen` makes everything anew on this device. */
  constructor(
    engine: Trains,
    chosen: (backend: Config["backend"]) => void,
    private readonly changed: () => void = () => {},
  ) {
    const choice = byId("backend", HTMLSelectElement);
    choice.addEventListener("change", () => chosen(choice.value as Config["backend"]));
    this.button.addEventListener("click", () => void (this.training ? engine.pause() : engine.train()));
  }

  hear(message: TrainingMessage): void {
    switch (message.kind) {
      case "state":
        this.training = message.state === "training";
        setText(this.button, this.training ? "Pause" : "Train");
        setText(
          byId("spoken", HTMLElement),
          { training: "Training", paused: "Paused", finished: "Training is done" }[message.state],
        );
        this.changed();
        break;
      case "lost":
      case "hint":
      case "failed":
        this.status.hear(message, this.training);
        break;
      default:
        message satisfies never;
    }
  }

  device(facts: DeviceFacts): void {
    byId("device", HTMLElement).title = this.status.showDevice(facts);
  }

  notify(message: string): void {
    this.status.notify(message);
  }

  /** What goes wrong in it is told. */
  async tried(task: () => Promise<void>): Promise<void> {
    try {
      await task();
    } catch (error) {
      this.notify(error instanceof Error ? error.message : String(error));
    }
  }
}
