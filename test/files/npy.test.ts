import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readNpy, writeNpy } from "../../src/files/npy";
import { ShapeError } from "../../src/util/errors";
import golden from "../golden/files.json";
import { expectFormatError, fromBase64, fromLatin1, readsOrRefuses, toNumbers } from "./bytes";

/** A file of this header's text and so many bytes of data, its length as the version has it. */
function fileOf(header: string, dataBytes = 0, [major, minor] = [1, 0], length = header.length): Uint8Array {
  const prefix = [0x93, ...fromLatin1("NUMPY"), major ?? 1, minor ?? 0, length & 0xff, (length >> 8) & 0xff];
  if (major !== 1) prefix.push((length >> 16) & 0xff, length >>> 24);
  return new Uint8Array([...prefix, ...fromLatin1(header), ...new Uint8Array(dataBytes)]);
}

const headerOf = (descr: string, shape: string, order = "False"): string =>
  `{'descr': ${descr}, 'fortran_order': ${order}, 'shape': ${shape}, }\n`;

describe("readNpy", () => {
  test.each(golden.npy.numbers)("reads $dtype, and every value of it", ({ file, dtype, shape, values }) => {
    const array = readNpy(fromBase64(file));
    expect([array.dtype, array.shape]).toEqual([dtype, shape]);
    expect([...array.values]).toEqual(toNumbers(values));
  });

  test.each(golden.npy.layouts)("reads shape $shape of $dtype in row-major order", ({ file, shape, values }) => {
    const array = readNpy(fromBase64(file));
    expect(array.shape).toEqual(shape);
    expect([...array.values]).toEqual(toNumbers(values));
  });

  test("gives each dtype the array that holds it exactly", () => {
    const kinds = golden.npy.numbers.map(
      ({ file, dtype }) => [dtype.slice(1), readNpy(fromBase64(file)).values] as const,
    );
    for (const [kind, values] of kinds) {
      if (["f4", "f2"].includes(kind)) expect(values).toBeInstanceOf(Float32Array);
      else if (["f8", "i8", "u8", "u4"].includes(kind)) expect(values).toBeInstanceOf(Float64Array);
      else expect(values, kind).toBeInstanceOf(Int32Array);
    }
  });

  test("reads a file that lies at an odd byte of a buffer", () => {
    const file = fromBase64(golden.npy.written.float32);
    const buffer = new Uint8Array(file.length + 3);
    buffer.set(file, 3);
    expect([...readNpy(buffer.subarray(3)).values]).toEqual([0, 0.125, 0.25, 0.375, 0.5, 0.625]);
  });

  test("takes what Python allows in a header: other quotes, spaces, orders, and 3L of Python 2", () => {
    for (const header of [
      `{"shape": (2,), "descr": "<i4", "fortran_order": False}`,
      `  {'shape':(2,),'fortran_order':True,'descr':'<i4'}  \n`,
      `{'shape': (2L,), 'fortran_order': False, 'descr': '<i4', }`,
      `{'shape': (1, 2), 'fortran_order': False, 'descr': '<i4', }`,
    ]) {
      expect([...readNpy(fileOf(header, 8)).values]).toEqual([0, 0]);
    }
  });

  test("says what to give instead of an ArrayBuffer", () => {
    // @ts-expect-error: what a caller without types may do
    expect(() => readNpy(new ArrayBuffer(128))).toThrow(TypeError);
  });
});

