import type { Made } from "../training/messages";
import { short } from "./curves";
import { byId, h, setText } from "./dom";

/** How often what is said is asked anew while the network trains. */
const ASK_MS = 400;
/** More fields than anybody fills in: those beyond stand at their mean. */
const MOST_FIELDS = 64;

/** A form with a field for each column, and what the network says of such a row. */
export class SayView {
  private made: Made | null = null;
  private fields: (HTMLInputElement | HTMLSelectElement)[] = [];
  private askedAt = 0;
  private turn = 0;
  private readonly card = byId("say-card", HTMLElement);
  private readonly box = byId("say-fields", HTMLElement);
  private readonly answer = byId("say-answer", HTMLElement);
  private readonly bars = byId("say-bars", HTMLElement);

  constructor(private readonly say: (fields: string[]) => Promise<number[]>) {
    this.box.addEventListener("input", () => void this.ask());
    byId("say-form", HTMLFormElement).addEventListener("submit", (event) => event.preventDefault());
  }

  begin(made: Made): void {
    const columns = (of: Made | null) => JSON.stringify([of?.features, of?.description?.features, of?.mean]);
    const same = columns(made) === columns(this.made);
    this.made = made;
    this.card.hidden = made.image > 0;
    this.bars.replaceChildren(...made.classes.map(bar));
    if (same) return; // what a person has written stays
    this.fields = fieldsOf(made);
    const shown = this.fields.slice(0, MOST_FIELDS);
    this.box.replaceChildren(
      ...shown.map((field, i) => {
        field.id = `say-${i}`;
        return h("div", { class: "field" }, h("label", { for: field.id, title: field.name }, field.name), field);
      }),
    );
    setText(this.answer, "\u00a0");
  }

  /** The network is another one now. */
  look(): void {
    if (performance.now() - this.askedAt > ASK_MS) void this.ask();
  }

  private async ask(): Promise<void> {
    const { made } = this;
    if (!made || made.image > 0) return;
    this.askedAt = performance.now();
    const turn = ++this.turn;
    try {
      const said = await this.say(this.fields.map(({ value }) => value));
      if (turn === this.turn && made === this.made) this.show(made, said);
    } catch (error) {
      if (turn !== this.turn) return;
      this.answer.className = "bad";
      setText(this.answer, error instanceof Error ? error.message.replace(/^csv: row 1, /, "") : String(error));
    }
  }

  private show({ classes, target }: Made, said: number[]): void {
    this.answer.className = "";
    if (target) {
      setText(this.answer, `${target.name}: ${short(said[0] ?? Number.NaN)}`);
      return;
    }
    const best = said.reduce((best, share, k) => (share > (said[best] as number) ? k : best), 0);
    setText(this.answer, `${classes[best]}, ${percent(said[best] as number)}`);
    this.bars.querySelectorAll("meter").forEach((meter, k) => {
      meter.value = Math.min(1, Math.max(0, said[k] ?? 0));
    });
  }
}

function fieldsOf({ features, mean, deviation, description }: Made): (HTMLInputElement | HTMLSelectElement)[] {
  /** A mean in no more digits than its column's spread gives it. */
  const middle = (at: number) => {
    const digits = Math.max(0, Math.min(6, 1 - Math.floor(Math.log10(deviation[at] as number))));
    return String(Number((mean[at] as number).toFixed(digits)));
  };
  const number = (name: string, value: string) =>
    h("input", { type: "text", inputmode: "decimal", autocomplete: "off", name, value });
  if (!description) return features.map((name, at) => number(name, middle(at)));
  let at = 0;
  return description.features.map((feature) => {
    const first = at;
    if (feature.kind === "number") {
      at += 1;
      const value = middle(first);
      return number(feature.name, description.decimal === "," ? value.replace(".", ",") : value);
    }
    at += feature.categories.length;
    return h("select", { name: feature.name }, ...feature.categories.map((name) => h("option", { value: name }, name)));
  });
}

function bar(name: string, k: number): HTMLElement {
  const meter = h("meter", { min: 0, max: 1, value: 0, "aria-label": `share of ${name}` });
  return h("li", { class: `class-${k % 10}` }, h("span", { class: "key", title: name }, h("i"), name), meter);
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
