import type { Look, Made } from "../training/messages";
import { css, palette } from "./colors";
import { context, h, sharpen } from "./dom";

const MOST_SHOWN = 36;
const SHOW_MS = 500;

/** The held-back digits that are misread, and a pad on which a person's own is read. */
export class DigitsView {
  private made: Made | null = null;
  private shownAt = 0;
  private readonly pad: Pad;

  constructor(
    private readonly parts: {
      mistakes: HTMLElement;
      summary: HTMLElement;
      pad: HTMLCanvasElement;
      clear: HTMLButtonElement;
      answer: HTMLElement;
      bars: HTMLElement;
    },
    private readonly read: (pixels: Float32Array) => Promise<Float32Array>,
  ) {
    this.pad = new Pad(parts.pad, () => void this.answer());
    parts.clear.addEventListener("click", () => this.pad.clear());
  }

  begin(made: Made): void {
    this.made = made;
    this.shownAt = 0;
    this.parts.mistakes.replaceChildren();
    this.pad.draw();
    this.bars(new Float32Array(10));
  }

  show({ said, sureness }: Look): void {
    const now = performance.now();
    if (!said || !sureness || !this.made || now - this.shownAt < SHOW_MS) return;
    this.shownAt = now;
    const { y, x } = this.made.heldBack;
    const wrong = [...said.keys()].filter((row) => said[row] !== y[row]);
    const many = wrong.length > MOST_SHOWN ? `; the first ${MOST_SHOWN} of them` : "";
    this.parts.summary.textContent = `${wrong.length} of ${said.length} held-back digits are misread${many}`;
    this.parts.mistakes.replaceChildren(
      ...wrong.slice(0, MOST_SHOWN).map((row) => {
        const canvas = h("canvas", {
          width: 8,
          height: 8,
          role: "img",
          "aria-label": `A ${y[row]} read as ${said[row]}`,
        });
        paint(context(canvas), x.subarray(row * 64, (row + 1) * 64));
        const sure = `${Math.round(100 * (sureness[row] as number))} %`;
        return h(
          "li",
          { title: `read as ${said[row]}, sure to ${sure}` },
          canvas,
          h("span", {}, `${y[row]} → ${said[row]}`),
        );
      }),
    );
    void this.answer();
  }

