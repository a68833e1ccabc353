import { css, mixed, palette } from "../page/colors";
import { h, setText } from "../page/dom";
import type { Written } from "./messages";

/** The last characters that were written, and under them a row a head: how much it looked at each, from the character that is chosen. */
export class AttentionView {
  private written: Written | null = null;
  private cells: HTMLElement[][] = [];
  private heads: HTMLElement[] = [];
  private said: HTMLElement[] = [];
  private characters: HTMLElement[] = [];

  constructor(
    private readonly box: HTMLElement,
    private readonly place: HTMLInputElement,
    private readonly placed: HTMLElement,
  ) {
    place.addEventListener("input", () => this.draw());
    box.addEventListener("pointerover", (event) => {
      const at = (event.target as HTMLElement).dataset.at;
      if (at === undefined) return;
      this.place.value = String(Number(at) + 1);
      this.draw();
    });
  }

  show(written: Written): void {
    const { blocks, heads, seen } = written;
    if (this.written?.seen.length !== seen.length || this.heads.length !== blocks * heads) this.build(written);
    this.written = written;
    seen.forEach((character, at) => {
      setText(this.characters[at] as HTMLElement, visible(character));
    });
    this.draw();
  }

  draw(): void {
    const { written, place } = this;
    if (!written) return;
    const { seen, shares } = written;
    const T = seen.length;
    const at = Math.min(T, Number(place.value)) - 1;
    const { surface, ink } = palette();
    this.characters.forEach((character, i) => {
      character.classList.toggle("chosen", i === at);
    });
    this.cells.forEach((row, head) => {
      const looks = shares.subarray((head * T + at) * T, (head * T + at + 1) * T);
      const most = looks.reduce((most, share) => Math.max(most, share), 0);
      row.forEach((cell, i) => {
        cell.style.background = i > at ? "" : css(mixed(surface, ink, (looks[i] as number) / most));
      });
      const where = looks.indexOf(most);
      setText(this.said[head] as HTMLElement, `${visible(seen[where] ?? "")} ${Math.round(100 * most)} %`);
    });
    setText(this.placed, `${visible(seen[at] ?? "")}, ${at + 1} of ${T}`);
  }

  private build({ blocks, heads, seen }: Written): void {
    const T = seen.length;
    this.box.style.setProperty("--length", String(T));
    const cell = (at: number) => h("span", { "data-at": at });
    this.characters = seen.map((_, at) => cell(at));
    this.cells = Array.from({ length: blocks * heads }, () => seen.map((_, at) => cell(at)));
    this.heads = this.cells.map((_, i) => {
      const [block, head] = [Math.floor(i / heads) + 1, (i % heads) + 1];
      const word = (text: string) => h("span", { class: "word" }, text); // not where it is narrow
      return h("span", { class: "name" }, word("block "), `${block}`, word(", head"), ` ${head}`);
    });
    this.said = this.cells.map(() => h("span", { class: "most num" }));
    const rows = this.cells.flatMap((row, i) => [this.heads[i] as HTMLElement, ...row, this.said[i] as HTMLElement]);
    const first = [h("span", { class: "name" }), ...this.characters, h("span", { class: "most" }, "most at")];
    this.box.replaceChildren(...first, ...rows);
    for (const character of this.characters) character.classList.add("character");
    this.place.max = String(T);
    this.place.value = String(T);
  }
}

/** What is not seen by itself has a sign. */
export function visible(character: string): string {
  return { " ": "␣", "\n": "⏎", "\t": "⇥" }[character] ?? character;
}
