import type { Remote } from "comlink";
import { onRepaint } from "../page/colors";
import { CurvesView } from "../page/curves";
import { byId, download, setText } from "../page/dom";
import type { Status } from "../page/status";
import type { Message, Progress } from "./messages";

/** What a panel asks of the network that it shows. */
interface Trains {
  make(): Promise<void>;
  train(): Promise<void>;
  pause(): Promise<void>;
  save(): Promise<Uint8Array>;
  onnx(): Promise<Uint8Array>;
}

/** The card of a training: its buttons, figures and curves, and its files. Elements are named after `name`. */
export class TrainingPanel {
  private training = false;
  private finished = false;
  private readonly curves: CurvesView;
  private readonly trainButton: HTMLButtonElement;
  private readonly others: HTMLButtonElement[];

  constructor(
    private readonly name: string,
    private readonly engine: Remote<Trains>,
    private readonly status: Status,
    /** What its ONNX file takes. */
    takes: string,
  ) {
    this.curves = new CurvesView(this.element("loss-chart"), this.element("accuracy-chart"));
    onRepaint(() => this.curves.remake());
    const button = (id: string) => byId(`${name}-${id}`, HTMLButtonElement);
    this.trainButton = button("train");
    this.others = ["again", "save", "onnx"].map(button);
    this.trainButton.addEventListener("click", () => {
      if (this.training) void engine.pause();
      else void (this.finished ? this.again() : engine.train());
    });
    button("again").addEventListener("click", () => void this.again());
    button("save").addEventListener("click", () => {
      void this.offer("safetensors", () => engine.save(), "PyTorch's load_state_dict takes it.");
    });
    button("onnx").addEventListener("click", () => {
      void this.offer("onnx", () => engine.onnx(), takes);
    });
  }

  hear(message: Message<unknown>): void {
    switch (message.kind) {
      case "begun":
        this.status.showDevice(message.device);
        this.curves.clear();
        for (const button of [this.trainButton, ...this.others]) button.disabled = false;
        break;
      case "state":
        this.training = message.state === "training";
        this.finished = message.state === "finished";
        setText(this.trainButton, this.training ? "Pause" : this.finished ? "Train again" : "Train");
        break;
      case "look":
        break;
      case "lost":
      case "hint":
        this.status.hear(message, this.training);
        break;
      case "failed":
        this.status.hear(message, this.training);
        byId(`${this.name}-again`, HTMLButtonElement).disabled = false;
        break;
      default:
        message satisfies never;
    }
  }

  /** The figures of a look: a loss, and what there is of a share that is right. */
  add({ step, epoch, loss, picturesPerSecond }: Progress, heldLoss: number, share: number): void {
    if (loss !== null) this.curves.add([step, loss, heldLoss, share, null]);
    this.curves.draw();
    this.figure("step", step.toLocaleString("en"));
    this.figure("epoch", String(Math.floor(epoch + 1e-9)));
    this.figure("loss", loss === null ? "–" : loss.toPrecision(3));
    this.figure("held", `${(100 * share).toFixed(1)} %`);
    this.figure("speed", picturesPerSecond > 0 ? Math.round(picturesPerSecond).toLocaleString("en") : "–");
  }

  private async again(): Promise<void> {
    await this.engine.make();
  }

  private figure(id: string, value: string): void {
    setText(this.element(id), value);
  }

  private element(id: string): HTMLElement {
    return byId(`${this.name}-${id}`, HTMLElement);
  }

  private async offer(kind: string, made: () => Promise<Uint8Array>, what: string): Promise<void> {
    try {
      download(`wgrad-${this.name}.${kind}`, await made(), "application/octet-stream");
      setText(this.element("kept"), `Saved; ${what}`);
    } catch (error) {
      setText(this.element("kept"), error instanceof Error ? error.message : String(error));
    }
  }
}
