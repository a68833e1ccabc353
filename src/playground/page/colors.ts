/** What canvases are painted with: the page's own colours, which follow light and dark. */

export type Rgb = readonly [number, number, number];

export interface Palette {
  ink: Rgb;
  faint: string;
  line: string;
  surface: Rgb;
  classes: Rgb[];
  /** Ends of the scale for signed values. */
  negative: Rgb;
  positive: Rgb;
}

let known: Palette | null = null;
const dark = matchMedia("(prefers-color-scheme: dark)");

/** Calls when all that is drawn must be drawn anew: the page has other colours, or the GPU's process went with the canvases. */
export function onRepaint(redraw: () => void): void {
  dark.addEventListener("change", () => {
    known = null;
    redraw();
  });
  let asked = false;
  const restored = () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      redraw();
    });
  };
  document.addEventListener("contextrestored", restored, true); // of each canvas, and it does not rise
}

export function palette(): Palette {
  if (known) return known;
  const style = getComputedStyle(document.documentElement);
  const value = (name: string) => style.getPropertyValue(name).trim();
  known = {
    ink: rgb(value("--ink")),
    faint: value("--ink-2"),
    line: value("--line"),
    surface: rgb(value("--surface")),
    classes: Array.from({ length: 10 }, (_, k) => rgb(value(`--class-${k}`))),
    negative: rgb(value("--negative")),
    positive: rgb(value("--positive")),
  };
  return known;
}

export function classColor(k: number): Rgb {
  const { classes } = palette();
  return classes[k % classes.length] as Rgb;
}

export function css([r, g, b]: Rgb, alpha = 1): string {
  return `rgb(${r} ${g} ${b} / ${alpha})`;
}

/** From the surface at 0 to the ends at -1 and 1, written to `out` from `at` on. */
export function signed(value: number, out: Uint8ClampedArray, at: number): void {
  const [r, g, b] = signedColor(value);
  out[at] = r;
  out[at + 1] = g;
  out[at + 2] = b;
  out[at + 3] = 255;
}

export function signedColor(value: number): Rgb {
  const { surface, negative, positive } = palette();
  const end = value < 0 ? negative : positive;
  const share = Math.min(1, Math.abs(value));
  const [r, g, b] = surface;
  return [r + (end[0] - r) * share, g + (end[1] - g) * share, b + (end[2] - b) * share];
}

function rgb(text: string): Rgb {
  const digits = text.replace("#", "");
  // A build writes #fff for #ffffff.
  const number = Number.parseInt(digits.length === 3 ? digits.replace(/./g, "$&$&") : digits, 16);
  return [(number >> 16) & 255, (number >> 8) & 255, number & 255];
}
