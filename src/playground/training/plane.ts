import type { DataSet } from "./data-set";
import { type Plane, SHOWN_UNITS } from "./messages";

const CELLS = 48;

/** By the place of a feature, the value at which it stands over the whole plane, in its own numbers. */
export type Held = Readonly<Record<number, number>>;

/** The part of the plane that the rows lie in, with a margin; null where there is none to draw. */
export function planeOf({ training, heldBack, features, axes, mean, deviation, image }: DataSet): Plane | null {
  if (image > 0 || features.length < 2) return null;
  const range = (feature: number): [number, number] => {
    let [least, most] = [Infinity, -Infinity];
    for (const { x } of [training, heldBack]) {
      for (let at = feature; at < x.length; at += features.length) {
        least = Math.min(least, x[at] as number);
        most = Math.max(most, x[at] as number);
      }
    }
    const margin = (most - least) * 0.12 || 1;
    return [least - margin, most + margin];
  };
  const label = (feature: number, value: number) =>
    String(Number((value * (deviation[feature] as number) + (mean[feature] as number)).toPrecision(2)));
  const [h, v] = axes;
  const [x, y] = [range(h), range(v)];
  return {
    x,
    y,
    cells: CELLS,
    xLabels: [label(h, x[0]), label(h, x[1])],
    yLabels: [label(v, y[0]), label(v, y[1])],
  };
}

/** Cells row by row from the top; the features that are not drawn stand at their value in `at`, else at their mean. */
export function gridOf(
  { x, y, cells }: Plane,
  { features, axes, mean, deviation }: Pick<DataSet, "features" | "axes" | "mean" | "deviation">,
  at: Held = {},
): Float32Array {
  const grid = new Float32Array(cells * cells * features.length);
  for (const [feature, value] of Object.entries(at)) {
    const f = Number(feature);
    const standard = (value - (mean[f] as number)) / (deviation[f] as number);
    for (let cell = 0; cell < cells * cells; cell++) grid[cell * features.length + f] = standard;
  }
  for (let row = 0; row < cells; row++) {
    for (let column = 0; column < cells; column++) {
      const first = (row * cells + column) * features.length;
      grid[first + axes[0]] = x[0] + ((column + 0.5) / cells) * (x[1] - x[0]);
      grid[first + axes[1]] = y[1] - ((row + 0.5) / cells) * (y[1] - y[0]);
    }
  }
  return grid;
}

/** [cells, units] -> [cells, at most SHOWN_UNITS]. */
export function firstUnits(values: Float32Array, cells: number): Float32Array {
  const units = values.length / cells;
  if (units <= SHOWN_UNITS) return values;
  const out = new Float32Array(cells * SHOWN_UNITS);
  for (let cell = 0; cell < cells; cell++) {
    out.set(values.subarray(cell * units, cell * units + SHOWN_UNITS), cell * SHOWN_UNITS);
  }
  return out;
}
