import type { Bounded } from "../../src/cpu/bounds";
import { evaluate } from "../../src/cpu/evaluate";
import { contractionSizes, elementwiseRow, type Numbers, splitShape, spread } from "../../src/graph/ops";
import type { Program, Values } from "../../src/graph/program";
import { type Tensor, topological } from "../../src/graph/tensor";
import type { Shape } from "../../src/util/shape";

/** In which order a device adds up. */
export type Order = "forward" | "backward" | "pairwise" | "lanes";
export const ORDERS: readonly Order[] = ["forward", "backward", "pairwise", "lanes"];

/** One way for a device to be correct in float32. */
export interface Arithmetic {
  order: Order;
  /** Products are added unrounded. */
  fused: boolean;
  /** Subnormals become 0. */
  flush: boolean;
  /** Numbers in [-1, 1]: how much of its tolerance each exp, log, division and square root uses. */
  jitter: () => number;
  /** What a matrix product does to its operands first; nothing where left out. */
  narrow?: (x: number) => number;
}

export const IEEE: Arithmetic = { order: "forward", fused: false, flush: false, jitter: () => 0 };

/** One step with each operation rounded to float32: what a GPU may do, in every detail that is left open. */
export function float32Step(
  program: Program,
  parameters: Record<string, Values>,
  inputs: Record<string, Values>,
  arithmetic: Arithmetic = IEEE,
): { outputs: Record<string, Float32Array>; updates: Record<string, Float32Array> } {
  const { outputs, updates = {} } = program;
  const known = new Map<Tensor, Numbers>();
  for (const [tensors, given] of [
    [program.inputs, inputs],
    [program.parameters, parameters],
  ] as const) {
    for (const [name, tensor] of Object.entries(tensors)) known.set(tensor, Float64Array.from(given[name] as Values));
  }
  for (const node of topological([...Object.values(outputs), ...Object.values(updates)])) {
    const operands = node.operands.map((operand) => known.get(operand) as Numbers);
    known.set(node, compute(node, operands, known.get(node), arithmetic));
  }
  const read = (tensors: Record<string, Tensor>) =>
    Object.fromEntries(
      Object.entries(tensors).map(([name, tensor]) => [name, Float32Array.from(known.get(tensor) as Numbers)]),
    );
  return { outputs: read(outputs), updates: read(updates) };
}

/** The share of its bound that the worst element uses; Infinity for what is not finite where it should be. */
export function worstRatio({ values, bounds }: Bounded, got: ArrayLike<number>): number {
  let worst = 0;
  for (let i = 0; i < values.length; i++) {
    if (bounds[i] === Number.POSITIVE_INFINITY) continue;
    const error = Math.abs((got[i] as number) - (values[i] as number));
    if (!(error <= 0))
      worst = Math.max(worst, Number.isNaN(error) ? Number.POSITIVE_INFINITY : error / (bounds[i] as number));
  }
  return worst;
}

const ULP = 2 ** -23;

function compute(
  node: Tensor,
  operands: readonly Numbers[],
  fed: Numbers | undefined,
  arithmetic: Arithmetic,
): Numbers {
  const { flush, jitter } = arithmetic;
  const round = (x: number) => {
    const rounded = Math.fround(x);
    return flush && Math.abs(rounded) < 2 ** -126 ? 0 : rounded;
  };
  /** `ulps` away at most; half of one is the rounding's. */
  const off = (x: number, ulps: number) => (Number.isFinite(x) ? round(x * (1 + jitter() * (ulps - 0.5) * ULP)) : x);
  const exp = (x: number) => (x < -200 ? 0 : off(Math.exp(x), 3 + 2 * Math.abs(x)));
  const log = (x: number) => {
    if (x < 0.5 || x > 2) return off(Math.log(x), 3);
    return round(Math.log(x) + jitter() * 0.9 * 2 ** -21);
  };
  const divide = (a: number, b: number) => off(a / b, 2.5);
  const add = (terms: number, term: (k: number) => number) => total(terms, term, arithmetic.order, round);
  if (fed !== undefined) return node.dtype === "int32" ? fed : fed.map(round);
  if (node.dtype === "int32") return evaluate(node, operands);

  switch (node.op) {
    case "div":
      return each(node, operands, divide);
    case "sqrt":
      return each(node, operands, (a) => off(Math.sqrt(a), 4.5));
    case "exp":
      return each(node, operands, exp);
    case "log":
      return each(node, operands, log);
    case "tanh":
      return each(node, operands, (x) => {
        const a = Math.abs(x);
        if (a >= 0.625) return Math.sign(x) * round(1 - divide(2, round(exp(2 * Math.min(a, 20)) + 1)));
        const z = round(x * x);
        let p = Math.fround(-5.70498872745e-3);
        for (const c of [2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1]) {
          p = round(Math.fround(c) + round(z * p));
        }
        return round(x + round(round(x * z) * p));
      });
    case "sigmoid":
      return each(node, operands, (x) => {
        const e = exp(-Math.abs(x));
        return divide(x < 0 ? e : 1, round(1 + e));
      });
    case "sum": {
      const [x] = operands as [Numbers];
      const out = new Float64Array(fill(node));
      overAxis(node.operands[0] as Tensor, node, (at, length, result) => {
        out[result] = add(length, (k) => x[at(k)] as number);
      });
      return out;
    }
    case "matmul":
      return product(node, operands, arithmetic, round);
    case "softmax":
    case "logSoftmax": {
      const [x] = operands as [Numbers];
      const out = new Float64Array(x.length);
      overAxis(node, node, (at, length) => {
        let max = Number.NEGATIVE_INFINITY;
        for (let k = 0; k < length; k++) max = Math.max(max, x[at(k)] as number);
        const shifted = Array.from({ length }, (_, k) => round((x[at(k)] as number) - max));
        const e = shifted.map(exp);
        const sum = add(length, (k) => e[k] as number);
        for (let k = 0; k < length; k++) {
          out[at(k)] = node.op === "softmax" ? divide(e[k] as number, sum) : round((shifted[k] as number) - log(sum));
        }
      });
      return out;
    }
    default:
      return evaluate(node, operands).map(round);
  }
}

