import { context } from "../page/dom";
import { PICTURE_SIDE, PICTURE_SIZE } from "./backbone";

const PIXELS = PICTURE_SIDE * PICTURE_SIDE;

/**
 * The square in the middle of a picture as the network takes it: [3, 64, 64] of bytes. What shows through is white. Rejects where it is no
 * picture that this browser reads.
 */
export async function pictureOf(source: Blob | HTMLVideoElement): Promise<Uint8Array> {
  const whole = await createImageBitmap(source);
  const side = Math.min(whole.width, whole.height);
  const [left, top] = [Math.floor((whole.width - side) / 2), Math.floor((whole.height - side) / 2)];
  const small = await createImageBitmap(whole, left, top, side, side, {
    resizeWidth: PICTURE_SIDE,
    resizeHeight: PICTURE_SIDE,
    resizeQuality: "high",
  });
  const pen = new OffscreenCanvas(PICTURE_SIDE, PICTURE_SIDE).getContext("2d", { willReadFrequently: true });
  if (!pen) throw new Error("This browser gives no 2d canvas to draw on.");
  pen.fillStyle = "#ffffff";
  pen.fillRect(0, 0, PICTURE_SIDE, PICTURE_SIDE);
  pen.drawImage(small, 0, 0);
  whole.close();
  small.close();
  const { data } = pen.getImageData(0, 0, PICTURE_SIDE, PICTURE_SIDE);
  return Uint8Array.from({ length: PICTURE_SIZE }, (_, i) => data[(i % PIXELS) * 4 + Math.floor(i / PIXELS)] as number);
}

/** Such a picture on a canvas of 64 x 64. */
export function showPicture(canvas: HTMLCanvasElement, picture: Uint8Array): void {
  const image = new ImageData(PICTURE_SIDE, PICTURE_SIDE);
  for (let i = 0; i < PIXELS; i++) {
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = picture[c * PIXELS + i] as number;
    image.data[4 * i + 3] = 255;
  }
  context(canvas).putImageData(image, 0, 0);
}
