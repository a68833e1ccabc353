import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readSafetensors, safetensorsMetadata, writeSafetensors } from "../../src/files/safetensors";
import { FormatError, ShapeError } from "../../src/util/errors";
import golden from "../golden/data.json";

const fromBase64 = (text: string): Uint8Array => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));

/** A file of this header, as text or as bytes, and so many bytes of data. */
function fileOf(header: string | Uint8Array, dataBytes = 0): Uint8Array {
  const text = typeof header === "string" ? new TextEncoder().encode(header) : header;
  const file = new Uint8Array(8 + text.length + dataBytes);
  new DataView(file.buffer).setBigUint64(0, BigInt(text.length), true);
  file.set(text, 8);
  return file;
}

const entry = (dtype: string, shape: string, offsets: string): string =>
  `{"dtype":"${dtype}","shape":${shape},"data_offsets":${offsets}}`;

/** Refused with a FormatError that says this, by both readers where the header is at fault. */
function expectRefused(file: Uint8Array, message: string | RegExp): void {
  for (const read of [readSafetensors, safetensorsMetadata]) {
    expect(() => read(file)).toThrow(FormatError);
    expect(() => read(file)).toThrow(message);
  }
}

describe("readSafetensors", () => {
  test("reads each dtype that safetensors stores, and every value", () => {
    const tensors = readSafetensors(fromBase64(golden.safetensors.everyDtype.file));
    const expected: Record<string, string[]> = golden.safetensors.everyDtype.values;
    expect(Object.keys(tensors).sort()).toEqual(Object.keys(expected).sort());
    for (const [name, texts] of Object.entries(expected)) {
      const numbers = texts.map((text) => Number(text.replace("inf", "Infinity")));
      expect(tensors[name]?.dtype).toBe(name);
      expect(tensors[name]?.shape).toEqual([numbers.length]);
      expect([...(tensors[name]?.values ?? [])], name).toEqual(numbers);
    }
  });

  test("gives each dtype the array that holds it exactly", () => {
    const tensors = readSafetensors(fromBase64(golden.safetensors.everyDtype.file));
    const kinds = Object.fromEntries(
      Object.entries(tensors).map(([name, { values }]) => [name, values.constructor.name]),
    );
    expect(kinds).toEqual({
      ...{ F64: "Float64Array", I64: "Float64Array", U64: "Float64Array", U32: "Float64Array" },
      ...{ F32: "Float32Array", F16: "Float32Array", BF16: "Float32Array" },
      ...{
        I32: "Int32Array",
        I16: "Int32Array",
        I8: "Int32Array",
        U16: "Int32Array",
        U8: "Int32Array",
        BOOL: "Int32Array",
      },
    });
  });

  test("reads NaN of float16, and a BOOL that is any byte but 0 as 1", () => {
    const file = fileOf(`{"h":${entry("F16", "[1]", "[0,2]")},"b":${entry("BOOL", "[2]", "[2,4]")}}`, 4);
    file.set([0x01, 0x7e, 0x02, 0x00], file.length - 4);
    const { h, b } = readSafetensors(file);
    expect([...(h?.values ?? [])]).toEqual([NaN]);
    expect([...(b?.values ?? [])]).toEqual([1, 0]);
  });

  test("reads what is not aligned, in the file or in memory, as copies", () => {
    const file = fileOf(`{"a":${entry("U8", "[1]", "[0,1]")},"b":${entry("F64", "[]", "[1,9]")}}`, 9);
    new DataView(file.buffer).setFloat64(file.length - 8, Math.PI, true);
    for (const shift of [0, 1, 2, 3]) {
      const moved = new Uint8Array(file.length + 8).subarray(shift, shift + file.length);
      moved.set(file);
      const { b } = readSafetensors(moved);
      moved.fill(0);
      expect(b).toEqual({ dtype: "F64", shape: [], values: Float64Array.of(Math.PI) });
    }
  });

  test("takes a header with spaces after it, tensors in any order, empty tensors and an empty file", () => {
    expect(Object.keys(readSafetensors(fileOf("{}")))).toEqual([]);
    expect(Object.keys(readSafetensors(fileOf("{}      ")))).toEqual([]);
    const none = entry("F32", "[3,0,9007199254740991]", "[4,4]");
    const file = fileOf(
      `{"c":${none},"b":${entry("F32", "[1]", "[4,8]")},"d":${none},"a":${entry("I32", "[1]", "[0,4]")}}`,
      8,
    );
    expect(Object.keys(readSafetensors(file))).toEqual(["c", "b", "d", "a"]);
  });

  test("gives a name that objects know the place of any other name", () => {
    const file = writeSafetensors({
      ["__proto__"]: { shape: [1], values: [7] },
      constructor: { shape: [1], values: [8] },
    });
    const tensors = readSafetensors(file);
    expect(Object.keys(tensors)).toEqual(["__proto__", "constructor"]);
    expect(Object.values(tensors).map(({ values }) => [...values])).toEqual([[7], [8]]);
    expect(Object.keys(Object.prototype)).toEqual([]);
    expect("toString" in tensors).toBe(false);
  });

  test("says what to give instead of an ArrayBuffer", () => {
    // @ts-expect-error: what a caller without types may do
    expect(() => readSafetensors(new ArrayBuffer(16))).toThrow(TypeError);
  });
});