  private async answer(): Promise<void> {
    const pixels = this.pad.pixels();
    if (!pixels) {
      this.parts.answer.textContent = "Draw a digit";
      this.bars(new Float32Array(10));
      return;
    }
    const shares = await this.read(pixels);
    const best = shares.reduce((a, share, k) => (share > (shares[a] as number) ? k : a), 0);
    this.parts.answer.textContent = `That is a ${best}`;
    this.bars(shares);
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

function paint(pen: CanvasRenderingContext2D, pixels: Float32Array): void {
  const image = new ImageData(8, 8);
  const { surface, ink } = palette();
  pixels.forEach((value, i) => {
    for (let c = 0; c < 3; c++)
      image.data[i * 4 + c] = (surface[c] as number) + ((ink[c] as number) - (surface[c] as number)) * value;
    image.data[i * 4 + 3] = 255;
  });
  pen.putImageData(image, 0, 0);
}

type Point = readonly [x: number, y: number];
/** A side of the pad; strokes are kept in these units. */
const SIDE = 160;
const STEP = SIDE / 10;

/** Strokes by pointer, or by keyboard: arrows move a pen, space sets it down and lifts it. */
class Pad {
  private strokes: Point[][] = [];
  private at: Point = [SIDE / 2, SIDE / 4];
  private down = false;

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly changed: () => void,
  ) {
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "application");
    canvas.setAttribute(
      "aria-label",
      "Pad to draw a digit on. Arrow keys move the pen, space sets it down and lifts it.",
    );
    new ResizeObserver(() => this.draw()).observe(canvas);
    const place = (event: PointerEvent): Point => {
      const scale = SIDE / canvas.clientWidth;
      return [event.offsetX * scale, event.offsetY * scale];
    };
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.down = false;
      this.strokes.push([place(event)]);
      this.redrawn();
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!canvas.hasPointerCapture(event.pointerId)) return;
      this.strokes.at(-1)?.push(place(event));
      this.redrawn();
    });
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("focus", () => this.draw());
    canvas.addEventListener("blur", () => this.draw());
  }

  clear(): void {
    this.strokes = [];
    this.down = false;
    this.redrawn();
  }

  draw(): void {
    if (this.canvas.clientWidth === 0) return;
    const { width, height, pen } = sharpen(this.canvas);
    pen.clearRect(0, 0, width, height);
    pen.save();
    pen.scale(width / SIDE, height / SIDE);
    pen.strokeStyle = css(palette().ink);
    stroke(pen, this.strokes, 13);
    if (document.activeElement === this.canvas && this.canvas.matches(":focus-visible")) {
      pen.fillStyle = css(palette().positive);
      pen.beginPath();
      pen.arc(...this.at, 4, 0, 2 * Math.PI);
      pen.fill();
    }
    pen.restore();
  }

  /**
   * 8 x 8 pixels in 0 … 1 as the data set has them: the ink fills a square of 32 x 32, and each pixel is the share of
   * ink in 4 x 4. Null where nothing is drawn.
   */
  pixels(): Float32Array | null {
    const points = this.strokes.flat();
    if (points.length < 2) return null;
    const extent = (axis: 0 | 1): [number, number] => {
      const values = points.map((point) => point[axis]);
      return [Math.min(...values), Math.max(...values)];
    };
    const [left, right] = extent(0);
    const [top, bottom] = extent(1);
    const scale = 27 / Math.max(bottom - top, (right - left) * 1.15, 20);
    const moved = this.strokes.map((line) =>
      line.map(([x, y]): Point => [16 + (x - (left + right) / 2) * scale, 16 + (y - (top + bottom) / 2) * scale]),
    );
    const pen = new OffscreenCanvas(32, 32).getContext("2d");
    if (!pen) return null;
    pen.strokeStyle = "black";
    stroke(pen, moved, 4.2);
    const { data } = pen.getImageData(0, 0, 32, 32);
    return Float32Array.from({ length: 64 }, (_, pixel) => {
      let ink = 0;
      for (let i = 0; i < 16; i++) {
        const row = Math.floor(pixel / 8) * 4 + Math.floor(i / 4);
        const column = (pixel % 8) * 4 + (i % 4);
        ink += (data[(row * 32 + column) * 4 + 3] as number) / 255;
      }
      return ink / 16;
    });
  }

  private key(event: KeyboardEvent): void {
    const moves: Record<string, Point> = {
      ArrowLeft: [-STEP, 0],
      ArrowRight: [STEP, 0],
      ArrowUp: [0, -STEP],
      ArrowDown: [0, STEP],
    };
    const move = moves[event.key];
    if (move) {
      const held = (value: number) => Math.min(SIDE - 8, Math.max(8, value));
      this.at = [held(this.at[0] + move[0]), held(this.at[1] + move[1])];
      if (this.down) this.strokes.at(-1)?.push(this.at);
    } else if (event.key === " ") {
      this.down = !this.down;
      if (this.down) this.strokes.push([this.at]);
    } else return;
    event.preventDefault();
    this.redrawn();
  }

  private redrawn(): void {
    this.draw();
    this.changed();
  }
}

function stroke(
  pen: CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D,
  strokes: readonly (readonly Point[])[],
  width: number,
): void {
  pen.lineWidth = width;
  pen.lineCap = "round";
  pen.lineJoin = "round";
  for (const line of strokes) {
    pen.beginPath();
    line.forEach(([x, y], i) => {
      if (i === 0) pen.moveTo(x, y);
      pen.lineTo(x, y);
    });
    pen.stroke();
  }
}
