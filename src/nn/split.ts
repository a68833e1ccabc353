import { randomState } from "../data/random";
import { checkCount, checkFlag, checkOptions, checkSeed, isNumbers, shown } from "../util/checks";
import { ShapeError } from "../util/errors";
import { checkData, type Dataset, type DataValues } from "./dataset";

/**
 * The rows of a data set parted at random: a data set for each of `shares`, which add up to 1 at most; what is left over is in none. Their
 * arrays are of the kinds that were given. `seed` (default 0) draws the order, a `permutation(rows)` of `randomState(seed)`. `stratify` keeps
 * the shares of the classes in y. Flat arrays have as many rows as y has numbers; where y has several a row, `rows` says how many rows there
 * are. Throws RangeError, ShapeError or TypeError.
 */
export function splitDataset<X extends DataValues, Y extends DataValues>(
  data: { x: X; y: Y },
  shares: readonly number[],
  options: { seed?: number; stratify?: boolean; rows?: number } = {},
): { x: X; y: Y }[] {
  checkData("splitDataset", data);
  checkOptions("splitDataset", options, ["seed", "stratify", "rows"]);
  const { seed = 0, stratify = false } = options;
  checkSeed("splitDataset", seed);
  checkFlag("splitDataset", "stratify", stratify);
  checkShares(shares);
  const count = rowsOf(data, options.rows);
  const order = randomState(seed).permutation(count);
  const parts: number[][] = shares.map(() => []);
  const groups = stratify ? classesOf(data.y, count, order) : [[...order]];
  for (const group of groups) {
    let share = 0;
    let from = 0;
    shares.forEach((own, part) => {
      share += own;
      const to = Math.round(share * group.length);
      for (const row of group.slice(from, to)) parts[part]?.push(row);
      from = to;
    });
  }
  const place = new Int32Array(count);
  order.forEach((row, i) => {
    place[row] = i;
  });
  return parts.map((rows, part) => {
    if (rows.length === 0) {
      throw new RangeError(`splitDataset: a share of ${shares[part]} of ${count} rows has none; give it more.`);
    }
    rows.sort((a, b) => (place[a] as number) - (place[b] as number));
    return { x: picked(data.x, count, rows), y: picked(data.y, count, rows) };
  });
}

function checkShares(shares: readonly number[]): void {
  const fit =
    Array.isArray(shares) && shares.length > 0 && shares.every((share) => typeof share === "number" && share > 0);
  const sum = fit ? shares.reduce((total, share) => total + share, 0) : Number.NaN;
  if (sum <= 1 + 1e-9) return;
  const given = Array.isArray(shares) ? `[${shares.join(", ")}]` : shown(shares);
  throw new RangeError(`splitDataset: shares are ${given}; they must be above 0 and add up to 1 at most.`);
}

function rowsOf({ x, y }: Dataset<DataValues>, given: number | undefined): number {
  for (const [name, values] of Object.entries({ x, y })) {
    if (!isNumbers(values)) throw new TypeError(`splitDataset: ${name} is ${shown(values)}; it must be an array.`);
  }
  if (given !== undefined) checkCount("splitDataset", "rows", given);
  const counts = [x, y].flatMap((values) => (isNumbers(values[0]) ? [values.length] : []));
  const count = given ?? counts[0] ?? y.length;
  for (const [name, values] of Object.entries({ x, y })) {
    const fits = isNumbers(values[0]) ? values.length === count : values.length % count === 0;
    if (values.length > 0 && fits) continue;
    throw new ShapeError(
      `splitDataset: ${name} has ${values.length} ${isNumbers(values[0]) ? "rows" : "numbers"}, and there are ${count} rows; where y has several numbers a row, say how many \`rows\` there are.`,
    );
  }
  return count;
}

/** The rows of each class, in `order`. */
function classesOf(y: DataValues, count: number, order: Int32Array): number[][] {
  if (y.length !== count) {
    throw new ShapeError(`splitDataset: stratify is for one class a row; y has ${y.length} numbers for ${count} rows.`);
  }
  const groups = new Map<number, number[]>();
  for (const row of order) {
    const given: unknown = y[row];
    const kind = isNumbers(given) && given.length === 1 ? given[0] : given;
    if (typeof kind !== "number")
      throw new ShapeError(`splitDataset: stratify is for one class a row; row ${row} of y is ${shown(given)}.`);
    const group = groups.get(kind);
    if (group === undefined) groups.set(kind, [row]);
    else group.push(row);
  }
  return [...groups.keys()].sort((a, b) => a - b).map((kind) => groups.get(kind) as number[]);
}

/** Rows by index, in an array of the same kind. */
function picked<V extends DataValues>(values: V, count: number, rows: readonly number[]): V {
  const width = values.length / count;
  const indices = rows.flatMap((row) => Array.from({ length: width }, (_, column) => row * width + column));
  if (Array.isArray(values)) return indices.map((at) => values[at]) as unknown as V;
  const kind = values.constructor as new (length: number) => Float32Array;
  const out = new kind(indices.length);
  indices.forEach((at, i) => {
    out[i] = values[at] as number;
  });
  return out as unknown as V;
}