describe("a file is refused", () => {
  const whole = writeSafetensors(
    { w: { shape: [2, 2], values: [1, 2, 3, 4] }, b: { shape: [], values: Int32Array.of(5) } },
    { a: "b" },
  );

  test("cut off at any byte", () => {
    for (let length = 0; length < whole.length; length++) expectRefused(whole.subarray(0, length), /^safetensors/);
  });

  test("with a byte too many", () => {
    const longer = new Uint8Array(whole.length + 1);
    longer.set(whole);
    expectRefused(longer, "the tensors take 20 bytes, and the file has 21 after its header");
  });

  test.each([
    [2n ** 63n, "9223372036854775808 bytes; at most 100000000"],
    [2n ** 64n - 1n, "18446744073709551615 bytes; at most 100000000"],
    [100_000_001n, "100000001 bytes; at most 100000000"],
    [100_000_000n, /given as 100000000 bytes, but \d+ follow/],
    [0n, 'must begin with "{" (0x7b); it is empty'],
  ])("where its header's length is given as %d", (length, message) => {
    const file = whole.slice();
    new DataView(file.buffer).setBigUint64(0, length, true);
    expectRefused(file, message);
  });

  const f32 = entry("F32", "[1]", "[0,4]");
  test.each<[string, string, number, string]>([
    ["does not begin with a brace", ` {"a":${f32}}`, 4, "its first byte is 0x20"],
    ["is an array", `[]`, 0, "its first byte is 0x5b"],
    ["is not JSON", `{"a":${f32}`, 4, "not valid JSON"],
    ["ends in a comma", `{"a":${f32},}`, 4, "not valid JSON"],
    ["has something after its end", `{"a":${f32}}x`, 4, "not valid JSON"],
    ["has a tensor twice", `{"a":${f32},"a":${f32}}`, 4, 'the key "a" stands twice'],
    ["has a tensor twice, once escaped", `{"a":${f32},"\\u0061":${f32}}`, 4, 'the key "a" stands twice'],
    [
      "has a field twice",
      `{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"dtype":"I32"}}`,
      4,
      'the key "dtype" stands twice',
    ],
    ["has metadata twice", `{"__metadata__":{},"__metadata__":{}}`, 0, 'the key "__metadata__" stands twice'],
    ["has a metadata key twice", `{"__metadata__":{"k":"1","k":"2"}}`, 0, 'the key "k" stands twice'],
    ["has half a surrogate pair", `{"\\ud800":${f32}}`, 4, "half of a surrogate pair"],
    ["has metadata that is no object", `{"__metadata__":["a"]}`, 0, '__metadata__ is ["a"]; it must be an object'],
    ["has metadata that is null", `{"__metadata__":null}`, 0, "__metadata__ is null"],
    [
      "has metadata that is no string",
      `{"__metadata__":{"epoch":3}}`,
      0,
      '__metadata__ has 3 for "epoch"; it must be a string',
    ],
    ["has a tensor that is no object", `{"a":[1]}`, 0, 'tensor "a" is [1]; it must be an object'],
    [
      "leaves the dtype out",
      `{"a":{"shape":[1],"data_offsets":[0,4]}}`,
      4,
      "dtype is undefined; those read here are F64, F32",
    ],
    ["has a dtype unknown", `{"a":${entry("F31", "[1]", "[0,4]")}}`, 4, 'dtype is "F31"'],
    ["has a dtype that objects know", `{"a":${entry("constructor", "[1]", "[0,4]")}}`, 4, 'dtype is "constructor"'],
    [
      "leaves the shape out",
      `{"a":{"dtype":"F32","data_offsets":[0,4]}}`,
      4,
      "shape is undefined; it must be an array",
    ],
    ["has a shape below 0", `{"a":${entry("F32", "[-1]", "[0,4]")}}`, 4, "shape is [-1]; it must be"],
    ["has a shape of two below 0", `{"a":${entry("F32", "[-1,-1]", "[0,4]")}}`, 4, "shape is [-1,-1]"],
    ["has a shape of -0", `{"a":${entry("F32", "[-0]", "[0,0]")}}`, 0, "shape is"],
    ["has a shape between integers", `{"a":${entry("F32", "[0.5,2]", "[0,4]")}}`, 4, "shape is [0.5,2]"],
    ["has a shape past 2^53", `{"a":${entry("F32", "[9007199254740992]", "[0,4]")}}`, 4, "shape is [9007199254740992]"],
    ["has a shape past all numbers", `{"a":${entry("F32", "[1e400]", "[0,4]")}}`, 4, "shape is [null]"],
    ["has a shape that is text", `{"a":${entry("F32", '["1"]', "[0,4]")}}`, 4, 'shape is ["1"]'],
    [
      "has a shape whose size overflows",
      `{"a":${entry("F32", "[4294967296,4294967296]", "[0,0]")}}`,
      0,
      "more than 2^53 - 1 bytes",
    ],
    ["leaves the offsets out", `{"a":{"dtype":"F32","shape":[1]}}`, 4, "data_offsets is undefined"],
    ["has three offsets", `{"a":${entry("F32", "[1]", "[0,4,8]")}}`, 4, "data_offsets is [0,4,8]"],
    ["has offsets below 0", `{"a":${entry("F32", "[1]", "[-4,0]")}}`, 4, "data_offsets is [-4,0]"],
    ["has offsets turned about", `{"a":${entry("F32", "[1]", "[4,0]")}}`, 4, "data_offsets are [4, 0], -4 bytes"],
    [
      "has offsets of another size than the shape",
      `{"a":${entry("F32", "[2]", "[0,4]")}}`,
      4,
      "[0, 4], 4 bytes; F32 of shape [2] is 8 bytes",
    ],
    [
      "has offsets past the file",
      `{"a":${entry("F32", "[2]", "[0,8]")}}`,
      4,
      "the tensors take 8 bytes, and the file has 4",
    ],
    [
      "has offsets far past the file",
      `{"a":${entry("U8", "[9007199254740991]", "[0,9007199254740991]")}}`,
      4,
      "9007199254740991 bytes",
    ],
    ["has a gap before the first", `{"a":${entry("F32", "[1]", "[4,8]")}}`, 8, 'tensor "a" begins at byte 4'],
    [
      "has a gap between",
      `{"a":${f32},"b":${entry("F32", "[1]", "[8,12]")}}`,
      12,
      'tensor "b" begins at byte 8 of the data; the one before it ends at 4',
    ],
    [
      "has tensors that overlap",
      `{"a":${entry("F32", "[2]", "[0,8]")},"b":${entry("F32", "[2]", "[4,12]")}}`,
      12,
      'tensor "b" begins at byte 4',
    ],
    ["has two tensors in one place", `{"a":${f32},"b":${f32}}`, 4, 'tensor "b" begins at byte 0'],
    [
      "has an empty tensor inside another",
      `{"a":${entry("F32", "[2]", "[0,8]")},"b":${entry("F32", "[0]", "[4,4]")}}`,
      8,
      'tensor "b" begins at byte 4',
    ],
    ["leaves data over", `{"a":${f32}}`, 8, "the tensors take 4 bytes, and the file has 8"],
    ["has no tensor for the data", `{}`, 1, "the tensors take 0 bytes, and the file has 1"],
    [
      "is nested without end",
      `{"__metadata__":${"[".repeat(200_000)}${"]".repeat(200_000)}}`,
      0,
      "nested more than 128 deep",
    ],
  ])("whose header %s", (_, header, dataBytes, message) => {
    expectRefused(fileOf(header, dataBytes), message);
  });

  test("whose header is not UTF-8", () => {
    const header = new TextEncoder().encode(`{"a":${f32}}`);
    header[2] = 0xff;
    expectRefused(fileOf(header, 4), "not valid UTF-8");
  });

  test("whose header begins with a byte order mark", () => {
    expectRefused(fileOf("\ufeff{}"), "its first byte is 0xef");
  });

  test("with an integer that no number holds", () => {
    const file = fileOf(`{"n":${entry("I64", "[2]", "[0,16]")}}`, 16);
    new DataView(file.buffer).setBigInt64(file.length - 8, -(2n ** 53n) - 1n, true);
    expect(() => readSafetensors(file)).toThrow(FormatError);
    expect(() => readSafetensors(file)).toThrow('safetensors: tensor "n": value 1 is -9007199254740993');
  });

  test("with a name from the file escaped and cut short in the message", () => {
    const name = `\\n${"x".repeat(10_000)}`;
    expectRefused(
      fileOf(`{"${name}":3}`),
      /^safetensors: tensor "\\nx{50,60}… \(\d+ characters\) is 3; it must be an object/,
    );
  });
});

