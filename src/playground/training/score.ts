import type { Config } from "../config";
import type { Figures } from "./messages";

/** Predictions beside the truth: how good they are, the mean loss without penalty, and what was read. */
export interface Score extends Figures {
  /** [rows] the class that the network says. */
  said: Int32Array;
  /** [rows] how sure it is of that, 0 … 1. */
  sureness: Float32Array;
}

/** `predictions` [rows, outputs] as `predict` gives them. The loss in float64, held away from log(0). */
export function score(
  loss: Config["loss"],
  predictions: Float32Array,
  y: Int32Array | Float32Array,
  numbers: boolean,
): Score {
  if (numbers) return scoreOfNumbers(predictions, y);
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
  return { share: right / rows, loss: sum / rows, said, sureness };
}

/** The mean squared error, and R²: what it leaves of the variance of these rows, taken from 1. */
function scoreOfNumbers(predictions: Float32Array, y: Int32Array | Float32Array): Score {
  const rows = y.length;
  let mean = 0;
  for (const value of y) mean += value / rows;
  let [errors, variance] = [0, 0];
  predictions.forEach((value, row) => {
    errors += (value - (y[row] as number)) ** 2;
    variance += ((y[row] as number) - mean) ** 2;
  });
  const share = variance > 0 ? 1 - errors / variance : Number(errors === 0);
  return { share, loss: errors / rows, said: new Int32Array(0), sureness: new Float32Array(0) };
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
