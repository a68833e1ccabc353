import { proxy, type Remote } from "comlink";
import { confusionTable } from "../page/confusion-view";
import { byId, download, h, setText } from "../page/dom";
import { onDrop } from "../page/dropping";
import type { Status } from "../page/status";
import type { TrainingMessage } from "../training/messages";
import { Camera } from "./camera";
import { ClassCard, MOST_PICTURES } from "./class-list";
import type { ClassesTraining } from "./classes-training";
import { type Folder, foldersChosen, foldersDropped } from "./dropped";
import { keepClasses, keptClasses } from "./kept-classes";
import type { Begun, Learning, Learnt, PictureClass } from "./messages";
import type { Part } from "./part";
import { pictureOf, showPicture } from "./pictures";

const text = (id: string) => byId(id, HTMLElement);
const button = (id: string) => byId(id, HTMLButtonElement);
/** Between two pictures of the camera that are told apart, in milliseconds. */
const LIVE_MS = 120;
/** So many names of files that are no pictures are told. */
const NAMED = 3;

/** A visitor's own classes: gathered from folders or the camera, learnt in the page, told apart as they are shown. */
export class ClassesPart implements Part {
  private classes: PictureClass[] = [];
  private cards: ClassCard[] = [];
  /** Those that the network tells apart, which may be others than those that stand there. */
  private names: string[] = [];
  private file: Uint8Array | null = null;
  /** What is told apart now: a picture that was given, or null for the camera's. */
  private picture: Uint8Array | null = null;
  private learning = false;
  private visible = false;
  private restored: Promise<void> | null = null;
  private readonly camera = new Camera(byId("camera", HTMLVideoElement));

  constructor(
    private readonly engine: Remote<ClassesTraining>,
    private readonly status: Status,
  ) {
    button("class-add").addEventListener("click", () =>
      this.add(`Class ${this.classes.length + 1}`)
        .element.querySelector("input")
        ?.focus(),
    );
    this.chooser("class-folders", "folders-file", (files) => void this.take(foldersChosen(files)));
    this.chooser("try-picture", "try-file", (files) => void this.take([{ name: "", files }]));
    this.chooser("classes-open", "classes-file", (files) => void this.open(files[0]));
    button("camera-button").addEventListener("click", () => void this.turnCamera());
    button("learn").addEventListener("click", () => void this.learn());
    button("classes-save").addEventListener("click", () => {
      void this.offer("safetensors", () => engine.save(), "PyTorch's load_state_dict takes it, and this page.");
    });
    button("classes-onnx").addEventListener("click", () => {
      void this.offer("onnx", () => engine.onnx(), "it takes pictures of [rows, 3, 64, 64] from 0 to 1.");
    });
    onDrop(
      "Drop folders of pictures, a folder a class, or a picture to tell apart",
      (transfer) => void foldersDropped(transfer).then((folders) => this.take(folders)),
      () => this.visible,
    );
    void engine.listen(proxy((message: Begun | Learning | Learnt | TrainingMessage) => this.hear(message)));
    void engine.ready("auto");
  }

  shown(): void {
    this.visible = true;
    this.restored ??= this.restore();
    void this.live();
  }

  left(): void {
    this.visible = false;
    this.camera.stop();
    this.showCamera();
    void this.engine.pause();
  }

  // Classes and their pictures ---------------------------------------------------------------------------------------

  private async restore(): Promise<void> {
    const kept = await keptClasses();
    for (const { name, pictures } of kept?.classes ?? []) this.add(name, pictures);
    if (this.classes.length === 0) for (const name of ["Class 1", "Class 2"]) this.add(name);
    this.stand();
    if (!kept?.file) return;
    try {
      this.names = await this.engine.load(kept.file);
      this.file = kept.file;
      this.learnt("These are the classes that you had here before; the network has been kept too.");
    } catch (error) {
      this.say(messageOf(error));
    }
  }

  private add(name: string, pictures: Uint8Array[] = []): ClassCard {
    const made = { name, pictures };
    const card = new ClassCard(made, {
      changed: () => this.changed(),
      remove: (each) => this.remove(each),
      gather: async () => (this.camera.on ? this.camera.picture() : null),
      choose: (each, files) => void this.fill(each, files).then((refused) => this.tellRefused(refused)),
    });
    card.camera = this.camera.on;
    this.classes.push(made);
    this.cards.push(card);
    text("classes-list").append(card.element);
    this.stand();
    return card;
  }

