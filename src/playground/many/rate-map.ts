import { css, numberColor, type Rgb } from "../page/colors";
import { h } from "../page/dom";
import type { ManyLook, ManyMade } from "./messages";
import { shortLoss } from "./tiles";

/** The losses between which the colours lie, by their logarithm: from what has learnt well to what guesses. */
const LEAST = 0.01;
export const GUESSING = Math.log(2);

/** The loss of each network, a row a rate and a column a seed: a table whose cells are coloured. */
export class RateMap {
  private cells: HTMLTableCellElement[] = [];
  private look: ManyLook | null = null;

  constructor(
    private readonly table: HTMLTableElement,
    private readonly picked: (network: number) => void,
  ) {}

  begin({ rates, seeds }: ManyMade): void {
    this.look = null;
    const side = Math.sqrt(rates.length);
    const head = (scope: string, text: string | number) => h("th", { scope }, String(text));
    this.cells = rates.map((_, network) => h("td", { class: "num", "data-network": network }, "\u00a0"));
    this.cells.forEach((cell, network) => {
      cell.addEventListener("click", () => this.picked(network));
    });
    const rows = Array.from({ length: side }, (_, row) =>
      h("tr", {}, head("row", rates[row * side] ?? ""), ...this.cells.slice(row * side, (row + 1) * side)),
    );
    const columns = h("tr", {}, h("td", {}), ...seeds.slice(0, side).map((seed) => head("col", seed)));
    this.table.replaceChildren(h("thead", {}, columns), h("tbody", {}, ...rows));
  }

  show(look: ManyLook, names: readonly string[]): void {
    this.look = look;
    this.cells.forEach((cell, network) => {
      cell.title = names[network] ?? "";
    });
    this.draw();
  }

  pick(network: number): void {
    this.cells.forEach((cell, i) => {
      cell.classList.toggle("picked", i === network);
    });
  }

  draw(): void {
    const { look } = this;
    if (!look) return;
    const stopped = new Set(look.stopped.map(({ network }) => network));
    this.cells.forEach((cell, network) => {
      const loss = look.losses[network] as number;
      const ground = stopped.has(network) ? null : numberColor(2 * shareOf(loss) - 1);
      cell.textContent = ground ? shortLoss(loss, 2) : "✕";
      cell.style.background = ground ? css(ground) : "";
      cell.style.color = ground ? (isLight(ground) ? "#000" : "#fff") : "";
    });
  }
}

/** Where a loss lies between a good one and guessing, by its logarithm. */
function shareOf(loss: number): number {
  return Math.min(1, Math.max(0, Math.log(Math.max(loss, 1e-9) / LEAST) / Math.log(GUESSING / LEAST)));
}

/** Whether black is read better on it than white. Source: WCAG 2.2, relative luminance. */
function isLight([r, g, b]: Rgb): boolean {
  const linear = (value: number) =>
    value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4;
  return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b) > 0.179;
}
