import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readNpz, writeNpz } from "../../src/files/npy";
import { ShapeError } from "../../src/util/errors";
import golden from "../golden/files.json";
import { expectFormatError, fromBase64, readsOrRefuses } from "./bytes";

const stored = fromBase64(golden.npz.stored);
const packed = fromBase64(golden.npz.packed);
const streamed = fromBase64(golden.npz.streamed);
const ENTRY = "PK\x01\x02";
const LOCAL = "PK\x03\x04";
const END = "PK\x05\x06";

const find = (file: Uint8Array, signature: string): number => {
  const at = String.fromCharCode(...file).indexOf(signature);
  expect(at).toBeGreaterThanOrEqual(0);
  return at;
};

/** The archive with a number of 2 or 4 bytes changed, `offset` bytes after the first `signature`. */
function changed(file: Uint8Array, signature: string, offset: number, value: number, bytes: 2 | 4 = 4): Uint8Array {
  const copy = file.slice();
  const view = new DataView(copy.buffer);
  const at = find(file, signature) + offset;
  if (bytes === 2) view.setUint16(at, value, true);
  else view.setUint32(at, value, true);
  return copy;
}

describe("readNpz", () => {
  test.each([
    ["numpy.savez", stored],
    ["numpy.savez_compressed", packed],
  ])("reads every array that %s wrote", (_, file) => {
    const arrays = readNpz(file);
    const expected: Record<string, { dtype: string; shape: number[] }> = golden.npz.arrays;
    expect(Object.keys(arrays)).toEqual(Object.keys(expected));
    for (const [name, { dtype, shape }] of Object.entries(expected)) {
      expect([arrays[name]?.dtype, arrays[name]?.shape]).toEqual([dtype, shape]);
    }
    expect([...(arrays.w?.values ?? [])]).toEqual([0, 0.125, 0.25, 0.375, 0.5, 0.625]);
    expect(arrays.b?.values).toEqual(Int32Array.of(-1, 2 ** 31 - 1));
    expect(arrays["layer 1/é"]?.values).toEqual(Float64Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1));
    expect(arrays.zeros?.values).toEqual(new Float32Array(100));
  });

  test("reads an archive whose sizes stand after its data", () => {
    expect([...(readNpz(streamed).w?.values ?? [])]).toEqual([0, 0.125, 0.25, 0.375, 0.5, 0.625]);
  });

  test("reads what lies inside another buffer", () => {
    const buffer = new Uint8Array(packed.length + 10).fill(0x50);
    buffer.set(packed, 5);
    expect(readNpz(buffer.subarray(5, 5 + packed.length))).toEqual(readNpz(packed));
  });
});

describe("an .npz file is refused", () => {
  test.each([
    ["stored", stored],
    ["packed", packed],
    ["streamed", streamed],
  ])("cut off at any byte, and with a byte too many (%s)", (_, file) => {
    for (let length = 0; length < file.length; length++) {
      expectFormatError(() => readNpz(file.subarray(0, length)), /^npz/);
    }
    expectFormatError(() => readNpz(new Uint8Array([...file, 0])), "do not end as a zip archive does");
  });

  test("with any byte of an array changed, by its CRC", () => {
    const { w } = readNpz(stored);
    const at = find(stored, "\x93NUMPY");
    for (let i = at; i < at + 128 + 24; i++) {
      const file = stored.slice();
      file[i] = (file[i] as number) ^ 0x10;
      expectFormatError(() => readNpz(file), 'npz: "w.npy": unpacked are 152 bytes with CRC-32');
    }
    expect(w?.shape).toEqual([2, 3]);
  });

  test("that holds something else than arrays", () => {
    expectFormatError(() => readNpz(fromBase64(golden.npz.foreign)), 'the archive has "notes.txt"');
  });

  test("that takes more than maxBytes", () => {
    expectFormatError(() => readNpz(packed, { maxBytes: 1000 }), "maxBytes allows 1000");
    expect(() => readNpz(packed, { maxBytes: NaN })).toThrow(RangeError);
    expect(Object.keys(readNpz(packed, { maxBytes: 2000 }))).toHaveLength(5);
  });

  test.each<[string, Uint8Array, string]>([
    ["a size past what deflate reaches", changed(packed, ENTRY, 24, 0x7fff_ffff), "deflated, at most"],
    ["a size too large", changed(packed, ENTRY, 24, 153), "unpacked are 152 bytes"],
    ["a size too small", changed(packed, ENTRY, 24, 151), "unpacked are 151 bytes"],
    ["a stored size past the directory", changed(packed, ENTRY, 20, 0x7fff_ffff), "must end by"],
    ["a stored size too small", changed(packed, ENTRY, 20, 20), "deflated: unexpected EOF"],
    ["a stored array of another size", changed(stored, ENTRY, 24, 10), "stored, it must be as many"],
    ["another CRC", changed(packed, ENTRY, 16, 7), "the archive says 152 bytes and 0x00000007"],
    ["an encrypted array", changed(packed, ENTRY, 8, 1, 2), "it is encrypted"],
    ["another method", changed(packed, ENTRY, 10, 14, 2), "its method of compression is 14"],
    ["a local header elsewhere", changed(packed, ENTRY, 42, 4), "byte 4 must begin its local header"],
    ["a local header far away", changed(packed, ENTRY, 42, 0xffff_fffe), "must begin its local header"],
    ["a local name past the directory", changed(packed, LOCAL, 26, 0xffff, 2), "they must end by"],
    ["a name past the directory", changed(packed, ENTRY, 28, 0xffff, 2), "past the directory's end"],
    ["a zip64 size and no zip64 field", changed(packed, ENTRY, 24, 0xffff_ffff), "there is no zip64 field"],
    ["an entry that is none", changed(packed, ENTRY, 0, 0), "must begin its entry"],
    [
      "a count too large",
      changed(changed(packed, END, 8, 6, 2), END, 10, 6, 2),
      "272 bytes for 6 files; each takes at least 46",
    ],
    ["a count of 65535", changed(changed(packed, END, 8, 0xffff, 2), END, 10, 0xffff, 2), "for 65535 files"],
    ["a count too small", changed(changed(packed, END, 8, 4, 2), END, 10, 4, 2), "after its 4 files"],
    ["several disks", changed(packed, END, 4, 1, 2), "one of several parts"],
    ["a directory elsewhere", changed(packed, END, 16, 0), "it must end at byte"],
  ])("with %s", (_, file, message) => {
    expectFormatError(() => readNpz(file), message);
  });

  test("whose arrays share bytes, or a name", () => {
    const file = writeNpz({ a: { shape: [1], values: [1] }, b: { shape: [1], values: [1] } });
    const second = find(file, ENTRY) + 46 + 5;
    const overlapping = file.slice();
    new DataView(overlapping.buffer).setUint32(second + 42, 0, true);
    expectFormatError(() => readNpz(overlapping), '"b.npy" overlaps the file before it');
    const sameName = file.slice();
    sameName[second + 46] = "a".charCodeAt(0);
    expectFormatError(() => readNpz(sameName), 'the name "a.npy" stands twice');
  });
});

