import { describe, expect, test } from "vitest";
import { applyCsv, type CsvDescription, type CsvOptions, readCsv } from "../../src/files/csv";
import { adam, dense, open, sequential, softmaxCrossEntropy, trainer } from "../../src/index";
import { expectFormatError } from "./bytes";

const penguins = `island,mass,flipper,species
Biscoe,4200,200,gentoo
Dream,,190,adelie
Biscoe,5000,NA,gentoo
?,3700,195,adelie
Dream,3500,185,
Dream,3600,181,adelie
`;
const learn = (missing: CsvOptions["missing"] & string) =>
  readCsv(penguins, { label: "species", oneHot: true, missing });
/** [rows, columns] as lists. */
const table = ({ x, rows }: { x: Float32Array; rows: number }) =>
  Array.from({ length: rows }, (_, row) => [...x.subarray((row * x.length) / rows, ((row + 1) * x.length) / rows)]);

describe("what is missing", () => {
  test("is refused, with row, column and the ways on", () => {
    expectFormatError(
      () => learn("refuse"),
      'csv: row 3, column 2 ("mass") is empty; there must be a decimal number, finite in float32. Else give missing: "drop", "mean" or "mostFrequent".',
    );
    expectFormatError(
      () => readCsv("a,b\n1,-999", { missing: "refuse", missingValues: ["-999"], oneHot: true }),
      'csv: row 2, column 2 ("b") has "-999"; there must be a text or a number',
    );
  });

  test("has its row left out, which is reported", () => {
    const { x, y, rows, columns, droppedRows, filled } = learn("drop");
    expect([rows, columns, filled]).toEqual([2, ["island=Biscoe", "island=Dream", "mass", "flipper"], []]);
    expect(table({ x, rows })).toEqual([
      [1, 0, 4200, 200],
      [0, 1, 3600, 181],
    ]);
    expect([...y]).toEqual([1, 0]);
    expect(droppedRows).toEqual([
      { row: 3, why: 'column 2 ("mass") is missing' },
      { row: 4, why: 'column 3 ("flipper") is missing' },
      { row: 5, why: 'column 1 ("island") is missing' },
      { row: 6, why: 'column 4 ("species") is missing' },
    ]);
    expectFormatError(
      () => readCsv("a,b\n1,\n,2", { missing: "drop" }),
      "csv: each of the 2 rows lacks a value; the first is row 2",
    );
  });

  test("has its column's mean, or what is most frequent there; a target is never made up", () => {
    const mean = learn("mean");
    expect(mean.droppedRows).toEqual([{ row: 6, why: 'column 4 ("species") is missing' }]);
    expect(table(mean)).toEqual([
      [1, 0, 4200, 200],
      [0, 1, 4125, 190],
      [1, 0, 5000, 191.5],
      [1, 0, 3700, 195],
      [0, 1, 3600, 181],
    ]);
    expect(mean.filled).toEqual([
      { column: "island", count: 1, value: "Biscoe" },
      { column: "mass", count: 1, value: 4125 },
      { column: "flipper", count: 1, value: 191.5 },
    ]);
    const frequent = readCsv("a\n7\n3\n\n3\n7\nNA\n5", { missing: "mostFrequent", header: true });
    expect([...frequent.x]).toEqual([7, 3, 3, 7, 3, 5]);
    const empty = readCsv("a,b\n1,\n2,NA", { missing: "mean" });
    expect([empty.columns, empty.ignoredColumns]).toEqual([["a"], [{ column: 'column 2 ("b")', why: "has no value" }]]);
  });
});

describe("text", () => {
  test("is refused unless it is asked for; a column is one kind", () => {
    expectFormatError(() => readCsv("a,b\n1,x", {}), 'row 2, column 2 ("b") has "x"; there must be a decimal number');
    expectFormatError(
      () => readCsv("a,b\n1,2\n1,x", { oneHot: true }),
      'csv: row 3, column 2 ("b") has "x"; there must be a decimal number, finite in float32. Row 2 has a number: correct it',
    );
    expectFormatError(
      () => readCsv("a,b\n1,x\n1,2", { oneHot: true }),
      'csv: row 3, column 2 ("b") has "2", a number, and row 2 text; a column is one or the other.',
    );
    expectFormatError(() => readCsv("a,b\n1,2", { ignore: ["b"], oneHot: ["b"] }), "is none of the columns of x");
  });

  test("numbers that are codes are text where they are named; categories are in their order", () => {
    const { columns, x } = readCsv("code,b\n10,1\n9,2\n10,3", { oneHot: ["code"] });
    expect(columns).toEqual(["code=9", "code=10", "b"]);
    expect(table({ x, rows: 3 })).toEqual([
      [0, 1, 1],
      [1, 0, 2],
      [0, 1, 3],
    ]);
  });

  test("of names and identifiers is left out, and reported, unless it is meant", () => {
    const text = `name,b\n${Array.from({ length: 51 }, (_, i) => `n${i},${i}`).join("\n")}`;
    const { columns, ignoredColumns } = readCsv(text, { oneHot: true });
    expect(columns).toEqual(["b"]);
    expect(ignoredColumns).toEqual([
      { column: 'column 1 ("name")', why: expect.stringMatching(/^has more than 50 different texts/) },
    ]);
    expect(readCsv(text, { oneHot: ["name"] }).columns).toHaveLength(52);
    expect(readCsv(text, { ignore: ["name"] }).ignoredColumns).toEqual([]);
  });
});

