import type { Config } from "../config";

/** Predictions beside the truth: the share that is right, the mean loss without penalty, and what was read. */
export interface Score {
  accuracy: number;
  loss: number;
  /** [rows] the class that the network says. */
  said: Int32Array;
  /** [rows] how sure it is of that, 0 … 1. */
  sureness: Float32Array;
}

/** `predictions` [rows, outputs] as `predict` gives them. The loss in float64, held away from log(0). */
export function score(loss: Config["loss"], predictions: Float32Array, y: Int32Array): Score {
  const rows = y.length;
  const outputs = predictions.length / Math.max(1, rows);
  const said = new Int32Array(rows);
  const sureness = new Float32Array(rows);
  let right = 0;
  let sum = 0;
  for (let row = 0; row < rows; row++) {
    const p = predictions.subarray(row * outputs, (row + 1) * outputs);
    const k = classOf(p);
    said[row] = k;
    sureness[row] = Math.min(
      1,
      Math.max(0, outputs === 1 ? (k === 1 ? (p[0] as number) : 1 - (p[0] as number)) : (p[k] as number)),
    );
    if (k === y[row]) right++;
    sum += lossOfRow(loss, p, y[row] as number);
  }
  return { accuracy: right / rows, loss: sum / rows, said, sureness };
}

/** One output says class 1 above a half; more say the class of the largest. */
export function classOf(p: Float32Array): number {
  if (p.length === 1) return (p[0] as number) > 0.5 ? 1 : 0;
  return p.reduce((best, value, k) => (value > (p[best] as number) ? k : best), 0);
}

function lossOfRow(loss: Config["loss"], p: Float32Array, y: number): number {
  const log = (probability: number) => -Math.log(Math.max(probability, 1e-12));
  if (loss === "softmaxCrossEntropy") return log(p[y] as number);
  const target = (k: number) => (p.length === 1 ? y : Number(k === y));
  let sum = 0;
  p.forEach((value, k) => {
    const t = target(k);
    sum += loss === "squaredError" ? (value - t) ** 2 : t * log(value) + (1 - t) * log(1 - value);
  });
  return sum / p.length;
}
