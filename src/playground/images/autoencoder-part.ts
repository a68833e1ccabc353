import { proxy, type Remote } from "comlink";
import type { Digits } from "../data/digits";
import { MNIST_SIDE } from "../data/mnist";
import { onRepaint } from "../page/colors";
import { byId, h, setText } from "../page/dom";
import { grayPicture, paintGray } from "../page/picture";
import type { Status } from "../page/status";
import type { AutoencoderTraining } from "./autoencoder-training";
import { CodePlane } from "./code-plane";
import { type AutoencoderLook, type Message, SHOWN } from "./messages";
import { TrainingPanel } from "./panel";
import type { Part } from "./part";

const text = (id: string) => byId(id, HTMLElement);
const PIXELS = MNIST_SIDE ** 2;
/** Epochs after which the pictures are kept, to be seen beside later ones. */
const KEPT = [0, 1, 3, 10];

/** An autoencoder: pictures before and after, epoch by epoch, and the plane that it puts them in. */
export class AutoencoderPart implements Part {
  private readonly panel: TrainingPanel;
  private readonly plane: CodePlane;
  private readonly walk = byId("walk", HTMLInputElement);
  private held: Digits | null = null;
  private latest: AutoencoderLook | null = null;
  /** The two digits of the walk, as rows of those held back. */
  private ends: [number, number] = [0, 1];
  private begun = false;
  private decoding = false;
  private wanted = false;

  constructor(
    private readonly engine: Remote<AutoencoderTraining>,
    private readonly status: Status,
  ) {
    this.panel = new TrainingPanel("autoencoder", engine, status, "it takes pictures of [rows, 784] from 0 to 1.");
    this.plane = new CodePlane(byId("plane", HTMLCanvasElement), () => void this.decode());
    this.walk.addEventListener("input", () => this.walked());
    onRepaint(() => {
      this.plane.draw();
      if (this.latest) this.show(this.latest);
    });
    void engine.listen(proxy((message: Message<AutoencoderLook>) => this.hear(message)));
  }

  shown(): void {
    if (this.begun) return;
    this.begun = true;
    void this.begin();
  }

  left(): void {
    void this.engine.pause();
  }

  private async begin(): Promise<void> {
    try {
      this.held = await this.engine.heldBack();
      await this.engine.make();
    } catch (error) {
      this.begun = false;
      this.status.notify(error instanceof Error ? error.message : String(error));
    }
  }

  private hear(message: Message<AutoencoderLook>): void {
    if (message.kind === "begun") {
      this.latest = null;
      this.before();
    }
    if (message.kind === "look") {
      this.latest = message.look;
      this.panel.add(message.look, message.look.heldLoss, message.look.explained);
      this.show(message.look);
    }
    this.panel.hear(message);
  }

  /** The digits as they are, each a button: the walk goes from the one pressed before last to the last. */
  private before(): void {
    const { held } = this;
    if (!held) return;
    text("after").replaceChildren();
    text("before").replaceChildren(
      ...Array.from({ length: SHOWN }, (_, row) =>
        h(
          "button",
          { type: "button", class: "digit", "aria-pressed": "false", click: () => this.walkTo(row) },
          grayPicture(held.x.subarray(row * PIXELS, (row + 1) * PIXELS), MNIST_SIDE, `a ${held.y[row]}`),
        ),
      ),
    );
    this.showEnds();
  }

  private show(look: AutoencoderLook): void {
    const epoch = Math.floor(look.epoch + 1e-9);
    const kept = [...KEPT].reverse().find((each) => epoch >= each) ?? 0;
    // The row of the epoch that is being kept is filled once; the last row is of now.
    if (!document.getElementById(`after-${kept}`)) this.row(`after-${kept}`, `epoch ${kept}`, look.after);
    this.row("after-now", `now`, look.after);
    text("after").append(text("after-now"));
    if (this.held) this.plane.show(look.codes, this.held.y);
    void this.decode();
  }

  private row(id: string, name: string, after: Float32Array): void {
    let row = document.getElementById(id);
    if (!row) {
      const pictures = Array.from({ length: SHOWN }, (_, k) =>
        grayPicture(new Float32Array(PIXELS), MNIST_SIDE, `${name}: what becomes of digit ${k + 1}`),
      );
      row = h("div", { id, class: "filmstrip" }, h("span", { class: "sub" }, name), ...pictures);
      text("after").append(row);
    }
    row.querySelectorAll("canvas").forEach((canvas, k) => {
      paintGray(canvas, after.subarray(k * PIXELS, (k + 1) * PIXELS));
    });
  }

  private walkTo(row: number): void {
    if (row === this.ends[1]) return;
    this.ends = [this.ends[1], row];
    this.walk.value = "0";
    this.showEnds();
    this.walked();
  }

  private showEnds(): void {
    text("before")
      .querySelectorAll("button")
      .forEach((button, row) => {
        button.setAttribute("aria-pressed", String(this.ends.includes(row)));
      });
    const digit = (row: number) => String(this.held?.y[row] ?? "");
    setText(text("walk-from"), digit(this.ends[0]));
    setText(text("walk-to"), digit(this.ends[1]));
  }

  private walked(): void {
    if (!this.latest) return;
    const share = this.walk.valueAsNumber / 100;
    const [from, to] = this.ends.map((row) => this.plane.codeOf(row)) as [[number, number], [number, number]];
    this.plane.point([from[0] + (to[0] - from[0]) * share, from[1] + (to[1] - from[1]) * share]);
    void this.decode();
  }

  /** Draws from the place that is pointed at; of places pointed at meanwhile, from the last. */
  private async decode(): Promise<void> {
    this.wanted = true;
    if (this.decoding) return;
    this.decoding = true;
    try {
      while (this.wanted) {
        this.wanted = false;
        paintGray(byId("decoded", HTMLCanvasElement), await this.engine.decode(this.plane.code));
      }
    } catch (error) {
      this.status.notify(error instanceof Error ? error.message : String(error));
    } finally {
      this.decoding = false;
    }
  }
}
