import { FormatError } from "../util/errors";
import type { CsvDescription, DescribedColumn, Feature } from "./csv-description";
import { featureNames } from "./csv-description";
import { type Gathered, type Slot, sortedCategories } from "./csv-fields";

/** A row that was left out, counted from 1 as a spreadsheet shows it, and why. */
export interface DroppedRow {
  row: number;
  why: string;
}

/** A column that is not in the result, and why. */
export interface IgnoredColumn {
  column: string;
  why: string;
}

/** A column in which missing fields were filled, how many, and with what. */
export interface FilledColumn {
  column: string;
  count: number;
  value: number | string;
}

/** What becomes of a table, besides its numbers. */
export interface LeftOut {
  /** Rows that were left out, in their order. */
  droppedRows: DroppedRow[];
  ignoredColumns: IgnoredColumn[];
  filled: FilledColumn[];
}

export interface Assembled extends LeftOut {
  x: Float32Array<ArrayBuffer>;
  y: Int32Array<ArrayBuffer> | Float32Array<ArrayBuffer> | null;
  rows: number;
  columns: string[];
}

/** Leaves out the rows in which a target, or with "drop" a feature, is missing. */
export function dropMissing(gathered: Gathered, drops: boolean): DroppedRow[] {
  const { slots, rows } = gathered;
  const dropped: DroppedRow[] = [];
  const missing = new Set<number>();
  const asked = slots.map(
    ({ ignored, kind, role }) => ignored === undefined && kind !== null && (drops || role !== "feature"),
  );
  rows.forEach((row, at) => {
    const slot = slots.findIndex((_, i) => asked[i] && Number.isNaN(gathered.numbers[at * slots.length + i]));
    if (slot < 0) return;
    missing.add(at);
    dropped.push({ row, why: `${slots[slot]?.place.shown} is missing` });
  });
  gathered.leaveOut(missing);
  if (rows.length === 0) {
    throw new FormatError(
      `csv: each of the ${dropped.length} rows lacks a value; the first is row ${dropped[0]?.row}, where ${dropped[0]?.why}.`,
    );
  }
  return dropped;
}

type Learnt = Omit<CsvDescription, "features" | "target" | "format">;

/** What columns have become, once all rows are there. */
export function describe(
  gathered: Gathered,
  learnt: Learnt,
  classes: readonly string[] | null,
): { description: CsvDescription; ignoredColumns: IgnoredColumn[] } {
  const features: Feature[] = [];
  const ignoredColumns: IgnoredColumn[] = [];
  const numbers: DescribedColumn[] = [];
  let target: CsvDescription["target"] = null;
  gathered.slots.forEach((slot, at) => {
    const { name, at: place } = slot.place;
    const column = { name, at: place };
    if (slot.role === "number") numbers.push(column);
    else if (slot.role === "label")
      target = { kind: "classes", column, classes: classes ? [...classes] : usedCategories(gathered, at) };
    else {
      const feature = slot.ignored === undefined ? featureOf(gathered, at, learnt.missing) : null;
      if (feature === null) ignoredColumns.push({ column: slot.place.shown, why: slot.ignored ?? "has no value" });
      else features.push(feature);
    }
  });
  if (features.length === 0) {
    const why = ignoredColumns.map(({ column, why }) => `${column} ${why}`).join("; ");
    throw new FormatError(`csv: no column is left for x: ${why}.`);
  }
  if (numbers.length > 0) target = { kind: "numbers", columns: numbers };
  return { description: { format: "wgrad csv 1", ...learnt, features, target }, ignoredColumns };
}

/** Null where the column has no value. */
function featureOf(gathered: Gathered, at: number, missing: CsvDescription["missing"]): Feature | null {
  const { place, kind } = gathered.slots[at] as Slot;
  const column = { name: place.name, at: place.at };
  const filled = missing === "mean" || missing === "mostFrequent";
  if (kind === null) return null;
  const values = kind === "categories" || filled ? gathered.column(at).filter((value) => !Number.isNaN(value)) : null;
  if (values?.length === 0) return null;
  if (kind === "number") {
    if (!filled || values === null) return { ...column, kind };
    const fill =
      missing === "mean" ? values.reduce((sum, value) => sum + value, 0) / values.length : mostFrequent(values);
    return { ...column, kind, fill: Math.fround(fill) };
  }
  const categories = usedCategories(gathered, at);
  if (!filled || values === null) return { ...column, kind, categories };
  const names = [...(gathered.slots[at] as Slot).categories.keys()];
  const inOrder = values.map((index) => categories.indexOf(names[index] as string));
  return { ...column, kind, categories, fill: categories[mostFrequent(inOrder)] as string };
}

/** Of several that are as frequent the least. */
function mostFrequent(values: Float32Array): number {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  const most = Math.max(...new Set(counts.values()));
  return [...counts].reduce((least, [value, count]) => (count === most ? Math.min(least, value) : least), Infinity);
}

/** Those that rows which were kept have. */
function usedCategories(gathered: Gathered, at: number): string[] {
  const names = [...(gathered.slots[at] as Slot).categories.keys()];
  return sortedCategories([...new Set(gathered.column(at))].flatMap((index) => names[index] ?? []));
}

/** Rows as the description has them. `places` says in which slot each feature is; slots of the targets come after theirs. */
export function assemble(
  gathered: Gathered,
  { features, target }: CsvDescription,
  places: readonly number[],
  targets: readonly number[],
): Omit<Assembled, "droppedRows" | "ignoredColumns"> {
  const { slots, numbers, rows } = gathered;
  const columns = featureNames(features);
  const x = new Float32Array(rows.length * columns.length);
  const filled: FilledColumn[] = [];
  let offset = 0;
  features.forEach((feature, f) => {
    const slot = places[f] as number;
    const names = feature.kind === "categories" ? feature.categories : null;
    const index = names === null ? null : placesOf(slots[slot] as Slot, names);
    const fill = feature.kind === "number" ? feature.fill : names?.indexOf(feature.fill ?? "");
    let count = 0;
    for (let row = 0; row < rows.length; row++) {
      let value = numbers[row * slots.length + slot] as number;
      if (Number.isNaN(value)) {
        count++;
        value = fill as number;
      } else if (index !== null) value = index[value] as number;
      const at = row * columns.length + offset;
      if (index === null) x[at] = value;
      else x[at + value] = 1;
    }
    if (count > 0) filled.push({ column: feature.name, count, value: feature.fill as number | string });
    offset += names?.length ?? 1;
  });
  let y: Assembled["y"] = null;
  if (target !== null && targets.length > 0) {
    const index = target.kind === "classes" ? placesOf(slots[targets[0] as number] as Slot, target.classes) : null;
    y = new (index ? Int32Array : Float32Array)(rows.length * targets.length);
    for (let row = 0; row < rows.length; row++) {
      targets.forEach((slot, t) => {
        const value = numbers[row * slots.length + slot] as number;
        if (y) y[row * targets.length + t] = index ? (index[value] as number) : value;
      });
    }
  }
  return { x, y, rows: rows.length, columns, filled };
}

/** Where the categories of a slot, in the order in which they came, stand among all. */
function placesOf(slot: Slot, names: readonly string[]): number[] {
  const places = new Map(names.map((name, i) => [name, i]));
  return [...slot.categories.keys()].map((name) => places.get(name) ?? -1);
}
