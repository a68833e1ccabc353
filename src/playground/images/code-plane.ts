import { classColor, css, palette } from "../page/colors";
import { sharpen } from "../page/dom";

type Point = [number, number];
/** How far an arrow key goes, of the plane's width. */
const STEP = 1 / 40;

/** The plane of codes: a point for each digit held back, and a place that is pointed at. Pointer, or arrow keys. */
export class CodePlane {
  private codes = new Float32Array(0);
  private digits = new Int32Array(0);
  private at: Point = [0, 0];
  /** What is shown of the plane. */
  private low: Point = [-1, -1];
  private high: Point = [1, 1];

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly picked: (code: Point) => void,
  ) {
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "application");
    canvas.setAttribute("aria-label", "Plane of codes. Arrow keys move the place from which a digit is drawn.");
    new ResizeObserver(() => this.draw()).observe(canvas);
    const point = (event: PointerEvent) => {
      if (event.type === "pointermove" && !canvas.hasPointerCapture(event.pointerId)) return;
      if (event.type === "pointerdown") canvas.setPointerCapture(event.pointerId);
      this.go(event.offsetX / canvas.clientWidth, 1 - event.offsetY / canvas.clientHeight);
    };
    canvas.addEventListener("pointerdown", point);
    canvas.addEventListener("pointermove", point);
    canvas.addEventListener("keydown", (event) => {
      const moves: Record<string, Point> = {
        ArrowLeft: [-STEP, 0],
        ArrowRight: [STEP, 0],
        ArrowUp: [0, STEP],
        ArrowDown: [0, -STEP],
      };
      const move = moves[event.key];
      if (!move) return;
      event.preventDefault();
      this.go(this.share(this.at, 0) + move[0], this.share(this.at, 1) + move[1]);
    });
  }

  get code(): Point {
    return this.at;
  }

  codeOf(row: number): Point {
    return [this.codes[2 * row] as number, this.codes[2 * row + 1] as number];
  }

  /** codes [rows, 2], and the digit of each row. */
  show(codes: Float32Array, digits: Int32Array): void {
    const first = this.codes.length === 0;
    this.codes = codes as Float32Array<ArrayBuffer>;
    this.digits = digits as Int32Array<ArrayBuffer>;
    for (const axis of [0, 1] as const) {
      const values = codes.filter((_, i) => i % 2 === axis).sort();
      const [least, most] = [values[0] ?? -1, values[values.length - 1] ?? 1];
      const margin = 0.06 * (most - least) || 1;
      this.low[axis] = least - margin;
      this.high[axis] = most + margin;
    }
    if (first) this.at = this.codeOf(0);
    this.draw();
  }

  /** Points at a code. */
  point(code: Point): void {
    this.at = code;
    this.draw();
  }

  draw(): void {
    if (this.canvas.clientWidth === 0) return;
    const { width, height, pen } = sharpen(this.canvas);
    pen.clearRect(0, 0, width, height);
    pen.font = "600 11px system-ui, sans-serif";
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    // Each point is the digit itself: no colour has to be looked up.
    this.digits.forEach((digit, row) => {
      const code = this.codeOf(row);
      pen.fillStyle = css(classColor(digit));
      pen.fillText(String(digit), this.share(code, 0) * width, (1 - this.share(code, 1)) * height);
    });
    const [x, y] = [this.share(this.at, 0) * width, (1 - this.share(this.at, 1)) * height];
    pen.lineWidth = 2;
    for (const [radius, colour] of [
      [9, css(palette().surface)],
      [7, css(palette().ink)],
    ] as const) {
      pen.strokeStyle = colour;
      pen.beginPath();
      pen.arc(x, y, radius, 0, 2 * Math.PI);
      pen.stroke();
    }
  }

  private go(x: number, y: number): void {
    const held = (share: number, axis: 0 | 1) =>
      this.low[axis] + Math.min(1, Math.max(0, share)) * (this.high[axis] - this.low[axis]);
    this.at = [held(x, 0), held(y, 1)];
    this.draw();
    this.picked(this.at);
  }

  private share(code: Point, axis: 0 | 1): number {
    return (code[axis] - this.low[axis]) / (this.high[axis] - this.low[axis]);
  }
}
