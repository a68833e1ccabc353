import { proxy, type Remote, wrap } from "comlink";
import { css, palette } from "../page/colors";
import { byId, setText, sharpen } from "../page/dom";
import { CellImage, NUMBERS_REACH } from "../page/plane-view";
import type { BurgersEngine } from "./burgers";
import { type BurgersLook, type BurgersMessage, CELLS, STEPS } from "./burgers-messages";

/** A card on which a network comes to the solution of Burgers' equation, beside the exact one. Its worker starts when it is asked for. */
export class BurgersCard {
  private readonly button = byId("solve", HTMLButtonElement);
  private readonly image = new CellImage(CELLS);
  private engine: Remote<BurgersEngine> | null = null;
  private exact: Float32Array | null = null;
  private look: BurgersLook | null = null;
  private state: "paused" | "training" | "finished" = "paused";

  constructor() {
    this.button.addEventListener("click", () => void this.press());
    for (const id of ["found", "exact"]) new ResizeObserver(() => this.draw()).observe(byId(id, HTMLCanvasElement));
  }

  draw(): void {
    this.picture("found", this.look?.found);
    this.picture("exact", this.exact);
  }

  private async press(): Promise<void> {
    if (this.state === "training") return void this.engine?.pause();
    if (this.engine && this.state === "paused" && this.look) return void this.engine.train();
    this.button.disabled = true;
    try {
      if (!this.engine) {
        const worker = new Worker(new URL("./burgers-worker.ts", import.meta.url), { type: "module" });
        this.engine = wrap<BurgersEngine>(worker);
        await this.engine.listen(proxy((message: BurgersMessage) => this.hear(message)));
      }
      await this.engine.make(byId("backend", HTMLSelectElement).value as "auto", true);
    } catch (error) {
      this.fail(error instanceof Error ? error.message : String(error));
    } finally {
      this.button.disabled = false;
    }
  }

  private hear(message: BurgersMessage): void {
    if (message.kind === "made") this.exact = message.exact;
    else if (message.kind === "look") {
      this.look = message.look;
      const { step, error } = message.look;
      setText(
        byId("solved", HTMLElement),
        `step ${step.toLocaleString("en")} of ${STEPS.toLocaleString("en")}: ${(100 * error).toPrecision(3)} % from the exact solution`,
      );
    } else if (message.kind === "state") {
      this.state = message.state;
      setText(this.button, { training: "Pause", paused: "Go on", finished: "Solve it again" }[message.state]);
    } else if (message.kind === "failed") this.fail(message.message);
    this.draw();
  }

  /** What there was stays to be seen; the next press begins anew. */
  private fail(why: string): void {
    this.look = null;
    setText(byId("solved", HTMLElement), why);
    setText(this.button, "Solve it");
  }

  private picture(id: string, values: Float32Array | null | undefined): void {
    const canvas = byId(id, HTMLCanvasElement);
    if (!values || canvas.clientWidth === 0) return;
    canvas.classList.remove("waits");
    const { width, height, pen } = sharpen(canvas);
    const scaled = values.map((value) => value * NUMBERS_REACH);
    this.image.numbers(scaled).drawTo(pen, 0, 0, width, height);
    pen.strokeStyle = css(palette().ink, 0.25);
    pen.strokeRect(0.5, 0.5, width - 1, height - 1);
  }
}
