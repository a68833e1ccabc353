import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type CsvOptions, readCsv } from "../../src/files/csv";
import { expectFormatError, readsOrRefuses } from "./bytes";

const flowers = `width, height,name
1,2,rose
3.5,-4e-1,"lily, white"
+.5,6.,rose
`;

describe("readCsv", () => {
  test("gives numbers and classes, with the names of both", () => {
    expect(readCsv(flowers, { label: "name" })).toMatchObject({
      x: Float32Array.of(1, 2, 3.5, -0.4, 0.5, 6),
      y: Int32Array.of(1, 0, 1),
      rows: 3,
      columns: ["width", "height"],
      classes: ["lily, white", "rose"],
    });
  });

  test("gives numbers to be predicted, and the columns in the order asked for", () => {
    expect(readCsv("a,b,c,d\n1,2,3,4\n5,6,7,8\n", { features: ["d", "a"], targets: ["c", "b"] })).toMatchObject({
      x: Float32Array.of(4, 1, 8, 5),
      y: Float32Array.of(3, 2, 7, 6),
      rows: 2,
      columns: ["d", "a"],
      targets: ["c", "b"],
    });
  });

  test("gives x alone where no column is to be predicted", () => {
    expect(readCsv("1,2\n3,4")).toMatchObject({
      x: Float32Array.of(1, 2, 3, 4),
      rows: 2,
      columns: ["column 1", "column 2"],
    });
  });

  test("takes columns by place, from either end", () => {
    const { x, y, classes, columns } = readCsv("7,1,a\n8,2,b\n", { label: -1, features: [1], header: false });
    expect([[...x], [...y], classes, columns]).toEqual([[1, 2], [0, 1], ["a", "b"], ["column 2"]]);
  });

  test("tells a header by what it has: names, and no number", () => {
    expect(readCsv("a,b\n1,2").columns).toEqual(["a", "b"]);
    expect(readCsv("0,b\n1,2", { label: 1 }).rows).toBe(2);
    expect(readCsv("2019,2020\n1,2", { header: true }).columns).toEqual(["2019", "2020"]);
    expect(readCsv("2019,2020\n1,2", { features: ["2020"] }).columns).toEqual(["2020"]);
  });

  test("sorts classes by number where all are numbers, else by code points", () => {
    const classesOf = (labels: readonly string[]) =>
      readCsv(labels.map((label) => `1,${label}`).join("\n"), { label: 1, header: false }).classes;
    expect(classesOf(["10", "9", "-1", "9"])).toEqual(["-1", "9", "10"]);
    expect(classesOf(["10", "9", "b", "B", "\u{1f600}", "\ufb01"])).toEqual([
      "10",
      "9",
      "B",
      "b",
      "\ufb01",
      "\u{1f600}",
    ]);
    expect(readCsv("1,__proto__\n2,toString", { label: 1, header: false }).classes).toEqual(["__proto__", "toString"]);
  });

  test("numbers the classes of a held-back file as the training file's", () => {
    const { classes } = readCsv(flowers, { label: "name" });
    expect(readCsv("width,height,name\n1,2,rose", { label: "name", classes })).toMatchObject({
      y: Int32Array.of(1),
      classes,
    });
    expectFormatError(
      () => readCsv("width,height,name\n1,2,tulip", { label: "name", classes }),
      'csv: row 2, column 3 ("name") has "tulip"; it must be one of the classes ["lily, white","rose"].',
    );
  });

  test("takes quotes, line ends of each kind, a byte order mark, empty lines and other delimiters", () => {
    const expected = readCsv("a,b\n1,2\n3,4\n");
    for (const text of [
      "\ufeffa,b\n1,2\n3,4",
      "a,b\r\n1,2\r\n3,4\r\n",
      "a,b\r1,2\r3,4\r",
      "a,b\r\n1,2\n3,4\r\n",
      "\n\na,b\n\n1,2\n   \n3,4\n\n",
      ' a , b\n "1", 2 \n3,"4"\n'.replace(' "1"', '"1"'),
      '"a","b"\r\n"1","2"\r\n"3","4"\r\n',
      '"a" , "b"\n1,2\n3,4\n'.replace(' "b"', '"b"'),
    ]) {
      expect(readCsv(text), JSON.stringify(text)).toEqual(expected);
    }
    const { description, ...numbers } = expected;
    expect(readCsv("a;b\n1;2\n3;4", { delimiter: ";" })).toMatchObject(numbers);
    expect(readCsv("a\tb\n1\t2\n3\t4", { delimiter: "\t" })).toMatchObject({
      ...numbers,
      description: { ...description, delimiter: "\t" },
    });
    expect(readCsv('a,b\n1,"two\n""lines"""', { label: "b" }).classes).toEqual(['two\n"lines"']);
  });

  test("rounds to float32, and keeps what float32 cannot tell from 0", () => {
    expect([...readCsv("0.1,1e-400,-0\n").x]).toEqual([Math.fround(0.1), 0, -0]);
  });

  test("reads the iris of the playground", () => {
    const text = readFileSync(new URL("../../src/playground/data/iris.csv", import.meta.url), "utf8");
    const rows = text.slice(text.indexOf("\n") + 1); // the first line has counts and names
    const iris = readCsv(rows, { label: -1 });
    expect([iris.rows, iris.x.length, iris.classes]).toEqual([150, 600, ["0", "1", "2"]]);
    expect([...iris.x.subarray(0, 4)]).toEqual([5.1, 3.5, 1.4, 0.2].map(Math.fround));
    expect(iris.y.filter((y) => y === 2)).toHaveLength(50);
    expectFormatError(() => readCsv(text, { label: -1 }), 'row 1, column 3 has "setosa"');
    expectFormatError(() => readCsv(text, { label: -1 }), "Where row 1 names the columns, give header: true.");
  });

  test("reads a table of 200,000 columns, all of them named", () => {
    // Where each column is sought among all the others, these are 10^10 comparisons, and the test's time is up.
    const columns = Array.from({ length: 200_000 }, (_, i) => `c${i}`);
    const text = `${columns.join(",")}\n${columns.map((_, i) => i).join(",")}\n`;
    const last = columns.length - 1;
    const whole = readCsv(text);
    expect([whole.rows, whole.x.length, whole.columns.length]).toEqual([1, last + 1, last + 1]);
    expect(columns.every((name, i) => whole.columns[i] === name && whole.x[i] === i)).toBe(true);
    const features = columns.toReversed();
    const reversed = readCsv(text, { features });
    expect(features.every((name, i) => reversed.columns[i] === name && reversed.x[i] === last - i)).toBe(true);
    expectFormatError(() => readCsv(text, { features: [...features, "c7"] }), 'csv: column 8 ("c7") is chosen twice');
  });

  test("reads a file of several parts, parted anywhere", () => {
    const line = `${"0.25,".repeat(99)}"-1234.5",a\n`;
    const { x, y, rows } = readCsv(line.repeat(20_000), { label: -1 }); // 10 million characters
    expect([rows, x.length, y.length]).toEqual([20_000, 2_000_000, 20_000]);
    expect(x.every((value, i) => value === (i % 100 < 99 ? 0.25 : -1234.5))).toBe(true);
  });
});