describe("an .npy file is refused", () => {
  test("cut off at any byte, and with a byte too many", () => {
    const { numbers, layouts } = golden.npy;
    const shaped = layouts.filter(({ values }) => values.length > 0);
    for (const { file: text } of [...numbers.slice(0, 4), ...shaped]) {
      const file = fromBase64(text);
      for (let length = 0; length < file.length; length++) {
        expectFormatError(() => readNpy(file.subarray(0, length)), /^npy: /);
      }
      expectFormatError(() => readNpy(new Uint8Array([...file, 0])), "bytes follow the header");
    }
  });

  test.each(Object.entries(golden.npy.refused))("of %s", (_, file) => {
    expectFormatError(() => readNpy(fromBase64(file)), /^npy: (descr is|value 1 is 9007199254740993|the header)/);
  });

  test.each<[string, Uint8Array, string]>([
    ["other magic", fromLatin1("PK\x03\x04 and so on"), 'byte 0 is 0x50; an .npy file begins with 0x93 "NUMPY"'],
    ["version 0.9", fileOf(headerOf("'<f4'", "()"), 4, [0, 9]), "version is 0.9"],
    ["version 4.0", fileOf(headerOf("'<f4'", "()"), 4, [4, 0]), "version is 4.0"],
    ["a length that lies", fileOf(headerOf("'<f4'", "()"), 0, [1, 0], 5000), "must have at least 5010"],
    ["a length past the limit", fileOf(headerOf("'<f4'", "()"), 4, [1, 0], 10_001), "given as 10001 bytes"],
    ["a length of 4 GiB", fileOf(headerOf("'<f4'", "()"), 4, [2, 0], 2 ** 32 - 1), "given as 4294967295 bytes"],
    ["no header", fileOf("", 4), "it ends at character 0"],
    ["UTF-8 that is none", fileOf("{'\xff': 1}", 4, [3, 0]), "not valid UTF-8"],
    ["a key twice", fileOf("{'descr': '<f4', 'descr': '<f4'}"), "each key must stand once"],
    ["a key unknown", fileOf(headerOf("'<f4', 'x': 1", "()"), 4), 'the header has "x"'],
    ["no shape", fileOf("{'descr': '<f4', 'fortran_order': False}"), "shape is undefined"],
    ["no descr", fileOf("{'shape': (), 'fortran_order': False}"), "descr is undefined"],
    ["something after it", fileOf(`${headerOf("'<f4'", "()")}x`, 4), "after the closing brace"],
    ["code in it", fileOf(headerOf("'<f4'", "__import__('os')"), 4), "there must be a string, True, False"],
    ["an expression", fileOf(headerOf("'<f4'", "(2*2,)"), 16), 'there must be ","'],
    ["no comma in a tuple of one", fileOf(headerOf("'<f4'", "(1)"), 4), 'there must be ","'],
    ["a shape below 0", fileOf(headerOf("'<f4'", "(-1, -1)"), 4), '"-1" stands'],
    ["a shape between integers", fileOf(headerOf("'<f4'", "(0.5, 2)"), 4), '"0.5" stands'],
    ["a shape past 2^53", fileOf(headerOf("'<f4'", "(9007199254740993,)"), 4), "shape is"],
    ["a shape past all numbers", fileOf(headerOf("'<f4'", `(${"9".repeat(400)},)`), 4), "shape is"],
    ["a shape whose size overflows", fileOf(headerOf("'<f4'", "(4294967296, 4294967296)")), "more than 2^53 - 1 bytes"],
    ["a shape larger than the file", fileOf(headerOf("'<f4'", "(1000000, 1000000)"), 4), "4 bytes follow the header"],
    ["a shape of True", fileOf(headerOf("'<f4'", "(True,)"), 4), "shape is [true]"],
    ["65 axes", fileOf(headerOf("'<f4'", `(${"1, ".repeat(65)})`), 4), "65 axes"],
    ["an order that is no truth", fileOf(headerOf("'<f4'", "()", "0"), 4), "fortran_order is 0"],
    ["a dtype without byte order", fileOf(headerOf("'f4'", "()"), 4), 'descr is "f4"'],
    ["a dtype of the writer's order", fileOf(headerOf("'=f4'", "()"), 4), 'descr is "=f4"'],
    ["a dtype that has no order", fileOf(headerOf("'|f4'", "()"), 4), 'descr is "|f4"'],
    ["a dtype that objects know", fileOf(headerOf("'<constructor'", "()"), 4), "descr is"],
    ["brackets without end", fileOf(headerOf("'<f4'", "(".repeat(9000)), 4), "nested more than 8 deep"],
    ["a long name", fileOf(`{'${"x".repeat(9000)}': 1}`), "(9002 characters)"],
  ])("with %s", (_, file, message) => {
    expectFormatError(() => readNpy(file), message);
  });
});

