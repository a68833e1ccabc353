import { h, setText } from "../page/dom";
import { PICTURE_SIDE } from "./backbone";
import type { PictureClass } from "./messages";
import { showPicture } from "./pictures";

/** Of each class, the newest that are shown. */
const SHOWN = 12;
/** A picture of 12 kB each: what a browser keeps and a network learns from in seconds. */
export const MOST_PICTURES = 300;
/** Between two pictures while a button is held, in milliseconds. */
const HOLD_MS = 120;

/** What may be done with a class. */
export interface ClassActions {
  changed(): void;
  remove(made: PictureClass): void;
  /** What the camera sees, or null where it is off. */
  gather(): Promise<Uint8Array | null>;
  choose(made: PictureClass, files: File[]): void;
}

/** A class of the visitor's own: its name, its pictures, and how to have more of them. */
export class ClassCard {
  readonly element: HTMLLIElement;
  private readonly count = h("span", { class: "sub" });
  private readonly strip = h("div", { class: "strip" });
  private readonly hold: HTMLButtonElement;
  private holding = false;

  constructor(
    readonly made: PictureClass,
    private readonly actions: ClassActions,
  ) {
    const name = h("input", { type: "text", "aria-label": "Name of the class", maxlength: 40 });
    name.value = made.name;
    name.addEventListener("change", () => {
      made.name = name.value.trim() || made.name;
      name.value = made.name;
      actions.changed();
    });
    const files = h("input", {
      type: "file",
      multiple: true,
      accept: "image/*",
      class: "visually-hidden",
      tabindex: -1,
      "aria-label": `Pictures of ${made.name}`,
    });
    files.addEventListener("change", () => {
      const chosen = [...(files.files ?? [])];
      files.value = "";
      actions.choose(made, chosen);
    });
    this.hold = h("button", { type: "button", class: "hold", disabled: true }, "Hold to gather");
    this.listen(this.hold);
    const remove = h("button", { type: "button", "aria-label": `Remove ${made.name}` }, "Remove");
    remove.addEventListener("click", () => actions.remove(made));
    this.element = h(
      "li",
      { class: "class" },
      h("div", { class: "class-head" }, name, this.count),
      this.strip,
      h(
        "div",
        { class: "actions" },
        this.hold,
        h("button", { type: "button", click: () => files.click() }, "Pictures…"),
        remove,
        files,
      ),
    );
    this.show();
  }

  set camera(on: boolean) {
    this.hold.disabled = !on;
    this.hold.title = on ? "" : "Turn the camera on first";
  }

  show(): void {
    const { pictures } = this.made;
    setText(this.count, `${pictures.length} ${pictures.length === 1 ? "picture" : "pictures"}`);
    this.strip.replaceChildren(
      ...pictures.slice(-SHOWN).map((picture) => {
        const canvas = h("canvas", { width: PICTURE_SIDE, height: PICTURE_SIDE });
        showPicture(canvas, picture);
        return canvas;
      }),
    );
  }

  /** Pointer or key: as long as it is down. */
  private listen(button: HTMLButtonElement): void {
    button.addEventListener("pointerdown", (event) => {
      button.setPointerCapture(event.pointerId);
      void this.gather();
    });
    button.addEventListener("keydown", (event) => {
      if (event.key !== " " && event.key !== "Enter") return;
      event.preventDefault();
      void this.gather();
    });
    for (const end of ["pointerup", "pointercancel", "keyup", "blur"])
      button.addEventListener(end, () => {
        this.holding = false;
      });
  }

  private async gather(): Promise<void> {
    if (this.holding) return;
    this.holding = true;
    const { pictures } = this.made;
    while (this.holding && pictures.length < MOST_PICTURES) {
      const picture = await this.actions.gather();
      if (!picture) break;
      pictures.push(picture);
      this.show();
      await new Promise((resolve) => setTimeout(resolve, HOLD_MS));
    }
    this.holding = false;
    this.actions.changed();
  }
}
