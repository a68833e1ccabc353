import { expect, test } from "vitest";
import { preset } from "../../src/playground/config";
import { dataSet } from "../../src/playground/training/data-set";
import { score } from "../../src/playground/training/score";
import { peekTable, readTable } from "../../src/playground/training/table";
import { AS_IT_IS } from "./table-choice";

const rows = Array.from({ length: 40 }, (_, i) => `${i},${(i * i) / 4},${i % 3}`);
const text = ["a,b,kind", ...rows].join("\n");
const choice = { ...AS_IT_IS, label: 1, numbers: true, features: [0, 2] };

test("what a page has no room for is refused before it is read", async () => {
  const guess = { header: null, delimiter: null };
  expect(await peekTable(text, guess)).toMatchObject({ header: true, columns: ["a", "b", "kind"] });
  await expect(peekTable(`${"a,".repeat(300)}b\n`.repeat(2), guess)).rejects.toThrow("301 columns; at most 256");
  await expect(peekTable(`${"1,".repeat(199)}1\n`.repeat(15_100), guess)).rejects.toThrow("more than 3 million fields");
  await expect(peekTable("a\n1", guess)).rejects.toThrow("one column, where there must be two");
});

test("numbers to be predicted are standardised, and their own mean and deviation are told", async () => {
  const { table } = await readTable(text, choice);
  expect(table.columns).toEqual(["a", "kind"]);
  expect(table.y[39]).toBe((39 * 39) / 4);
  const { training, heldBack, target, classes } = await dataSet({ ...preset("csv"), held: 0.25 }, table);
  expect([training.y.length, heldBack.y.length]).toEqual([30, 10]);
  const y = [...training.y, ...heldBack.y];
  const mean = y.reduce((sum, value) => sum + value, 0) / 40;
  expect(mean).toBeCloseTo(0, 6);
  expect(Math.sqrt(y.reduce((sum, value) => sum + value ** 2, 0) / 40)).toBeCloseTo(1, 6);
  expect(target?.name).toBe("b");
  expect(classes).toEqual([]);
  const largest = Math.max(...y) * (target?.deviation ?? 0) + (target?.mean ?? 0);
  expect(largest).toBeCloseTo((39 * 39) / 4, 3);
});

test("the same column as classes is refused with what would help, and so are numbers that are all one", async () => {
  await expect(readTable(text, { ...choice, numbers: false })).rejects.toThrow(
    "40 different values; as classes there must be 2 to 20. Learn it as numbers",
  );
  const same = ["a,b", ...rows.map((_, i) => `${i},7`)].join("\n");
  await expect(readTable(same, { ...choice, features: [0] })).rejects.toThrow('"b" is 7 in every row');
});

test("a table as people have it: decimal commas, text, what is missing and what does not read", async () => {
  const line = (i: number) =>
    `${i === 4 ? "" : `${i},5`};${["red", "blue"][i % 2]};${i === 7 ? "oops" : i};${i % 2 ? "yes" : "no"}`;
  const file = ["size;colour;weight;kind", ...Array.from({ length: 24 }, (_, i) => line(i))].join("\n");
  const asked = { ...AS_IT_IS, label: 3, numbers: false, features: [0, 1, 2], oneHot: [1] };
  await expect(readTable(file, asked)).rejects.toThrow('row 6, column 1 ("size") is empty');
  const { table, leftOut } = await readTable(file, { ...asked, missing: "mean", unreadable: "drop" });
  expect(table.columns).toEqual(["size", "colour=blue", "colour=red", "weight"]);
  expect(leftOut.droppedRows).toEqual([{ row: 9, why: expect.stringContaining('column 3 ("weight") has "oops"') }]);
  const kept = [...Array(24).keys()].filter((i) => i !== 4 && i !== 7).map((i) => i + 0.5);
  const mean = kept.reduce((sum, value) => sum + value, 0) / kept.length;
  expect(leftOut.filled).toEqual([{ column: "size", count: 1, value: Math.fround(mean) }]);
  expect((await dataSet(preset("csv"), table)).axes).toEqual([0, 3]); // numbers, where the plane shows something
});

test("R²: 1 for what is right, 0 for the mean, below for worse", () => {
  const y = Float32Array.of(-1, 0, 1);
  const of = (...said: number[]) => score("squaredError", Float32Array.from(said), y, true);
  expect(of(-1, 0, 1)).toMatchObject({ share: 1, loss: 0 });
  expect(of(0, 0, 0).share).toBe(0);
  expect(of(0, 0, 0).loss).toBeCloseTo(2 / 3, 12);
  expect(of(1, 0, -1).share).toBe(-3);
});
