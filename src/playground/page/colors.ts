/** What canvases are painted with: the page's own colours, which follow light and dark. */

export type Rgb = readonly [number, number, number];

export interface Palette {
  ink: Rgb;
  faint: string;
  line: string;
  surface: Rgb;
  classes: Rgb[];
  /** Ends of the scale for weights and activations. */
  negative: Rgb;
  positive: Rgb;
  /** Of predicted numbers: a small one, the mean, a large one. */
  numbers: readonly [low: Rgb, middle: Rgb, high: Rgb];
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
    numbers: [rgb(value("--low")), rgb(value("--middle")), rgb(value("--high"))],
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
  put(signedColor(value), out, at);
}

/** A pixel of an image. */
export function put([r, g, b]: Rgb, out: Uint8ClampedArray, at: number): void {
  out[at] = r;
  out[at + 1] = g;
  out[at + 2] = b;
  out[at + 3] = 255;
}

export function signedColor(value: number): Rgb {
  const { surface, negative, positive } = palette();
  return mixed(surface, value < 0 ? negative : positive, Math.abs(value));
}

/** Of a predicted number: from a small one at -1 over the mean at 0 to a large one at 1. */
export function numberColor(value: number): Rgb {
  const [low, middle, high] = palette().numbers;
  return mixed(middle, value < 0 ? low : high, Math.abs(value));
}

/** `from` where the share is 0, `to` where it is 1 or more. */
export function mixed(from: Rgb, to: Rgb, share: number): Rgb {
  const held = Math.min(1, Math.max(0, share));
  const [r, g, b] = from;
  return [r + (to[0] - r) * held, g + (to[1] - g) * held, b + (to[2] - b) * held];
}

function rgb(text: string): Rgb {
  const digits = text.replace("#", "");
  // A build writes #fff for #ffffff.
  const number = Number.parseInt(digits.length === 3 ? digits.replace(/./g, "$&$&") : digits, 16);
  return [(number >> 16) & 255, (number >> 8) & 255, number & 255];
}
