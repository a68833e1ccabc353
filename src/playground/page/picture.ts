import { palette, type Rgb } from "./colors";
import { context, h } from "./dom";

/** A picture of one channel, [side, side] from 0 to 1, between the page's surface and its ink; said to who cannot see it as `label`. */
export function grayPicture(pixels: Float32Array, side: number, label: string): HTMLCanvasElement {
  const canvas = h("canvas", { width: side, height: side, role: "img", "aria-label": label });
  paintGray(canvas, pixels);
  return canvas;
}

export function paintGray(canvas: HTMLCanvasElement, pixels: ArrayLike<number>): void {
  const { surface, ink } = palette();
  paint(canvas, pixels, (value) => {
    const share = Math.min(1, Math.max(0, value));
    const between = (c: 0 | 1 | 2) => surface[c] + (ink[c] - surface[c]) * share;
    return [between(0), between(1), between(2)];
  });
}

/** A pixel each value, row by row, in the canvas's own width. */
export function paint(canvas: HTMLCanvasElement, values: ArrayLike<number>, colour: (value: number) => Rgb): void {
  const image = new ImageData(canvas.width, canvas.height);
  for (let i = 0; i < values.length; i++) image.data.set([...colour(values[i] as number), 255], 4 * i);
  context(canvas).putImageData(image, 0, 0);
}