describe("a table is refused, by row and column", () => {
  test.each<[string, string, CsvOptions & { label?: string | number; targets?: (string | number)[] }, string]>([
    ["an empty field", "a,b\n1,2\n3,\n", {}, 'csv: row 3, column 2 ("b") is empty; there must be a decimal number'],
    ["an empty field between", "a,b\n,2\n", {}, 'row 2, column 1 ("a") is empty'],
    ["a row of empty fields", "a,b\n1,2\n,\n", {}, 'row 3, column 1 ("a") is empty'],
    ["text for a number", "a,b\n1,2\n\n3,x\n", {}, 'row 4, column 2 ("b") has "x"'],
    ["NaN", "a,b\n1,NaN", {}, 'has "NaN"'],
    ["infinity", "a,b\n1,Infinity", {}, 'has "Infinity"'],
    ["NA", "a,b\n1,NA", {}, 'has "NA"'],
    ["a hexadecimal number", "a,b\n1,0x10", {}, 'has "0x10"'],
    ["a decimal comma", 'a,b\n1,"2,5"', {}, 'has "2,5"'],
    ["a point alone", "a,b\n1,.", {}, 'has "."'],
    ["a number past float32", "a,b\n1,3.5e38", {}, 'has "3.5e38"; there must be a decimal number, finite in float32'],
    ["a number past float64", "a,b\n1,1e400", {}, 'has "1e400"'],
    ["a target that is text", "a,b\n1,x", { targets: ["b"] }, 'row 2, column 2 ("b") has "x"'],
    ["an empty label", "a,b\n1,x\n2,\n", { label: "b" }, 'row 3, column 2 ("b") is empty; there must be a label'],
    ["a row too short", "a,b\n1,2\n3\n", {}, "row 3 has 1 fields, and row 1 has 2"],
    ["a row too long", "a,b\n1,2\n3,4,5\n", {}, "row 3 has 3 fields, and row 1 has 2"],
    ["a quote that does not close", 'a,b\n1,2\n3,"4\n5,6\n', {}, "row 3: Quoted field unterminated"],
    ["a quote within", 'a,b\n1,2\n3,"4"5\n', {}, "row 3: Trailing quote on quoted field is malformed"],
    ["no rows", "", {}, "there are no rows of data; there must be one"],
    ["empty lines alone", "\n\r\n \n", {}, "there are no rows of data"],
    ["a header alone", "a,b\n", {}, "there are no rows of data after the header"],
    ["a name not there", "a,b\n1,2", { label: "c" }, 'column "c" is not there; the file has "a", "b".'],
    ["a place not there", "a,b\n1,2", { label: 2 }, "column 2 is not there; the file has 2, 0 to 1."],
    ["a place not there from the end", "a,b\n1,2", { label: -3 }, "column -3 is not there"],
    ["a name twice", "a,b,a\n1,2,3", { label: "a" }, 'the header has "a" twice; choose by number, 0 or another'],
    ["a name where there is no header", "1,2", { label: "a", header: false }, "header is false"],
    ["a column for x and y", "a,b\n1,2", { label: "a", features: ["a"] }, 'column 1 ("a") is chosen for x and for y'],
    ["a column twice", "a,b\n1,2", { features: [0, "a"] }, 'column 1 ("a") is chosen twice'],
    ["no column left", "a\n1", { label: "a" }, "none of the 1 columns is left for x"],
    [
      "tabs",
      "a\tb\n1\t2",
      { label: 1 },
      'column 1 is not there; the file has 1, 0 to 0 (is "," between its fields? Else give delimiter: "\\t").',
    ],
    [
      "spaces",
      "1 2\n3 4",
      { header: false },
      'has "1 2"; there must be a decimal number, finite in float32 (is "," between its fields? Else give delimiter: " ").',
    ],
    [
      "commas, where another delimiter is given",
      "a,b",
      { delimiter: ";", header: false },
      '(is ";" between its fields? Else give delimiter: ",")',
    ],
    ["a zip archive", "PK\x03\x04\0\0\n\x01,\x02", {}, "fields"],
  ])("for %s", (_, text, options, message) => {
    expectFormatError(() => readCsv(text, options as CsvOptions), message);
  });

  test("with long text cut short in the message", () => {
    expectFormatError(() => readCsv(`1,2\n3,${"x".repeat(10_000)}`), "… (10002 characters)");
  });

  test("in a row far down, past where the text is parted", () => {
    const line = `${"0.25,".repeat(99)}"1"\n`;
    expectFormatError(() => readCsv(`${line.repeat(10_000)}${"1,".repeat(99)}x`), 'row 10001, column 100 has "x"');
  });

  test("but options that cannot be meant are a TypeError", () => {
    const wrong = (options: unknown) => () => readCsv("a,b\n1,2", options as CsvOptions);
    for (const options of [
      { label: "a", targets: ["b"] },
      { classes: ["a"] },
      { label: "a", classes: ["1", "1"] },
      { features: [] },
      { targets: [] },
      { label: 0.5 },
      { features: [null] },
      { delimiter: "" },
      { delimiter: ", " },
      { delimiter: '"' },
      { delimiter: "\n" },
    ]) {
      expect(wrong(options), JSON.stringify(options)).toThrow(TypeError);
    }
    // @ts-expect-error: what a caller without types may do
    expect(() => readCsv(new Uint8Array(4))).toThrow(TypeError);
  });
});

