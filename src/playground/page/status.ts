import type { DeviceFacts, TrainingMessage } from "../training/messages";
import { byId, setText } from "./dom";

/** The line that says which device works, and the notice above the page. */
export class Status {
  private readonly device = byId("device", HTMLElement);
  private readonly notice = byId("notice", HTMLElement);
  private readonly text = byId("notice-text", HTMLElement);
  /** What was said of training on the CPU; it goes when that no longer holds. */
  private onCpu: string | null = null;

  constructor() {
    byId("notice-close", HTMLButtonElement).addEventListener("click", () => {
      this.notice.hidden = true;
    });
  }

  /** Returns how the device is called where there is more room. */
  showDevice({ backend, name, isFallback }: DeviceFacts): string {
    const kind = backend === "webgpu" && isFallback ? " (software)" : "";
    setText(this.device, backend === "cpu" ? "CPU" : `WebGPU${kind}`);
    if (backend !== "cpu" && this.onCpu !== null) this.show(this.said().filter((each) => each !== this.onCpu));
    return `${name}${kind}`;
  }

  /** The last two are there until they are closed. */
  notify(message: string): void {
    this.show([message, ...this.said().filter((each) => each !== message)].slice(0, 2));
  }

  /** What training tells that a person should notice. */
  hear(message: Extract<TrainingMessage, { kind: "lost" | "hint" | "failed" }>, training: boolean): void {
    switch (message.kind) {
      case "lost":
        this.lost(message, training);
        break;
      case "hint":
        this.hint(message.hint);
        break;
      case "failed":
        this.notify(message.message);
        break;
      default:
        message satisfies never;
    }
  }

  /** It trains on the CPU, and this would bring the GPU. */
  private hint(hint: string): void {
    this.onCpu = `Training on the CPU. ${hint}`;
    this.notify(this.onCpu);
  }

  private said(): string[] {
    return this.notice.hidden ? [] : (this.text.textContent ?? "").split("\n");
  }

  private show(lines: readonly string[]): void {
    setText(this.text, lines.join("\n"));
    this.notice.hidden = lines.length === 0;
  }

  /** A device went away, and training goes on or stands at `step` on this one. */
  private lost(
    { reason, device, step }: { reason: string; device: DeviceFacts; step: number },
    training: boolean,
  ): void {
    this.showDevice(device);
    this.notify(
      `The device went away (${reason.replace(/\.$/, "")}). ${training ? "Training goes on from" : "The network stands at"} step ${step.toLocaleString("en")}, the last snapshot, on ${device.name}.`,
    );
  }
}
