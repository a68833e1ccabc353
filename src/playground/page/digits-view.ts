import type { Rows } from "../training/data-set";
import { h } from "./dom";
import { Pad, type Raster } from "./pad";
import { grayPicture } from "./picture";

const MOST_SHOWN = 36;
const SHOW_MS = 500;

/** The held-back digits that are misread, and a pad on which a person's own is read. */
export class DigitsView {
  private heldBack: Rows | null = null;
  private shownAt = 0;
  private readonly pad: Pad;
  /** A reading is on its way; what was drawn meanwhile is read after it. */
  private reading = false;
  private drawn = false;

  constructor(
    private readonly parts: {
      mistakes: HTMLElement;
      summary: HTMLElement;
      pad: HTMLCanvasElement;
      clear: HTMLButtonElement;
      answer: HTMLElement;
      bars: HTMLElement;
    },
    private readonly raster: Raster,
    /** The shares of the ten digits for one that was drawn; null is told where the pad is empty again. */
    private readonly read: (pixels: Float32Array | null) => Promise<Float32Array | null>,
    /** How many are shown that are read right, after those that are not. */
    private readonly right = 0,
  ) {
    this.pad = new Pad(parts.pad, raster, () => void this.answer());
    parts.clear.addEventListener("click", () => this.pad.clear());
  }

  begin(heldBack: Rows): void {
    this.heldBack = heldBack;
    this.shownAt = 0;
    this.parts.mistakes.replaceChildren();
    this.pad.draw();
    this.bars(new Float32Array(10));
  }

  /** `last`: nothing comes after, so that it is shown in any case. */
  show(look: { said: Int32Array | null; sureness: Float32Array | null }, last = false): void {
    const { said, sureness } = look;
    const now = performance.now();
    if (!said || !sureness || !this.heldBack || (!last && now - this.shownAt < SHOW_MS)) return;
    this.shownAt = now;
    const { y, x } = this.heldBack;
    const rows = [...said.keys()];
    const wrong = rows.filter((row) => said[row] !== y[row]);
    const right = rows.filter((row) => said[row] === y[row]).slice(0, this.right);
    const many = wrong.length > MOST_SHOWN ? `; the first ${MOST_SHOWN} of them` : "";
    this.parts.summary.textContent = `${wrong.length} of ${said.length} held-back digits are misread${many}`;
    const size = this.raster.side ** 2;
    this.parts.mistakes.replaceChildren(
      ...[...wrong.slice(0, MOST_SHOWN), ...right].map((row) => {
        const isWrong = said[row] !== y[row];
        const sure = `${Math.round(100 * (sureness[row] as number))} %`;
        return h(
          "li",
          { title: `read as ${said[row]}, sure to ${sure}`, class: isWrong ? "wrong" : "" },
          grayPicture(x.subarray(row * size, (row + 1) * size), this.raster.side, `A ${y[row]} read as ${said[row]}`),
          h("span", {}, isWrong ? `${y[row]} → ${said[row]}` : String(y[row])),
        );
      }),
    );
    void this.answer();
  }

  private async answer(): Promise<void> {
    this.drawn = true;
    if (this.reading) return;
    this.reading = true;
    try {
      while (this.drawn) {
        this.drawn = false;
        this.tell(await this.read(this.pad.pixels()));
      }
    } finally {
      this.reading = false;
    }
  }

  private tell(shares: Float32Array | null): void {
    const best = shares?.reduce((a, share, k) => (share > (shares[a] as number) ? k : a), 0);
    this.parts.answer.textContent = best === undefined ? "Draw a digit" : `That is a ${best}`;
    this.bars(shares ?? new Float32Array(10));
  }

  private bars(shares: Float32Array): void {
    if (this.parts.bars.childElementCount !== 10) {
      this.parts.bars.replaceChildren(
        ...Array.from({ length: 10 }, (_, k) =>
          h(
            "li",
            {},
            h("span", {}, String(k)),
            h("meter", { min: 0, max: 1, value: 0, "aria-label": `probability of ${k}` }),
          ),
        ),
      );
    }
    this.parts.bars.querySelectorAll("meter").forEach((meter, k) => {
      meter.value = Math.min(1, Math.max(0, shares[k] ?? 0));
    });
  }
}
