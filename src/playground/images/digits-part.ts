import { proxy, type Remote } from "comlink";
import { onRepaint, signedColor } from "../page/colors";
import { confusionTable } from "../page/confusion-view";
import { DigitsView } from "../page/digits-view";
import { byId, context, h } from "../page/dom";
import { RASTER_28 } from "../page/pad";
import { grayPicture, paint } from "../page/picture";
import type { Status } from "../page/status";
import type { DigitsTraining } from "./digits-training";
import type { DigitsLook, Message, Reading } from "./messages";
import { TrainingPanel } from "./panel";
import type { Part } from "./part";

const text = (id: string) => byId(id, HTMLElement);
const NAMES = Array.from({ length: 10 }, (_, digit) => String(digit));
/** Right ones that follow the misread ones. */
const RIGHT = 30;

/** Digits: a network that learns to read them, one's own, and those that it misreads. */
export class DigitsPart implements Part {
  private readonly view: DigitsView;
  private readonly panel: TrainingPanel;
  private held: Int32Array = new Int32Array(0);
  private latest: DigitsLook | null = null;
  private reading: Reading | null = null;
  private begun = false;

  constructor(
    private readonly engine: Remote<DigitsTraining>,
    private readonly status: Status,
  ) {
    this.view = new DigitsView(
      {
        mistakes: text("mistakes"),
        summary: text("mistakes-summary"),
        pad: byId("pad", HTMLCanvasElement),
        clear: byId("pad-clear", HTMLButtonElement),
        answer: text("pad-answer"),
        bars: text("pad-bars"),
      },
      RASTER_28,
      (pixels) => this.read(pixels),
      RIGHT,
    );
    this.panel = new TrainingPanel("digits", engine, status, "it takes pictures of [rows, 1, 28, 28] from 0 to 1.");
    onRepaint(() => {
      if (this.latest) this.show(this.latest, true);
    });
    void engine.listen(proxy((message: Message<DigitsLook>) => this.hear(message)));
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
      const { heldBack } = await this.engine.digits();
      this.held = heldBack.y;
      this.view.begin(heldBack);
      await this.engine.make();
    } catch (error) {
      this.begun = false;
      this.status.notify(error instanceof Error ? error.message : String(error));
    }
  }

  private hear(message: Message<DigitsLook>): void {
    if (message.kind === "begun") this.latest = null;
    if (message.kind === "look") {
      this.latest = message.look;
      this.panel.add(message.look, message.look.heldLoss, message.look.share);
      this.show(message.look);
    }
    this.panel.hear(message);
    if (message.kind === "state" && message.state !== "training" && this.latest) this.show(this.latest, true);
  }

  private show(look: DigitsLook, last = false): void {
    this.view.show(look, last);
    text("confusion").replaceChildren(confusionTable(this.held, look.said, NAMES));
    this.kernels(look.kernels);
  }

  private async read(pixels: Float32Array | null): Promise<Float32Array | null> {
    this.reading = pixels && this.latest ? await this.engine.read(pixels) : null;
    this.maps();
    return this.reading?.shares ?? null;
  }

  /** The kernels of the first convolution, each with room for what it sees below it. */
  private kernels(weights: Float32Array): void {
    const list = text("kernels");
    const size = 25;
    const filters = weights.length / size;
    if (list.childElementCount !== filters) {
      list.replaceChildren(
        ...Array.from({ length: filters }, (_, k) =>
          h(
            "li",
            {},
            h("canvas", { width: 5, height: 5, role: "img", class: "kernel", "aria-label": `kernel ${k + 1}` }),
            h("canvas", {
              width: 24,
              height: 24,
              role: "img",
              class: "map",
              "aria-label": `what kernel ${k + 1} sees`,
            }),
          ),
        ),
      );
    }
    list.querySelectorAll<HTMLCanvasElement>(".kernel").forEach((canvas, k) => {
      const kernel = weights.subarray(k * size, (k + 1) * size);
      const most = kernel.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-6);
      paint(canvas, kernel, (value) => signedColor(value / most));
    });
  }

  private maps(): void {
    const [first, second] = this.reading?.maps ?? [];
    const { side = 24 } = first ?? {};
    text("kernels")
      .querySelectorAll<HTMLCanvasElement>(".map")
      .forEach((canvas, k) => {
        if (first) paintMap(canvas, first.values.subarray(k * side ** 2, (k + 1) * side ** 2));
        else context(canvas).clearRect(0, 0, canvas.width, canvas.height);
      });
    const list = text("second");
    if (!second) {
      list.replaceChildren();
      return;
    }
    const size = second.side ** 2;
    if (list.childElementCount !== second.filters) {
      list.replaceChildren(
        ...Array.from({ length: second.filters }, (_, k) =>
          h("li", {}, grayPicture(new Float32Array(size), second.side, `feature ${k + 1}`)),
        ),
      );
    }
    list.querySelectorAll("canvas").forEach((canvas, k) => {
      paintMap(canvas, second.values.subarray(k * size, (k + 1) * size));
    });
  }
}

/** Activations from 0 up, the largest of the map in full. */
function paintMap(canvas: HTMLCanvasElement, values: Float32Array): void {
  const most = values.reduce((most, value) => Math.max(most, value), 1e-6);
  paint(canvas, values, (value) => signedColor(value / most));
}