describe("writeSafetensors", () => {
  test("writes the bytes that safetensors itself writes", () => {
    const file = writeSafetensors(
      {
        'quote " \\ \n \x01': { shape: [1], values: [3] },
        "\ufb01": { shape: [1], values: [2] },
        "\u{1f600}": { shape: [1], values: Float32Array.of(1) },
        9: { shape: [1], values: Float64Array.of(1e300) },
        10: { shape: [0, 4], values: [] },
        é: { shape: [], values: Float64Array.of(Math.PI) },
        b: { shape: [2, 3], values: [0, 1 / 8, 2 / 8, 3 / 8, 4 / 8, 5 / 8] },
        a: { shape: [2, 1], values: Int32Array.of(-1, 2 ** 31 - 1) },
      },
      { format: "pt\u2028\t" },
    );
    expect(new TextDecoder().decode(file)).toBe(new TextDecoder().decode(fromBase64(golden.safetensors.written)));
    expect(file).toEqual(fromBase64(golden.safetensors.written));
  });

  test("gives the same bytes in whatever order tensors and metadata come", () => {
    const [a, b] = [
      { shape: [1], values: [1] },
      { shape: [1], values: [2] },
    ];
    expect(writeSafetensors({ a, b }, { k: "1", l: "2" })).toEqual(writeSafetensors({ b, a }, { l: "2", k: "1" }));
  });

  test("writes only what an array's view shows", () => {
    const values = new Float32Array([1, 2, 3, 4]).subarray(1, 3);
    expect(readSafetensors(writeSafetensors({ a: { shape: [2], values } })).a?.values).toEqual(Float32Array.of(2, 3));
  });

  test("refuses what it cannot write, with the values", () => {
    const write = (name: string, shape: number[], values: unknown) => () =>
      writeSafetensors({ [name]: { shape, values: values as number[] } });
    expect(write("w", [2, 3], [1])).toThrow(ShapeError);
    expect(write("w", [2, 3], [1])).toThrow('tensor "w": there are 1 values, and shape [2, 3] has 6 elements');
    for (const shape of [[-1, -1], [0.5, 2], [NaN]]) expect(write("w", shape, [1])).toThrow(ShapeError);
    expect(write("__metadata__", [1], [1])).toThrow(ShapeError);
    expect(write("\udc00", [1], [1])).toThrow(ShapeError);
    expect(write("w", [2], [1, "2"])).toThrow('tensor "w": value 1 is "2"; it must be a number');
    expect(write("w", [2], new Array(2))).toThrow(TypeError);
    expect(write("w", [1], Uint8Array.of(1))).toThrow(TypeError);
    expect(write("w", [2], [0, 1e39])).toThrow(RangeError);
    expect(() => writeSafetensors({}, { k: 3 as unknown as string })).toThrow('metadata "k" is 3; it must be a string');
    expect(() => writeSafetensors({}, { k: "\ud800" })).toThrow(TypeError);
  });

  test("keeps what is not finite, which a file may hold", () => {
    const values = [NaN, Infinity, -Infinity, -0];
    expect([...(readSafetensors(writeSafetensors({ a: { shape: [4], values } })).a?.values ?? [])]).toEqual(values);
  });
});

