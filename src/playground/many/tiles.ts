import { h, sharpen } from "../page/dom";
import { CellImage } from "../page/plane-view";
import type { ManyLook, ManyMade } from "./messages";

/** How often networks change places while they train, in milliseconds: often enough to see the good ones rise, and calm. */
const SORT_MS = 1500;
const MOVE_MS = 500;

/** A picture of what each network decides, the best first. */
export class Tiles {
  private tiles: { item: HTMLLIElement; button: HTMLButtonElement; canvas: HTMLCanvasElement; loss: HTMLElement }[] =
    [];
  private look: ManyLook | null = null;
  private image: CellImage | null = null;
  private sortedAt = 0;
  private readonly still = matchMedia("(prefers-reduced-motion: reduce)");

  constructor(
    private readonly list: HTMLOListElement,
    private readonly picked: (network: number) => void,
  ) {
    list.addEventListener("keydown", (event) => this.walk(event));
    new ResizeObserver(() => this.draw()).observe(list);
  }

  begin({ rates, seeds, plane }: ManyMade): void {
    this.look = null;
    this.sortedAt = 0;
    this.image = plane && new CellImage(plane.cells);
    this.tiles = rates.map((_, network) => {
      const canvas = h("canvas", { "aria-hidden": "true" });
      const loss = h("span", { class: "num" }, "\u00a0");
      const button = h(
        "button",
        {
          ...{ type: "button", "aria-pressed": "false", tabindex: network === 0 ? 0 : -1 },
          "aria-label": `Rate ${rates[network]}, seed ${seeds[network]}`, // until there is more to say of it
        },
        canvas,
        loss,
      );
      button.addEventListener("click", () => this.picked(network));
      return { item: h("li", {}, button), button, canvas, loss };
    });
    this.list.style.setProperty("--side", String(Math.sqrt(seeds.length)));
    this.list.replaceChildren(...this.tiles.map(({ item }) => item));
  }

  /** What a tile is called is said by the page, which has the words for it. */
  show(look: ManyLook, names: readonly string[]): void {
    this.look = look;
    const stopped = new Set(look.stopped.map(({ network }) => network));
    this.tiles.forEach(({ item, button, loss }, network) => {
      item.classList.toggle("stopped", stopped.has(network));
      loss.textContent = stopped.has(network) ? "stopped" : shortLoss(look.losses[network] as number);
      button.setAttribute("aria-label", names[network] ?? "");
      button.title = names[network] ?? "";
    });
    this.draw();
  }

  pick(network: number): void {
    this.tiles.forEach(({ button }, i) => {
      button.setAttribute("aria-pressed", String(i === network));
    });
  }

  draw(): void {
    const { look, image } = this;
    if (!look || !image) return;
    this.tiles.forEach(({ canvas }, network) => {
      if (canvas.clientWidth === 0) return;
      const { width, height, pen } = sharpen(canvas);
      image.classes(look.each[network] as Float32Array, 1).drawTo(pen, 0, 0, width, height);
    });
  }

  /** Puts the networks in this order, unless they have moved just now; who wants no motion sees it only when `now`. */
  sort(order: readonly number[], now: boolean): void {
    const still = this.still.matches;
    if (!now && (still || performance.now() - this.sortedAt < SORT_MS)) return;
    this.sortedAt = performance.now();
    const wanted = order.flatMap((network) => this.tiles[network] ?? []);
    if (wanted.every(({ item }, i) => this.list.children[i] === item)) return;
    const focused = document.activeElement;
    const before = wanted.map(({ item }) => ({ x: item.offsetLeft, y: item.offsetTop }));
    this.list.append(...wanted.map(({ item }) => item));
    if (focused instanceof HTMLElement && this.list.contains(focused)) focused.focus({ preventScroll: true });
    if (still) return;
    wanted.forEach(({ item }, i) => {
      const { x, y } = before[i] as { x: number; y: number };
      const [dx, dy] = [x - item.offsetLeft, y - item.offsetTop];
      if (dx === 0 && dy === 0) return;
      item.animate([{ transform: `translate(${dx}px, ${dy}px)` }, { transform: "none" }], {
        duration: MOVE_MS,
        easing: "ease-in-out",
      });
    });
  }

  /** One of them is reached by Tab, the others from it by the arrows. */
  private walk(event: KeyboardEvent): void {
    const buttons = [...this.list.querySelectorAll("button")];
    const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
    const side = Math.sqrt(buttons.length);
    const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: side, ArrowUp: -side }[event.key];
    const next = by === undefined ? undefined : buttons[at + by];
    if (at < 0 || !next) return;
    event.preventDefault();
    for (const button of buttons) button.tabIndex = button === next ? 0 : -1;
    next.focus();
  }
}

/** A loss in few characters: 0.034 or 0.03, 1.2, 35. */
export function shortLoss(loss: number, decimals = 3): string {
  if (loss >= 100) return "> 99";
  return loss >= 10 ? loss.toFixed(0) : loss >= 1 ? loss.toFixed(1) : loss.toFixed(loss < 0.1 ? decimals : 2);
}