describe("whatever comes as CSV", () => {
  const options = fc.constantFrom<CsvOptions>(
    {},
    { header: true },
    { header: false },
    { label: 0 } as CsvOptions,
    { label: "a" } as CsvOptions,
    { targets: [-1] } as CsvOptions,
    { features: [1, 0], delimiter: ";" },
  );

  test("it reads or is a FormatError, nothing else", () => {
    const piece = fc.oneof(
      fc.constantFrom(",", "\n", "\r\n", "\r", '"', '""', " ", ";", "a", "b", "1", "-2.5", "\ufeff", "\0"),
      fc.string({ unit: "binary", maxLength: 3 }),
    );
    const text = fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join(""));
    let read = 0;
    fc.assert(
      fc.property(text, options, (given, chosen) => {
        if (readsOrRefuses(() => readCsv(given, chosen))) read++;
      }),
      { numRuns: 2000 },
    );
    expect(read).toBeGreaterThan(0);
  });

  test("cut off at any character", () => {
    for (let length = 0; length < flowers.length; length++) {
      readsOrRefuses(() => readCsv(flowers.slice(0, length), { label: "name" }));
    }
  });

  test("numbers and labels written by the rules are read again", () => {
    const number = fc.float({ noNaN: true, noDefaultInfinity: true });
    const label = fc.string({ unit: "grapheme", minLength: 1 }).filter((text) => text.trim() === text && text !== "");
    const rows = fc.array(fc.tuple(number, number, label), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(rows, fc.constantFrom("\n", "\r\n"), (given, newline) => {
        const lines = given.map(([a, b, text]) => `${a},"${b}","${text.replaceAll('"', '""')}"`);
        const table = readCsv(["a,b,c", ...lines].join(newline), { label: "c" });
        expect([...table.x]).toEqual(given.flatMap(([a, b]) => [a, b].map((v) => (Object.is(v, -0) ? 0 : v))));
        expect([...table.y].map((index) => table.classes[index])).toEqual(given.map(([, , text]) => text));
      }),
    );
  });
});