describe("semicolons and decimal commas", () => {
  test.each([
    ["both", 'a;b\n1,5;2\n-,25;"3,0e1"', [1.5, 2, -0.25, 30], ","],
    ["no header", "1,5;2,5\n3;4", [1.5, 2.5, 3, 4], ","],
    ["points", "a;b\n1.5;2", [1.5, 2], "."],
    ["quotes", '"a";"b"\n1;2', [1, 2], null],
    ["integers", "a;b\n1;2", [1, 2], null],
  ])("are found: %s", (_, text, numbers, decimal) => {
    const { x, description } = readCsv(text);
    expect([[...x], description.delimiter, description.decimal]).toEqual([numbers, ";", decimal]);
  });

  test("are given; and one file has one sign", () => {
    expect([...readCsv('a,b\n"1,5",2', { decimal: "," }).x]).toEqual([1.5, 2]);
    expectFormatError(
      () => readCsv("a;b\n1,5;2\n3.5;1"),
      'csv: row 3, column 1 ("a") has "3.5"; there must be a decimal number, finite in float32. The decimal sign is "," here; where it is another, give decimal: ".".',
    );
    expectFormatError(() => readCsv("a;b\n1,5;1.234,5"), 'has "1.234,5"');
  });
});

describe("a description", () => {
  const { description, classes } = learn("mean");
  const later = `species,flipper,island,mass\nadelie,190,Dream,\ngentoo,201,Biscoe,4100\n`;

  test("is plain data, and applies to later rows: by name, in another order, without the target", () => {
    const kept = JSON.parse(JSON.stringify(description)) as CsvDescription;
    expect(kept).toEqual(description);
    const { x, y, rows, columns, filled } = applyCsv(kept, later);
    expect(columns).toEqual(["island=Biscoe", "island=Dream", "mass", "flipper"]);
    expect(table({ x, rows })).toEqual([
      [0, 1, 4125, 190],
      [1, 0, 4100, 201],
    ]);
    expect([...(y ?? [])].map((index) => classes[index])).toEqual(["adelie", "gentoo"]);
    expect(filled).toEqual([{ column: "mass", count: 1, value: 4125 }]);
    expect(applyCsv(kept, later, { target: false }).y).toBe(null);
    const rowsOf = [
      { island: "Dream", mass: null, flipper: 190 },
      { island: "Biscoe", mass: 4100, flipper: "201" },
    ];
    expect(applyCsv(kept, rowsOf)).toMatchObject({ x, y: null });
    expect(
      applyCsv(kept, [
        ["Dream", "", 190],
        ["Biscoe", 4100, 201],
      ]),
    ).toMatchObject({ x, y: null });
    expect(applyCsv(kept, penguins).x).toEqual(learn("mean").x); // what was learnt from is read as it was
  });

  test("of rows without a header goes by place, with the target or without", () => {
    const { description } = readCsv("1,a,5\n2,b,6", { label: 1 });
    expect(applyCsv(description, "7,b,8")).toMatchObject({ x: Float32Array.of(7, 8), y: Int32Array.of(1) });
    expect(applyCsv(description, "7,8")).toMatchObject({ x: Float32Array.of(7, 8), y: null });
    expectFormatError(
      () => applyCsv(description, "7"),
      "row 1 has 1 fields; the table that was learnt from has 3, or 2 without its target",
    );
    const named = readCsv("1,a\n2,b", { header: ["size", "kind"], label: "kind" });
    expect([named.columns, applyCsv(named.description, [{ size: 3 }]).x[0]]).toEqual([["size"], 3]);
    expectFormatError(() => readCsv("1,2", { header: ["a"] }), "row 1 has 2 fields, and header names 1 columns");
  });

  test("refuses what it has not learnt, with row, column and value", () => {
    expectFormatError(
      () => applyCsv(description, later.replace("Biscoe", "Torgersen")),
      'csv: row 3, column 3 ("island") has "Torgersen"; it must be one of the categories ["Biscoe","Dream"].',
    );
    expectFormatError(
      () => applyCsv(description, later.replace("gentoo", "emperor")),
      'csv: row 3, column 1 ("species") has "emperor"; it must be one of the classes ["adelie","gentoo"].',
    );
    expectFormatError(() => applyCsv(description, "island,mass\nDream,1"), 'column "flipper" is not there');
    const strict = readCsv("a,kind\n1,x", { label: "kind" }).description;
    expectFormatError(() => applyCsv(strict, [{ a: 1 }, { a: null }]), 'csv: row 2, column 1 ("a") is empty');
    expectFormatError(() => applyCsv(strict, "a\n1\nx"), 'csv: row 3, column 1 ("a") has "x"');
    expectFormatError(() => applyCsv(strict, []), "there are no rows of data");
    expect(() => applyCsv(strict, [{ a: true }] as never)).toThrow(TypeError);
    expect(() => applyCsv(strict, [{ a: 1 }, [1]] as never)).toThrow("applyCsv: row 2 is an array of 1");
    for (const wrong of [
      null,
      {},
      { ...strict, width: 0.5 },
      { ...strict, features: [] },
      { ...strict, target: 3 },
      { ...strict, features: [{ kind: "number", name: "a", at: 7 }] },
    ])
      expectFormatError(() => applyCsv(wrong as never, "a\n1"), "applyCsv: the description ");
  });

  test("is saved with the weights and comes back with them", async () => {
    const device = await open({ backend: "cpu" });
    const options = { loss: softmaxCrossEntropy(), optimizer: adam() };
    const net = await trainer(device, sequential(4, [dense(2)]), options);
    const file = await net.save({ metadata: { csv: JSON.stringify(description) } });
    const other = await trainer(device, sequential(4, [dense(2)], { seed: 1 }), options);
    const { csv, format } = other.load(file);
    expect([JSON.parse(csv as string), format]).toEqual([description, "pt"]);
    await expect(net.save({ metadata: { csv: description } } as never)).rejects.toThrow("it must be a string");
    device.close();
  });
});