describe("writeNpy", () => {
  test("writes the bytes that numpy.save itself writes", () => {
    const { written } = golden.npy;
    const eighths = [0, 1, 2, 3, 4, 5].map((i) => i / 8);
    const written1234 = Array.from({ length: 1234 }, (_, i) => i);
    expect(writeNpy({ shape: [2, 3], values: eighths })).toEqual(fromBase64(written.float32));
    expect(writeNpy({ shape: [], values: Float64Array.of(Math.PI) })).toEqual(fromBase64(written.float64));
    expect(writeNpy({ shape: [2], values: Int32Array.of(-1, 2 ** 31 - 1) })).toEqual(fromBase64(written.int32));
    expect(writeNpy({ shape: [0, 4], values: [] })).toEqual(fromBase64(written.empty));
    expect(writeNpy({ shape: [1234], values: written1234 })).toEqual(fromBase64(written.long));
    expect(writeNpy({ shape: new Array(32).fill(1), values: [0] })).toEqual(fromBase64(written["many axes"]));
  });

  test("writes only what an array's view shows", () => {
    const values = new Float32Array([1, 2, 3, 4]).subarray(1, 3);
    expect(readNpy(writeNpy({ shape: [2], values })).values).toEqual(Float32Array.of(2, 3));
  });

  test("refuses what it cannot write, with the values", () => {
    const write = (shape: unknown, values: unknown) => () =>
      writeNpy({ shape: shape as number[], values: values as number[] });
    expect(write([2, 3], [1])).toThrow("there are 1 values, and shape [2, 3] has 6 elements");
    for (const shape of [[2, 3], [-1, -1], [0.5, 2], [NaN], undefined, new Array(65).fill(1)]) {
      expect(write(shape, [1])).toThrow(ShapeError);
    }
    expect(write([2], [1, "2"])).toThrow('value 1 is "2"; it must be a number');
    expect(write([1], Uint8Array.of(1))).toThrow(TypeError);
    expect(write([2], [0, 1e39])).toThrow(RangeError);
  });
});

describe("whatever comes as .npy", () => {
  const values = fc.oneof(
    fc.float32Array({ maxLength: 24 }),
    fc.float64Array({ maxLength: 24 }),
    fc.int32Array({ maxLength: 24 }),
  );

  test("what is written is read again", () => {
    fc.assert(
      fc.property(values, (array) => {
        const shape = array.length % 3 === 0 ? [3, array.length / 3] : [array.length];
        const read = readNpy(writeNpy({ shape, values: array }));
        expect(read.shape).toEqual(shape);
        expect(read.values).toEqual(array);
      }),
    );
  });

  test("bytes changed give a file that reads or a FormatError, nothing else", () => {
    const change = fc.record({ at: fc.nat(140), to: fc.integer({ min: 0, max: 255 }) });
    const file = fc.constantFrom(...golden.npy.layouts, ...golden.npy.numbers).map((given) => fromBase64(given.file));
    let refused = 0;
    fc.assert(
      fc.property(file, fc.array(change, { minLength: 1, maxLength: 4 }), (bytes, changes) => {
        for (const { at, to } of changes) bytes[at % bytes.length] = to;
        if (!readsOrRefuses(() => readNpy(bytes))) refused++;
      }),
      { numRuns: 2000 },
    );
    expect(refused).toBeGreaterThan(200);
  });

  test("words of headers in wrong places", () => {
    const words = [
      "{",
      "}",
      "(",
      ")",
      "[",
      "]",
      ",",
      ":",
      "'",
      '"',
      "'descr'",
      "'shape'",
      "'<f4'",
      "True",
      "1",
      "2L",
      " ",
    ];
    const header = fc.array(fc.constantFrom(...words), { maxLength: 24 }).map((parts) => parts.join(""));
    fc.assert(
      fc.property(header, fc.nat(8), fc.constantFrom(1, 2, 3), (text, dataBytes, version) => {
        readsOrRefuses(() => readNpy(fileOf(text, dataBytes, [version, 0])));
      }),
      { numRuns: 2000 },
    );
  });
});
