import type { RandomState } from "wgrad";

/** Each picture [side, side] moved by up to `most` pixels to the right and down, at random; what moves in is 0. */
export function moved(pictures: Float32Array, side: number, most: number, random: RandomState): Float32Array {
  const lines = pictures.length / side;
  const by = random.randint(-most, most + 1, (2 * lines) / side);
  const out = new Float32Array(pictures.length);
  for (let line = 0; line < lines; line++) {
    const picture = Math.floor(line / side);
    const [right, down] = [by[2 * picture] as number, by[2 * picture + 1] as number];
    const to = (line % side) + down;
    if (to < 0 || to >= side) continue;
    const pixels = pictures.subarray(line * side + Math.max(-right, 0), (line + 1) * side - Math.max(right, 0));
    out.set(pixels, (picture * side + to) * side + Math.max(right, 0));
  }
  return out;
}