  private remove(made: PictureClass): void {
    const at = this.classes.indexOf(made);
    this.classes.splice(at, 1);
    for (const card of this.cards.splice(at, 1)) card.element.remove();
    this.changed();
  }

  private changed(): void {
    this.stand();
    void this.keep();
  }

  private async keep(): Promise<void> {
    const refused = await keepClasses({ classes: this.classes, file: this.file });
    if (refused)
      this.status.notify(`A reload will find nothing here: this browser does not keep the pictures (${refused}).`);
  }

  /** Each folder is a class, or adds to the one of its name; what lies in none is told apart. */
  private async take(folders: readonly Folder[]): Promise<void> {
    const refused: string[] = [];
    for (const { name, files } of folders) {
      if (name === "") {
        refused.push(...(await this.try(files)));
        continue;
      }
      const known = this.classes.find((each) => each.name === name);
      // Those that nobody has named or filled make room.
      const unused = this.classes.find((each) => each.pictures.length === 0 && /^Class \d+$/.test(each.name));
      if (!known && unused) this.remove(unused);
      refused.push(...(await this.fill(known ?? this.add(name).made, files)));
    }
    this.tellRefused(refused);
  }

  /** The files that are no pictures. */
  private async fill(made: PictureClass, files: readonly File[]): Promise<string[]> {
    const refused: string[] = [];
    for (const file of files) {
      if (made.pictures.length >= MOST_PICTURES) {
        this.status.notify(
          `“${made.name}” has ${MOST_PICTURES} pictures, as many as are taken; the rest are left out.`,
        );
        break;
      }
      try {
        made.pictures.push(await pictureOf(file));
      } catch {
        refused.push(file.name);
      }
    }
    this.cards[this.classes.indexOf(made)]?.show();
    this.changed();
    return refused;
  }

  private tellRefused(names: readonly string[]): void {
    if (names.length === 0) return;
    const more = names.length > NAMED ? ` and ${names.length - NAMED} more` : "";
    const are = names.length === 1 ? "is no picture" : "are no pictures";
    this.status.notify(`${names.slice(0, NAMED).join(", ")}${more} ${are} that this browser reads: left out.`);
  }

  // Learning ---------------------------------------------------------------------------------------------------------

  private async learn(): Promise<void> {
    if (this.learning) return;
    try {
      this.learning = true;
      this.stand();
      await this.engine.learn(this.classes);
    } catch (error) {
      this.learning = false;
      this.stand();
      this.say(messageOf(error));
    }
  }

  private hear(message: Begun | Learning | Learnt | TrainingMessage): void {
    switch (message.kind) {
      case "begun":
        this.status.showDevice(message.device);
        break;
      case "learning":
        byId("learning", HTMLProgressElement).value = message.epoch / message.epochs;
        this.say(`Epoch ${message.epoch} of ${message.epochs}, loss ${message.loss.toPrecision(2)}`);
        break;
      case "learnt":
        this.status.showDevice(message.device);
        this.names = message.names;
        this.file = message.file;
        this.showChecked(message);
        this.learnt(`Learnt from ${message.pictures} pictures in ${message.seconds.toFixed(1)} s.`);
        void this.keep();
        break;
      case "state":
        if (message.state !== "training") this.learning = false;
        this.stand();
        break;
      case "lost":
        this.status.hear(message, this.learning);
        break;
      case "hint":
        break; // it takes seconds on the CPU too
      case "failed":
        this.say(message.message);
        break;
      default:
        message satisfies never;
    }
  }

  private learnt(said: string): void {
    this.say(said);
    this.stand();
    if (this.picture) void this.tellApart(this.picture).catch((error: unknown) => this.status.notify(messageOf(error)));
    void this.live();
  }

  private showChecked({ checked, names }: Learnt): void {
    const box = text("classes-checked");
    if (!checked) {
      box.replaceChildren(
        h("p", { class: "sub" }, "With five pictures of a class or more, one in five is held back, and counted here."),
      );
      return;
    }
    const right = checked.actual.filter((k, row) => checked.said[row] === k).length;
    box.replaceChildren(
      h("p", { id: "classes-held" }, `${right} of ${checked.actual.length} held-back pictures are told right.`),
      confusionTable(checked.actual, checked.said, names),
    );
  }

  private async open(file: File | undefined): Promise<void> {
    if (!file) return;
    try {
      const bytes = new Uint8Array(await file.arrayBuffer());
      this.names = await this.engine.load(bytes);
      this.file = bytes;
      this.learnt(`${file.name} tells apart ${this.names.join(", ")}.`);
      void this.keep();
    } catch (error) {
      this.say(`${file.name}: ${messageOf(error)}`);
    }
  }