describe("whatever comes", () => {
  const name = fc
    .oneof(fc.string({ unit: "binary" }), fc.constantFrom("__proto__", "toString", "0", ""))
    .filter((n) => n !== "__metadata__");
  const values = fc.oneof(
    fc.float32Array({ maxLength: 24 }),
    fc.float64Array({ maxLength: 24 }),
    fc.int32Array({ maxLength: 24 }),
  );
  const tensors = fc.uniqueArray(fc.tuple(name, values), { selector: ([key]) => key, maxLength: 6 }).map((pairs) => {
    const all: Record<string, { shape: number[]; values: Float32Array | Float64Array | Int32Array }> =
      Object.create(null);
    for (const [key, array] of pairs) {
      all[key] = { shape: array.length % 3 === 0 ? [3, array.length / 3] : [array.length], values: array };
    }
    return all;
  });
  const metadata = fc.dictionary(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), { maxKeys: 4 });

  test("what is written is read again", () => {
    fc.assert(
      fc.property(tensors, metadata, (all, notes) => {
        const file = writeSafetensors(all, notes);
        expect(new DataView(file.buffer).getBigUint64(0, true) % 8n).toBe(0n);
        const read = readSafetensors(file);
        expect(Object.keys(read).sort()).toEqual(Object.keys(all).sort());
        for (const [key, tensor] of Object.entries(all)) {
          expect(read[key]?.shape).toEqual(tensor.shape);
          expect(read[key]?.values).toEqual(tensor.values);
        }
        expect(Object.entries(safetensorsMetadata(file)).sort()).toEqual(Object.entries(notes).sort());
        expect(writeSafetensors(read, notes)).toEqual(file);
      }),
      { numRuns: 200 },
    );
  });

  test("bytes changed give a file that reads or a FormatError, nothing else", () => {
    const change = fc.record({ at: fc.nat(), to: fc.integer({ min: 0, max: 255 }) });
    let refused = 0;
    fc.assert(
      fc.property(tensors, metadata, fc.array(change, { minLength: 1, maxLength: 4 }), (all, notes, changes) => {
        const file = writeSafetensors(all, notes);
        for (const { at, to } of changes) file[at % file.length] = to;
        if (!readsOrRefuses(file)) refused++;
      }),
      { numRuns: 1000 },
    );
    expect(refused).toBeGreaterThan(100);
  });

  test("each single bit turned in the header of a small file", () => {
    const file = writeSafetensors({ w: { shape: [2, 1], values: [1, 2] } }, { k: "v" });
    for (let bit = 0; bit < (file.length - 8) * 8; bit++) {
      const changed = file.slice();
      changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
      readsOrRefuses(changed);
    }
  });

  test("JSON of the right words in wrong places", () => {
    const number = fc.oneof(fc.integer({ min: -2, max: 20 }), fc.constantFrom(2 ** 53, 2 ** 62, 0.5, -1e300));
    const word = fc.constantFrom("F32", "U8", "BOOL", "I64", "dtype", "__metadata__", "__proto__");
    const leaf = fc.oneof(number, word, fc.constantFrom(null, true, false));
    const list = fc.array(fc.oneof(leaf, fc.array(leaf, { maxLength: 2 })), { maxLength: 3 });
    const tensor = fc.record(
      {
        dtype: fc.oneof(word, leaf),
        shape: fc.oneof(list, leaf),
        data_offsets: fc.oneof(fc.tuple(number, number), list, leaf),
      },
      { requiredKeys: [] },
    );
    const header = fc.dictionary(fc.oneof(word, fc.string({ maxLength: 2 })), fc.oneof(tensor, leaf, list), {
      maxKeys: 3,
    });
    fc.assert(
      fc.property(header, fc.nat(24), (json, dataBytes) => {
        readsOrRefuses(fileOf(JSON.stringify(json), dataBytes));
      }),
      { numRuns: 1000 },
    );
  });

  /** True where it reads; every tensor it then gives has as many values as its shape says. */
  function readsOrRefuses(file: Uint8Array): boolean {
    try {
      for (const { shape, values: read } of Object.values(readSafetensors(file))) {
        expect(read.length).toBe(shape.reduce((size, length) => size * length, 1));
      }
      safetensorsMetadata(file);
      return true;
    } catch (error) {
      if (error instanceof FormatError) return false;
      throw error;
    }
  }
});
