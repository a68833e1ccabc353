import { css, palette } from "./colors";
import { sharpen } from "./dom";

/** How a drawing becomes the pixels of a data set. Lengths are in its pixels. */
export interface Raster {
  /** Pixels on a side. */
  side: number;
  /** What the middles of the strokes fill: so high at most, or so wide. */
  high: number;
  wide: number;
  pen: number;
  /** Whether the ink's centre of mass is put in the middle; else the middle of its box. */
  byMass: boolean;
}

/** As E. Alpaydin and C. Kaynak made theirs: the ink fills the picture. */
export const RASTER_8: Raster = { side: 8, high: 6.75, wide: 5.87, pen: 1.05, byMass: false };
/** As MNIST's: the ink in a square of 20, its centre of mass in the middle of 28. */
export const RASTER_28: Raster = { side: 28, high: 17.5, wide: 17.5, pen: 2.6, byMass: true };

/** Of a side of a pixel, in how many parts its ink is counted. */
const FINE = 4;

type Point = readonly [x: number, y: number];
/** A side of the pad; strokes are kept in these units. */
const SIDE = 160;
const STEP = SIDE / 10;

/** Strokes by pointer, or by keyboard: arrows move a pen, space sets it down and lifts it. */
export class Pad {
  private strokes: Point[][] = [];
  private at: Point = [SIDE / 2, SIDE / 4];
  private down = false;

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly raster: Raster,
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

  /** The drawing in pixels from 0 to 1, each the share of it that has ink. Null where nothing is drawn. */
  pixels(): Float32Array | null {
    const { side, high, wide, pen, byMass } = this.raster;
    const points = this.strokes.flat();
    if (points.length < 2) return null;
    const extent = (axis: 0 | 1): [number, number] => {
      const values = points.map((point) => point[axis]);
      return [Math.min(...values), Math.max(...values)];
    };
    const [left, right] = extent(0);
    const [top, bottom] = extent(1);
    const scale = Math.min(high / Math.max(bottom - top, 20), wide / Math.max(right - left, 20));
    const inked = ([middleX, middleY]: Point): Float32Array | null => {
      const moved = this.strokes.map((line) =>
        line.map(
          ([x, y]): Point => [
            FINE * (middleX + (x - (left + right) / 2) * scale),
            FINE * (middleY + (y - (top + bottom) / 2) * scale),
          ],
        ),
      );
      return inkOf(moved, FINE * pen, side);
    };
    const middle: Point = [side / 2, side / 2];
    const first = inked(middle);
    if (!first || !byMass) return first;
    const [x, y] = massOf(first, side);
    return inked([side - x, side - y]);
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

/** The share of ink in each pixel of [side, side]; lines are in parts of a pixel. Null where the browser draws nothing. */
function inkOf(lines: readonly (readonly Point[])[], width: number, side: number): Float32Array | null {
  const across = FINE * side;
  const pen = new OffscreenCanvas(across, across).getContext("2d");
  if (!pen) return null;
  pen.strokeStyle = "black";
  stroke(pen, lines, width);
  const { data } = pen.getImageData(0, 0, across, across);
  return Float32Array.from({ length: side * side }, (_, pixel) => {
    let ink = 0;
    for (let i = 0; i < FINE * FINE; i++) {
      const row = Math.floor(pixel / side) * FINE + Math.floor(i / FINE);
      const column = (pixel % side) * FINE + (i % FINE);
      ink += (data[(row * across + column) * 4 + 3] as number) / 255;
    }
    return ink / (FINE * FINE);
  });
}

/** The centre of mass of a picture's ink. */
function massOf(pixels: Float32Array, side: number): Point {
  let [sum, x, y] = [0, 0, 0];
  pixels.forEach((ink, i) => {
    sum += ink;
    x += ink * ((i % side) + 0.5);
    y += ink * (Math.floor(i / side) + 0.5);
  });
  return sum > 0 ? [x / sum, y / sum] : [side / 2, side / 2];
}
