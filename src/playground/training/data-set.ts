import type { CsvDescription } from "../../files/csv";
import { blobs, circles, moons, type Points, randomState, spirals, xor } from "../../index";
import type { Config } from "../config";
import { loadDigits, MOST_INK } from "../data/digits";

export interface Rows {
  /** [rows, inputs] */
  x: Float32Array;
  /** [rows], classes from 0, or numbers with mean 0 and deviation 1. */
  y: Int32Array | Float32Array;
}

/** Numbers to be learned: their name, and what one was before: value * deviation + mean. */
export interface Target {
  name: string;
  mean: number;
  deviation: number;
}

/** Numbers as the network gets them: each feature with mean 0 and deviation 1, except the pixels of images. */
export interface DataSet {
  features: string[];
  /** None where numbers are learned. */
  classes: string[];
  target: Target | null;
  /** What a feature was before: value * deviation + mean. */
  mean: number[];
  deviation: number[];
  training: Rows;
  heldBack: Rows;
  /** Pixels on a side, where the rows are images. */
  image: number;
  /** The two features that are drawn at first, where there are two to choose. */
  axes: [number, number];
  /** How a row of a person's own is read; null where it is given as its features. */
  description: CsvDescription | null;
}

/** A table that was dropped on the page, its columns chosen. */
export interface Table {
  x: Float32Array;
  /** Classes, or numbers as they stand in the file. */
  y: Int32Array | Float32Array;
  columns: string[];
  classes: string[];
  /** The column of the numbers; null where y are classes. */
  target: string | null;
  /** What makes later rows to such numbers. */
  description: CsvDescription;
}

export async function dataSet(config: Config, table: Table | null): Promise<DataSet> {
  const { rows, noise, seed, held } = config;
  switch (config.data) {
    case "moons":
      return drawn(moons(rows, { noise, seed }), 2, held);
    case "circles":
      return drawn(circles(rows, { noise, seed, factor: 0.5 }), 2, held);
    case "spirals":
      return drawn(spirals(rows, { noise, seed, classes: 2, turns: 1.25 }), 2, held);
    case "xor":
      return drawn(xor(rows, { noise, seed }), 2, held);
    case "blobs":
      return drawn(blobs(rows, { noise: 2.4 * noise, seed: seed + 7, classes: 4 }), 4, held);
    case "iris":
      return irises(seed, held);
    case "digits":
      return digits(seed);
    case "csv":
      if (!table) throw new Error("There is no table here yet: drop a CSV file on the page.");
      return given(table, seed, held);
    default:
      return config.data satisfies never;
  }
}

function drawn({ x, y }: Points, classes: number, held: number): DataSet {
  const names = Array.from({ length: classes }, (_, k) => `class ${k}`);
  return standardised({ x, y }, ["x₁", "x₂"], names, held);
}

function given(table: Table, seed: number, held: number): DataSet {
  const { columns, classes, target: name, description } = table;
  const { x, y } = mixed(table, columns.length, seed);
  const own = { description, axes: axesOf(description) };
  if (name === null) return { ...standardised({ x, y }, columns, classes, held), ...own };
  const { mean, deviation } = spread(y.length, (row) => y[row] as number);
  const scaled = Float32Array.from(y, (value) => (value - mean) / deviation);
  const target = { name, mean, deviation };
  return { ...standardised({ x, y: scaled }, columns, [], held), target, ...own };
}

/** The first two columns of numbers, where there are two: the corners of a column of 0 and 1 show little. */
function axesOf({ features }: CsvDescription): [number, number] {
  const places: number[] = [];
  let at = 0;
  for (const feature of features) {
    if (feature.kind === "number") places.push(at);
    at += feature.kind === "number" ? 1 : feature.categories.length;
  }
  const [h, v] = places;
  return h !== undefined && v !== undefined ? [h, v] : [0, Math.min(1, at - 1)];
}

async function irises(seed: number, held: number): Promise<DataSet> {
  const { default: iris } = await import("../data/iris.csv?raw");
  const [, ...lines] = iris.trim().split("\n");
  const rows = lines.map((line) => line.split(",").map(Number));
  const points = {
    x: Float32Array.from(rows.flatMap((row) => row.slice(0, 4))),
    y: Int32Array.from(rows, (row) => row[4] as number),
  };
  const features = ["sepal length", "sepal width", "petal length", "petal width"];
  const set = standardised(mixed(points, 4, seed), features, ["setosa", "versicolor", "virginica"], held);
  return { ...set, axes: [2, 3] };
}

async function digits(seed: number): Promise<DataSet> {
  const { training, heldBack } = await loadDigits(seed);
  return {
    features: Array.from({ length: 64 }, (_, pixel) => `pixel ${pixel}`),
    classes: Array.from({ length: 10 }, (_, digit) => String(digit)),
    target: null,
    mean: new Array<number>(64).fill(0),
    deviation: new Array<number>(64).fill(MOST_INK),
    training,
    heldBack,
    image: 8,
    axes: [0, 1],
    description: null,
  };
}

function mixed({ x, y }: Rows, inputs: number, seed: number): Rows {
  const order = randomState(seed).permutation(y.length);
  const out = new Float32Array(x.length);
  order.forEach((from, to) => {
    out.set(x.subarray(from * inputs, (from + 1) * inputs), to * inputs);
  });
  const picked = (from: number) => y[from] as number;
  return { x: out, y: y instanceof Float32Array ? Float32Array.from(order, picked) : order.map(picked) };
}

function standardised({ x, y }: Rows, features: string[], classes: string[], held: number): DataSet {
  const inputs = features.length;
  const count = y.length;
  const spreads = features.map((_, f) => spread(count, (row) => x[row * inputs + f] as number));
  const [mean, deviation] = [spreads.map((each) => each.mean), spreads.map((each) => each.deviation)];
  const scaled = x.map((value, at) => (value - (mean[at % inputs] as number)) / (deviation[at % inputs] as number));
  const cut = Math.max(1, count - Math.max(1, Math.round(count * held)));
  return {
    features,
    classes,
    target: null,
    mean,
    deviation,
    training: { x: scaled.subarray(0, cut * inputs), y: y.subarray(0, cut) },
    heldBack: { x: scaled.subarray(cut * inputs), y: y.subarray(cut) },
    image: 0,
    axes: [0, Math.min(1, inputs - 1)],
    description: null,
  };
}

function spread(count: number, value: (row: number) => number): { mean: number; deviation: number } {
  let sum = 0;
  for (let row = 0; row < count; row++) sum += value(row);
  const mean = sum / count;
  let squares = 0;
  for (let row = 0; row < count; row++) squares += (value(row) - mean) ** 2;
  return { mean, deviation: Math.sqrt(squares / count) || 1 }; // a column of one value says nothing, and stays 0
}