describe("writeNpz", () => {
  const arrays = {
    w: { shape: [2, 3], values: [1, 2, 3, 4, 5, 6] },
    ["__proto__"]: { shape: [], values: Float64Array.of(Math.PI) },
    "é/10": { shape: [300], values: new Int32Array(300) },
  };

  test.each([false, true])("is read again, compressed: %s", (compressed) => {
    const file = writeNpz(arrays, { compressed });
    const read = readNpz(file);
    expect(Object.keys(read)).toEqual(Object.keys(arrays));
    for (const [name, { shape, values }] of Object.entries(arrays)) {
      expect(read[name]?.shape).toEqual(shape);
      expect([...(read[name]?.values ?? [])]).toEqual([...values]);
    }
    expect(writeNpz(arrays, { compressed })).toEqual(file);
    expect(file.length < 1500).toBe(compressed);
  });

  test("writes an archive of none", () => {
    expect(Object.keys(readNpz(writeNpz({})))).toEqual([]);
  });

  test("refuses what it cannot write, by the array's name", () => {
    expect(() => writeNpz({ w: { shape: [2], values: [1] } })).toThrow(ShapeError);
    expect(() => writeNpz({ w: { shape: [2], values: [1] } })).toThrow('writeNpz: array "w": there are 1 values');
    expect(() => writeNpz({ "\ud800": { shape: [1], values: [1] } })).toThrow(TypeError);
    expect(() => writeNpz({ ["x".repeat(70_000)]: { shape: [1], values: [1] } })).toThrow(RangeError);
  });
});

describe("whatever comes as .npz", () => {
  test("bytes changed give a file that reads or a FormatError, nothing else", () => {
    const small = writeNpz({ a: { shape: [1], values: [1] }, b: { shape: [40], values: new Array(40).fill(1) } });
    const smallPacked = writeNpz({ a: { shape: [40], values: new Array(40).fill(1) } }, { compressed: true });
    const change = fc.record({ at: fc.nat(), to: fc.integer({ min: 0, max: 255 }) });
    let refused = 0;
    fc.assert(
      fc.property(
        fc.constantFrom(small, smallPacked, streamed, packed),
        fc.array(change, { minLength: 1, maxLength: 4 }),
        (file, changes) => {
          const copy = file.slice();
          for (const { at, to } of changes) copy[at % copy.length] = to;
          if (!readsOrRefuses(() => readNpz(copy))) refused++;
        },
      ),
      { numRuns: 2000 },
    );
    expect(refused).toBeGreaterThan(500);
  });

  test("bytes that begin and end as an archive", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.uint8Array({ minLength: 16, maxLength: 16 }), (body, end) => {
        readsOrRefuses(() => readNpz(new Uint8Array([...body, 0x50, 0x4b, 5, 6, ...end, 0, 0])));
      }),
      { numRuns: 1000 },
    );
  });
});
