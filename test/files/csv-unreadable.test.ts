import { expect, test } from "vitest";
import { peekCsv, readCsv } from "../../src/files/csv";

const table = ["a,b,kind", "1,x1,low", "2,5,low", "3,oops,high", "4,7,high", "5,8"].join("\n");

test("rows that do not read are refused with their place, or left out with the reason and nothing of them kept", () => {
  expect(() => readCsv(table, { label: "kind" })).toThrow(/row 2, column 2 \("b"\) has "x1"/);
  const read = readCsv(table, { label: "kind", unreadable: "drop" });
  expect(read.x).toEqual(Float32Array.of(2, 5, 4, 7));
  expect(read.classes).toEqual(["high", "low"]);
  expect(read.droppedRows.map(({ row }) => row)).toEqual([2, 4, 6]);
  expect(read.droppedRows[1]?.why).toMatch(/^column 2 \("b"\) has "oops"; there must be a decimal number/);
  expect(read.droppedRows[2]?.why).toMatch(/^has 2 fields, and row 1 has 3/);
  expect(() => readCsv("a,b\n1,x\n2", { unreadable: "drop" })).toThrow(/of the 2 none reads; row 2 column 2/);
});

test("a row that is left out does not say what kind a column is, nor what its decimal sign is", () => {
  const read = readCsv("a;b;c\n1,5;2;\n1.5;x;3\n2.5;y;4", { unreadable: "drop", oneHot: true });
  expect(read.columns).toEqual(["a", "b=x", "b=y", "c"]);
  expect(read.x).toEqual(Float32Array.of(1.5, 1, 0, 3, 2.5, 0, 1, 4));
  expect(read.droppedRows).toEqual([{ row: 2, why: expect.stringContaining('column 3 ("c") is empty') }]);
});

test("a look at a table's beginning guesses as readCsv does, and reads no further", () => {
  const peek = peekCsv('a;b;\n1,5;red;2\n;blue;3\n"open', { rows: 2 });
  expect(peek).toEqual({
    delimiter: ";",
    header: true,
    columns: ["a", "b", "column 3"],
    rows: [
      ["1,5", "red", "2"],
      ["", "blue", "3"],
    ],
    numeric: [1, 0, 1],
  });
  expect(peekCsv("1,2\n3,4").columns).toEqual(["column 1", "column 2"]);
  expect(peekCsv("1,2\n3,4", { header: true })).toMatchObject({ columns: ["1", "2"], rows: [["3", "4"]] });
  expect(() => peekCsv("a,b\n")).toThrow(/no rows of data/);
  expect(() => peekCsv(" \n")).toThrow(/empty/);
});
