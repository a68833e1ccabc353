import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readIdx, readMnist } from "../../src/files/idx";
import { FormatError } from "../../src/util/errors";
import golden from "../golden/files.json";
import { fromBase64, toNumbers } from "./bytes";

const images = fromBase64(golden.idx.images);
const labels = fromBase64(golden.idx.labels);
const imagesPacked = fromBase64(golden.idx.imagesPacked);
const labelsPacked = fromBase64(golden.idx.labelsPacked);

async function expectRefused(reading: Promise<unknown>, message: string | RegExp = /^idx/): Promise<void> {
  const error = await reading.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(FormatError);
  expect((error as Error).message).toMatch(message);
}

const fileOf = (code: number, lengths: readonly number[], dataBytes: number): Uint8Array => {
  const file = new Uint8Array(4 + 4 * lengths.length + dataBytes);
  file.set([0, 0, code, lengths.length]);
  lengths.forEach((length, axis) => {
    new DataView(file.buffer).setUint32(4 + 4 * axis, length);
  });
  return file;
};

async function gzip(bytes: Uint8Array): Promise<Uint8Array> {
  const stream = new Blob([new Uint8Array(bytes)]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

describe("readIdx", () => {
  test.each(golden.idx.cases)("reads $dtype, and every value of it", async ({ file, dtype, shape, values }) => {
    const array = await readIdx(fromBase64(file));
    expect([array.dtype, array.shape]).toEqual([dtype, shape]);
    expect([...array.values]).toEqual(toNumbers(values));
    const kind = { float32: Float32Array, float64: Float64Array }[dtype] ?? Int32Array;
    expect(array.values).toBeInstanceOf(kind);
  });

  test("reads a packed file as the file itself", async () => {
    expect(await readIdx(imagesPacked)).toEqual(await readIdx(images));
    expect((await readIdx(images)).shape).toEqual([5, 4, 3]);
  });

  test("reads a file that lies at an odd byte of a buffer", async () => {
    const buffer = new Uint8Array(images.length + 3);
    buffer.set(images, 3);
    expect(await readIdx(buffer.subarray(3))).toEqual(await readIdx(images));
  });

  test("reads an array of none", async () => {
    expect(await readIdx(fileOf(8, [0, 28, 28], 0))).toEqual({
      dtype: "uint8",
      shape: [0, 28, 28],
      values: new Int32Array(0),
    });
  });

  test("says what to give instead of an ArrayBuffer, and of a limit that is none", async () => {
    // @ts-expect-error: what a caller without types may do
    await expect(readIdx(new ArrayBuffer(16))).rejects.toThrow(TypeError);
    await expect(readIdx(images, { maxBytes: -1 })).rejects.toThrow(RangeError);
  });
});

describe("readMnist", () => {
  test("gives a data set: pixels in 0 … 1, classes, and the images' size", async () => {
    for (const [x, y] of [
      [images, labels],
      [imagesPacked, labelsPacked],
    ] as const) {
      const data = await readMnist(x, y);
      expect(data.x).toEqual(Float32Array.from(golden.idx.pixels, (pixel) => pixel / 255));
      expect(data.y).toEqual(Int32Array.of(3, 0, 9, 1, 3));
      expect([data.rows, data.inputs, data.height, data.width]).toEqual([5, 12, 4, 3]);
    }
  });

  test("refuses files that are not images and their labels", async () => {
    await expectRefused(readMnist(labels, images), "idx images: the file has uint8 of shape [5]; it must have");
    await expectRefused(readMnist(images, images), "idx labels: the file has uint8 of shape [5, 4, 3]");
    await expectRefused(readMnist(images, fileOf(8, [4], 4)), "there are 4 labels for 5 images");
    await expectRefused(readMnist(fileOf(0x0c, [1, 1, 1], 4), labels), "the file has int32");
    await expectRefused(readMnist(fileOf(8, [0, 28, 28], 0), fileOf(8, [0], 0)), "none of them 0");
  });
});

describe("an IDX file is refused", () => {
  test("cut off at any byte, and with a byte too many, packed or not", async () => {
    for (const file of [images, labels, imagesPacked, ...golden.idx.cases.map((given) => fromBase64(given.file))]) {
      for (let length = 0; length < file.length; length++) await expectRefused(readIdx(file.subarray(0, length)));
    }
    await expectRefused(readIdx(new Uint8Array([...images, 0])), "the file has 77 bytes");
    await expectRefused(readIdx(await gzip(new Uint8Array([...images, 0]))), "unpacked are more than 76 bytes");
  });

  test("that unpacks to more than its header says, before it is unpacked", async () => {
    await expectRefused(readIdx(fromBase64(golden.idx.bomb)), "unpacked are more than 76 bytes");
  });

  test.each<[string, Uint8Array, string]>([
    ["other first bytes", Uint8Array.of(0x50, 0x4b, 3, 4), "the file begins with bytes 80 and 75"],
    ["an unknown type", fileOf(0x0a, [1], 1), "the type of the numbers, is 10"],
    ["no axes", fileOf(8, [], 1), "the number of axes, is 0"],
    ["a shape larger than the file", fileOf(8, [1000, 1000], 4), "takes 1000012 with its header"],
    ["a shape past maxBytes", fileOf(8, [2 ** 32 - 1], 4), "maxBytes allows 2147483648"],
    ["a shape whose size overflows", fileOf(14, new Array(255).fill(2 ** 32 - 1), 4), "maxBytes allows"],
    ["a shape that the file passes", fileOf(8, [3], 4), "the file has 12 bytes; uint8 of shape [3] takes 11"],
    ["gzip that is none", Uint8Array.of(0x1f, 0x8b, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10), "are not whole gzip"],
  ])("with %s", async (_, file, message) => {
    await expectRefused(readIdx(file), message);
  });

  test("larger than maxBytes, packed or not", async () => {
    await expectRefused(readIdx(images, { maxBytes: 75 }), "maxBytes allows 75");
    await expectRefused(readIdx(imagesPacked, { maxBytes: 75 }), "maxBytes allows 75");
    expect((await readIdx(imagesPacked, { maxBytes: 76 })).shape).toEqual([5, 4, 3]);
  });
});

test("bytes changed give a file that reads or a FormatError, nothing else", async () => {
  const change = fc.record({ at: fc.nat(), to: fc.integer({ min: 0, max: 255 }) });
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(images, imagesPacked, labels, labelsPacked),
      fc.array(change, { minLength: 1, maxLength: 4 }),
      async (file, changes) => {
        const copy = file.slice();
        for (const { at, to } of changes) copy[at % copy.length] = to;
        await readIdx(copy).catch((error: unknown) => {
          if (!(error instanceof FormatError)) throw error;
          refused++;
        });
      },
    ),
    { numRuns: 1000 },
  );
  expect(refused).toBeGreaterThan(200);
});