function fill({ shape }: Tensor): number {
  return shape.reduce((a, b) => a * b, 1);
}

function each(node: Tensor, operands: readonly Numbers[], rule: (a: number, b: number) => number): Numbers {
  if (elementwiseRow(node.op) === null) throw new Error(`${node.op} is not elementwise`);
  const [a, b = a] = operands.map((operand, i) => spread(operand, (node.operands[i] as Tensor).shape, node.shape)) as [
    Numbers,
    Numbers?,
  ];
  return new Float64Array(fill(node)).map((_, i) => rule(a[i] as number, b[i] as number));
}

function overAxis(
  x: Tensor,
  node: Tensor,
  row: (at: (k: number) => number, length: number, result: number) => void,
): void {
  const { outer, length, inner } = splitShape(x.shape, node.attributes.from ?? 0, node.attributes.to ?? 0);
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) row((k) => (o * length + k) * inner + i, length, o * inner + i);
  }
}

function product(
  node: Tensor,
  operands: readonly Numbers[],
  arithmetic: Arithmetic,
  round: (x: number) => number,
): Numbers {
  const { fused, order, narrow = (x) => x } = arithmetic;
  const [a, b] = operands.map((operand) => operand.map(narrow)) as [Numbers, Numbers];
  const [aShape, bShape] = node.operands.map(({ shape }) => shape) as [Shape, Shape];
  const { batch, M, N, K } = contractionSizes(aShape, bShape, node.attributes);
  const out = new Float64Array(batch * M * N);
  for (let m = 0; m < batch * M; m++) {
    const block = Math.floor(m / M) * K;
    for (let n = 0; n < N; n++) {
      const term = (k: number) => (a[m * K + k] as number) * (b[(block + k) * N + n] as number);
      out[m * N + n] = total(K, fused ? term : (k) => round(term(k)), order, round);
    }
  }
  return out;
}

function total(terms: number, term: (k: number) => number, order: Order, round: (x: number) => number): number {
  switch (order) {
    case "forward": {
      let sum = 0;
      for (let k = 0; k < terms; k++) sum = round(sum + term(k));
      return sum;
    }
    case "backward": {
      let sum = 0;
      for (let k = terms - 1; k >= 0; k--) sum = round(sum + term(k));
      return sum;
    }
    case "lanes": {
      const lanes = new Array<number>(Math.min(8, terms)).fill(0);
      for (let k = 0; k < terms; k++) lanes[k % lanes.length] = round((lanes[k % lanes.length] as number) + term(k));
      return total(lanes.length, (k) => lanes[k] as number, "forward", round);
    }
    case "pairwise": {
      let sums = Array.from({ length: terms }, (_, k) => round(term(k)));
      while (sums.length > 1) {
        sums = Array.from({ length: Math.ceil(sums.length / 2) }, (_, i) =>
          2 * i + 1 < sums.length
            ? round((sums[2 * i] as number) + (sums[2 * i + 1] as number))
            : (sums[2 * i] as number),
        );
      }
      return sums[0] as number;
    }
    default:
      return order satisfies never;
  }
}
