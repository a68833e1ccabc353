import type { Made } from "../training/messages";
import type { Held } from "../training/plane";
import { byId, h, setText } from "./dom";

/** Which two features the plane shows, and at what values the others stand. */
export class AxesView {
  private made: Made | null = null;
  private at: Record<number, number> = {};
  private readonly box = byId("axes", HTMLElement);
  private readonly across = byId("axis-across", HTMLSelectElement);
  private readonly up = byId("axis-up", HTMLSelectElement);
  private readonly others = byId("axis-others", HTMLDetailsElement);
  private readonly fields = byId("axis-fields", HTMLElement);

  constructor(private readonly changed: (axes: [number, number], at: Held) => void) {
    for (const [own, other] of [
      [this.across, this.up],
      [this.up, this.across],
    ] as const) {
      own.addEventListener("change", () => {
        // The one that both would be goes where the other was.
        if (own.value === other.value) other.value = String(this.made?.axes[own === this.across ? 0 : 1] ?? 0);
        this.change();
      });
    }
  }

  /** Another network, or another plane of it: values that were set stay with their features. */
  begin(made: Made): void {
    const same = JSON.stringify(this.made?.features) === JSON.stringify(made.features);
    this.made = made;
    if (!same) this.at = {};
    const { features, axes, mean, plane } = made;
    this.box.hidden = plane === null || features.length < 3;
    if (this.box.hidden) return;
    if (!same || this.across.childElementCount === 0) {
      for (const select of [this.across, this.up]) {
        select.replaceChildren(...features.map((name, at) => h("option", { value: at }, name)));
      }
    }
    this.across.value = String(axes[0]);
    this.up.value = String(axes[1]);
    const others = features.flatMap((name, at) => (axes.includes(at) ? [] : [{ name, at }]));
    setText(
      byId("axis-said", HTMLElement),
      `${others.length === 1 ? "the other stands" : `the other ${others.length} stand`} at ${Object.keys(this.at).length > 0 ? "values of yours" : "the mean"}`,
    );
    this.fields.replaceChildren(
      ...others.map(({ name, at }) => {
        const value = this.at[at] ?? Number((mean[at] as number).toPrecision(4));
        const field = h("input", { type: "number", id: `held-${at}`, value, step: "any" });
        field.addEventListener("change", () => {
          const set = field.valueAsNumber;
          if (Number.isFinite(set)) this.at = { ...this.at, [at]: set };
          else delete this.at[at];
          this.change();
        });
        return h("div", { class: "field" }, h("label", { for: field.id, title: name }, name), field);
      }),
    );
    this.others.hidden = false;
  }

  private change(): void {
    const axes: [number, number] = [Number(this.across.value), Number(this.up.value)];
    const at = Object.fromEntries(Object.entries(this.at).filter(([f]) => !axes.includes(Number(f))));
    this.changed(axes, at);
  }
}