  private async offer(kind: string, made: () => Promise<Uint8Array>, what: string): Promise<void> {
    try {
      download(`wgrad-classes.${kind}`, await made(), "application/octet-stream");
      this.say(`Saved; ${what}`);
    } catch (error) {
      this.say(messageOf(error));
    }
  }

  // What is shown to it ----------------------------------------------------------------------------------------------

  private async turnCamera(): Promise<void> {
    if (this.camera.on) this.camera.stop();
    else {
      try {
        await this.camera.start();
        this.picture = null;
      } catch (error) {
        this.status.notify(messageOf(error));
      }
    }
    this.showCamera();
    void this.live();
  }

  private showCamera(): void {
    const { on } = this.camera;
    setText(button("camera-button"), on ? "Camera off" : "Use the camera");
    text("classes-board").classList.toggle("live", on);
    for (const card of this.cards) card.camera = on;
    this.stand();
  }

  /** The first of these that is a picture. */
  private async try(files: readonly File[]): Promise<string[]> {
    const refused: string[] = [];
    for (const file of files) {
      let picture: Uint8Array;
      try {
        picture = await pictureOf(file);
      } catch {
        refused.push(file.name);
        continue;
      }
      this.picture = picture;
      showPicture(byId("given", HTMLCanvasElement), picture);
      this.stand();
      if (this.names.length > 0) await this.tellApart(picture);
      break;
    }
    return refused;
  }

  private looping = false;
  /** The camera's pictures, one after another, as long as there is somebody to see. */
  private async live(): Promise<void> {
    if (this.looping) return;
    this.looping = true;
    try {
      while (this.visible && this.camera.on && this.names.length > 0 && !this.picture) {
        if (!this.learning) await this.tellApart(await this.camera.picture());
        await new Promise((resolve) => setTimeout(resolve, LIVE_MS));
      }
    } catch (error) {
      this.status.notify(messageOf(error));
    } finally {
      this.looping = false;
    }
  }

  private async tellApart(picture: Uint8Array): Promise<void> {
    const { names } = this;
    const shares = await this.engine.predict(picture);
    if (names !== this.names) return; // another network meanwhile
    const best = shares.reduce((a, share, k) => (share > (shares[a] as number) ? k : a), 0);
    setText(text("told"), names[best] ?? "");
    const bars = text("told-bars");
    if (bars.childElementCount !== names.length || bars.dataset.names !== names.join("\n")) {
      bars.dataset.names = names.join("\n");
      bars.replaceChildren(
        ...names.map((name) =>
          h(
            "li",
            {},
            h("span", {}, name),
            h("meter", { min: 0, max: 1, value: 0, "aria-label": `probability of ${name}` }),
            h("span", { class: "num" }),
          ),
        ),
      );
    }
    bars.querySelectorAll("li").forEach((row, k) => {
      const share = Math.min(1, Math.max(0, shares[k] ?? 0));
      for (const meter of row.querySelectorAll("meter")) meter.value = share;
      for (const figure of row.querySelectorAll(".num")) figure.textContent = `${(100 * share).toFixed(1)} %`;
    });
  }

  // The page as it stands --------------------------------------------------------------------------------------------

  private stand(): void {
    const known = this.names.length > 0;
    text("camera").hidden = !this.camera.on || this.picture !== null;
    text("given").hidden = this.picture === null;
    text("nothing-shown").hidden = this.camera.on || this.picture !== null;
    button("learn").disabled = this.learning;
    byId("learning", HTMLProgressElement).hidden = !this.learning;
    for (const id of ["classes-save", "classes-onnx"]) button(id).disabled = !known || this.learning;
    if (!known) setText(text("told"), "Nothing is learnt yet");
    else if (!this.camera.on && this.picture === null) setText(text("told"), `Tells apart ${this.names.join(", ")}`);
  }

  private say(message: string): void {
    setText(text("classes-said"), message);
  }

  /** A button that opens a chooser of files, and what becomes of those. */
  private chooser(buttonId: string, inputId: string, taken: (files: File[]) => void): void {
    const input = byId(inputId, HTMLInputElement);
    button(buttonId).addEventListener("click", () => input.click());
    input.addEventListener("change", () => {
      const files = [...(input.files ?? [])];
      input.value = "";
      taken(files);
    });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
