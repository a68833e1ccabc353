import { expect, test } from "vitest";
import { preset } from "../../src/playground/config";
import { dataSet } from "../../src/playground/training/data-set";
import { score } from "../../src/playground/training/score";
import { inspectTable, readTable } from "../../src/playground/training/table";

const rows = Array.from({ length: 40 }, (_, i) => `${i},${(i * i) / 4},${i % 3}`);
const text = ["a,b,kind", ...rows].join("\n");
const choice = { header: true, label: 1, numbers: true, features: [0, 2], leaveOutBad: false };

test("a table's facts: names, numbers, and which columns have few values", async () => {
  const facts = await inspectTable(text);
  expect(facts).toMatchObject({ header: true, columns: ["a", "b", "kind"], rows: 40 });
  expect(facts.numeric).toEqual([true, true, true]);
  expect(facts.few).toEqual([false, false, true]);
  expect((await inspectTable(`${"n".repeat(5000)},b\n1,2`)).columns[0]).toHaveLength(61);
});

test("numbers to be predicted are standardised, and their own mean and deviation are told", async () => {
  const { table } = await readTable(text, choice);
  expect(table?.columns).toEqual(["a", "kind"]);
  expect(table?.y[39]).toBe((39 * 39) / 4);
  const { training, heldBack, target, classes } = await dataSet(preset("csv"), table);
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
    'The column "b" has 40 different values; as classes there must be 2 to 20. Learn it as numbers',
  );
  const same = ["a,b", ...rows.map((_, i) => `${i},7`)].join("\n");
  await expect(readTable(same, { ...choice, features: [0] })).rejects.toThrow('"b" is 7 in every row');
});

test("a number that float32 cannot hold is a bad row, as a feature and as what is to be predicted", async () => {
  const { table, bad, badRows } = await readTable(`${text}\n1,1e39,0\n1e39,1,0\n1,,0`, choice);
  expect(table).toBeNull();
  expect(badRows).toBe(3);
  expect(bad).toEqual([
    { row: 42, what: '"b" is "1e39", not a number' },
    { row: 43, what: '"a" is "1e39", not a number' },
    { row: 44, what: '"b" is empty' },
  ]);
});

test("R²: 1 for what is right, 0 for the mean, below for worse", () => {
  const y = Float32Array.of(-1, 0, 1);
  const of = (...said: number[]) => score("squaredError", Float32Array.from(said), y, true);
  expect(of(-1, 0, 1)).toMatchObject({ share: 1, loss: 0 });
  expect(of(0, 0, 0).share).toBe(0);
  expect(of(0, 0, 0).loss).toBeCloseTo(2 / 3, 12);
  expect(of(1, 0, -1).share).toBe(-3);
});
