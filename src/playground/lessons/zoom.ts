/** How much one press, or one notch of the wheel, changes. */
const STEP = 1.25;
const MOST = 2;
/** Of the box, in pixels: what it grows to. */
const MOST_HEIGHT = 480;
/** Below this nothing can be read: a graph that fits only smaller is scrolled instead. */
const LEAST_FITTED = 0.6;

/**
 * A drawing in a box that scrolls: at first as large as fits, then as large as a person wants it, by buttons, by + - 0,
 * by the wheel with Ctrl (as a trackpad's pinch comes) and by two fingers. What is under the pointer stays there.
 */
export class Zoom {
  private drawing: SVGSVGElement | null = null;
  private scale = 1;
  /** Whether it follows the box, because nobody has chosen otherwise. */
  private fitted = true;
  private readonly fingers = new Map<number, PointerEvent>();

  constructor(
    private readonly box: HTMLElement,
    buttons: { closer: HTMLButtonElement; farther: HTMLButtonElement; whole: HTMLButtonElement },
  ) {
    buttons.closer.addEventListener("click", () => this.by(STEP));
    buttons.farther.addEventListener("click", () => this.by(1 / STEP));
    buttons.whole.addEventListener("click", () => this.fit());
    new ResizeObserver(() => this.fitted && this.fit()).observe(box);
    box.addEventListener("keydown", (event) => this.key(event));
    box.addEventListener(
      "wheel",
      (event) => {
        if (!event.ctrlKey && !event.metaKey) return; // it scrolls the page
        event.preventDefault();
        this.by(Math.exp(-Math.sign(event.deltaY) * Math.min(0.25, Math.abs(event.deltaY) / 100)), event);
      },
      { passive: false },
    );
    box.addEventListener("pointerdown", (event) => event.pointerType === "touch" && this.touched(event));
    box.addEventListener("pointermove", (event) => this.fingers.has(event.pointerId) && this.touched(event));
    for (const end of ["pointerup", "pointercancel", "pointerleave"] as const) {
      box.addEventListener(end, (event) => this.fingers.delete(event.pointerId));
    }
  }

  begin(drawing: SVGSVGElement): void {
    this.drawing = drawing;
    this.fit();
  }

  private fit(): void {
    const { drawing, box } = this;
    if (!drawing) return;
    const { width, height } = drawing.viewBox.baseVal;
    this.fitted = true;
    this.to(Math.max(LEAST_FITTED, Math.min(1, box.clientWidth / width, MOST_HEIGHT / height)));
  }

  /** So many times larger; `at` stays where it is, else the middle of the box. */
  private by(times: number, at?: { clientX: number; clientY: number }): void {
    const { box, scale } = this;
    const frame = box.getBoundingClientRect();
    const [x, y] = at ? [at.clientX - frame.left, at.clientY - frame.top] : [frame.width / 2, frame.height / 2];
    const [left, top] = [box.scrollLeft + x, box.scrollTop + y];
    this.fitted = false;
    this.to(scale * times);
    const grown = this.scale / scale;
    box.scrollTo(left * grown - x, top * grown - y);
  }

  private to(scale: number): void {
    const { width, height } = this.drawing?.viewBox.baseVal ?? { width: 0, height: 0 };
    this.scale = Math.min(MOST, Math.max(0.2, scale));
    this.drawing?.setAttribute("width", String(Math.floor(width * this.scale)));
    this.drawing?.setAttribute("height", String(Math.floor(height * this.scale)));
  }

  private key(event: KeyboardEvent): void {
    if (event.altKey || event.ctrlKey || event.metaKey) return; // those are the browser's
    if (event.key === "+" || event.key === "=") this.by(STEP);
    else if (event.key === "-") this.by(1 / STEP);
    else if (event.key === "0") this.fit();
    else return;
    event.preventDefault();
  }

  /** Two fingers: as much larger as they are farther apart than before. */
  private touched(event: PointerEvent): void {
    const apart = () => {
      const [a, b] = [...this.fingers.values()];
      return a && b ? Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY) : 0;
    };
    const before = apart();
    this.fingers.set(event.pointerId, event);
    const [a, b] = [...this.fingers.values()];
    if (!a || !b || before === 0) return;
    this.by(apart() / before, { clientX: (a.clientX + b.clientX) / 2, clientY: (a.clientY + b.clientY) / 2 });
  }
}
