import { holdBack, textOf } from "../../examples/data";
import type { MnistFiles } from "../../examples/mnist";
import { readCsv } from "../../src/files/csv";

const SIDE = 28;

/**
 * The small digits as files of MNIST's format: each of 8 x 8 pixels drawn three times as large in the middle of 28 x 28,
 * 0 … 16 become 0 … 255. `rows` to learn from, 360 held back.
 */
export async function digitsAsMnist(rows: number): Promise<MnistFiles> {
  const { x, y } = readCsv(await textOf("digits.csv.gz"), { label: -1, header: false });
  const { training, heldBack } = holdBack({ x, y }, 360);
  const first = { x: training.x.subarray(0, 64 * rows), y: training.y.subarray(0, rows) };
  return {
    images: idx([first.y.length, SIDE, SIDE], enlarged(first.x)),
    labels: idx([first.y.length], Uint8Array.from(first.y)),
    testImages: idx([heldBack.y.length, SIDE, SIDE], enlarged(heldBack.x)),
    testLabels: idx([heldBack.y.length], Uint8Array.from(heldBack.y)),
  };
}

function enlarged(x: Float32Array): Uint8Array {
  const images = new Uint8Array((x.length / 64) * SIDE * SIDE);
  for (let image = 0; image < x.length / 64; image++) {
    for (let row = 0; row < 24; row++) {
      for (let column = 0; column < 24; column++) {
        const pixel = x[64 * image + 8 * Math.floor(row / 3) + Math.floor(column / 3)] as number;
        images[(image * SIDE + row + 2) * SIDE + column + 2] = Math.round((pixel * 255) / 16);
      }
    }
  }
  return images;
}

/** An IDX file of bytes: two zeros, the type, the number of axes, each length, the data. */
function idx(shape: readonly number[], data: Uint8Array): Uint8Array {
  const file = new Uint8Array(4 + 4 * shape.length + data.length);
  const view = new DataView(file.buffer);
  view.setUint32(0, 0x0800 | shape.length);
  shape.forEach((length, axis) => {
    view.setUint32(4 + 4 * axis, length);
  });
  file.set(data, 4 + 4 * shape.length);
  return file;
}
