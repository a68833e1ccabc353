import { grad, input, parameter, type Tensor } from "../../../index";
import type { Given } from "../fed";
import { normal } from "../numbers";
import { caseList } from "./case";
import { BINARY, UNARY } from "./elementwise";
import { TRANSPOSITIONS } from "./products";
import { argmax, max, sum } from "./reductions";

/** What is not finite. A run takes no such numbers: they come of divisions. */
const { cases, add, draw, drawIntegers } = caseList(1020);
export const NOT_FINITE = cases;

const FRACTIONS: [numerator: number, denominator: number][] = [
  [0, 0],
  [1, 0],
  [-1, 0],
  [0, 1],
  [-0, 1],
  [0.3, 1],
  [1, 1],
  [-1.5, 1],
  [3e38, 1],
  [-3e38, 1],
];
type Fraction = (typeof FRACTIONS)[number];
const [NAN, INFINITE, NEGATIVE] = FRACTIONS as [Fraction, Fraction, Fraction];
const divided = (shape: readonly number[], fractions: readonly Fraction[]): [Given, Given] => [
  [shape, fractions.map(([numerator]) => numerator)],
  [shape, fractions.map(([, denominator]) => denominator)],
];
const strange = (op: string, name: string, build: (...inputs: Tensor[]) => Tensor, ...given: Given[]) =>
  add(op, `not finite: ${name}`, build, ...given);

const n = FRACTIONS.length;
for (const [op, build] of Object.entries({
  ...UNARY,
  sqrt: (x: Tensor) => x.sqrt(),
  log: (x: Tensor) => x.log(),
  log1p: (x: Tensor) => x.log1p(),
  toInt32: (x: Tensor) => x.toInt32(),
})) {
  strange(op, "each", (a, b) => build(a.div(b)), ...divided([n], FRACTIONS));
}
for (const [op, build] of Object.entries(BINARY)) {
  const [rows, columns] = [divided([n, 1], FRACTIONS), divided([1, n], FRACTIONS)];
  strange(op, "each with each", (a, b, c, d) => build(a.div(b), c.div(d)), ...rows, ...columns);
}
const each = divided([n], FRACTIONS);
strange("mul", "by the number 0", (a, b) => a.div(b).mul(0), ...each);
strange("sub", "from itself", (a, b) => a.div(b).sub(a.div(b)), ...each);
strange("eq", "with itself", (a, b) => a.div(b).eq(a.div(b)), ...each);
strange("maximum", "with a number", (a, b) => a.div(b).maximum(1), ...each);
strange("minimum", "with a number", (a, b) => a.div(b).minimum(1), ...each);
strange("exp", "of a logarithm", (a, b) => a.div(b).log().exp(), ...each);
strange("relu", "gradient", (a, b) => grad(a.div(b).relu().square().sum(), [a])[0] as Tensor, ...each);
strange(
  "minimum",
  "a gradient of 0, clipped by its norm",
  (g, c) => {
    const norm = g.square().sum().sqrt();
    return g.mul(c.div(norm).minimum(1));
  },
  [[3], [0, 0, 0]],
  [[], [0]],
);

/** Rows of ordinary numbers with one that is not first, in the middle and last; with two; and with nothing else. */
function strangeRows(length: number): [number, Fraction[]] {
  const last = length - 1;
  const row = (set: Record<number, Fraction>, rest?: Fraction) =>
    Array.from({ length }, (_, l): Fraction => set[l] ?? rest ?? [(l % 5) - 1.5, 1]);
  const rows = [
    ...[0, length >> 1, last].flatMap((at) => [NAN, INFINITE, NEGATIVE].map((fraction) => row({ [at]: fraction }))),
    ...[NAN, INFINITE, NEGATIVE].map((fraction) => row({}, fraction)),
    row({ 0: INFINITE, [last]: NEGATIVE }),
    row({ 0: INFINITE, [last]: NAN }),
    row({ [length >> 1]: NAN, [last]: NAN }, NEGATIVE),
    row({ [last]: [1, 1] }, NEGATIVE),
  ];
  return [rows.length, rows.flat()];
}
for (const length of [1, 2, 5, 17, 40, 1100]) {
  const [rows, fractions] = strangeRows(length);
  const given = divided([rows, length], fractions);
  for (const [op, build] of Object.entries({
    sum,
    max,
    argmax,
    softmax: (x: Tensor, axis?: number) => x.softmax(axis),
    logSoftmax: (x: Tensor, axis?: number) => x.logSoftmax(axis),
  })) {
    strange(op, `rows of ${length}`, (a, b) => build(a.div(b), 1), ...given);
    strange(op, `columns of ${length}`, (a, b) => build(a.T.div(b.T), 0), ...given);
  }
  strange("max", `gradient, rows of ${length}`, (a, b) => grad(a.div(b).max(1).sum(), [a])[0] as Tensor, ...given);
}
for (const size of [7, 300, 5000]) {
  for (const [name, fraction] of [
    ["NaN", NAN],
    ["infinity", INFINITE],
  ] as const) {
    const given = divided(
      [size, 1],
      Array.from({ length: size }, (_, i) => (i === size - 2 ? fraction : [-i, 1])),
    );
    strange("max", `all of ${size}, one ${name}`, (a, b) => a.div(b).max().add(1), ...given);
    strange("sum", `all of ${size}, one ${name}`, (a, b) => a.div(b).sum().mul(2), ...given);
    strange(
      "max",
      `a product of ${size} rows, one ${name}`,
      (a, b, w) => a.div(b).matmul(w).max(),
      ...given,
      draw(1, 3),
    );
  }
  const lowest = divided([size, 1], new Array<Fraction>(size).fill(NEGATIVE));
  strange("max", `all of ${size}, which are -infinity`, (a, b) => a.div(b).max().add(1), ...lowest);
  strange("max", `a product of ${size} rows, all -infinity`, (a, b, w) => a.div(b).matmul(w).max(), ...lowest, [
    [1, 3],
    [1, 2, 3],
  ]);
}
for (const [name, build, ofA, ofB] of TRANSPOSITIONS) {
  for (const [M, N, K] of [
    [1, 1, 1],
    [5, 7, 3],
    [33, 17, 65],
    [64, 64, 64],
  ] as const) {
    const of = (rows: number, columns: number, kinds: readonly Fraction[]) =>
      divided(
        [rows, columns],
        Array.from({ length: rows * columns }, (_, i) => kinds[i] ?? [(i % 7) - 3, 1]),
      );
    const a = ofA ? of(K, M, [NAN, INFINITE, NEGATIVE]) : of(M, K, [NAN, [2, 1], INFINITE]);
    const b = ofB ? of(N, K, [[1, 1]]) : of(K, N, [[1, 1], NEGATIVE]);
    strange("matmul", `${name}, M ${M}, N ${N}, K ${K}`, (a, c, b, d) => build(a.div(c), b.div(d)), ...a, ...b);
  }
}
strange(
  "take",
  "rows",
  (a, b, i) =>
    a
      .div(b)
      .reshape([n / 2, 2])
      .take(i),
  ...each,
  drawIntegers(n / 2, 9),
);
{
  const [x, d, w] = [input([24, 3]), input([24, 3]), parameter([3, 4])];
  const [, fractions] = strangeRows(3);
  const padded = Array.from({ length: 72 }, (_, i): Fraction => fractions[i] ?? [i % 3, 1]);
  const h = x.div(d).matmul(w);
  const step = (name: string, y: Tensor, update: Tensor) =>
    cases.push({
      op: "parameter",
      name: `parameter: not finite: ${name}`,
      parameters: { w: normal(12, 11) },
      inputs: { x: padded.map(([numerator]) => numerator), d: padded.map(([, denominator]) => denominator) },
      program: { inputs: { x, d }, parameters: { w }, outputs: { y }, updates: { w: update } },
    });
  const trained = (name: string, value: Tensor) => {
    const loss = value.mean();
    step(name, loss, w.sub((grad(loss, [w])[0] as Tensor).mul(0.1)));
  };
  trained("a layer with relu", h.relu());
  trained("a layer with tanh", h.tanh());
  trained(
    "a cross entropy",
    h
      .logSoftmax()
      .mul(x.sum(1, { keepDims: true }))
      .neg(),
  );
  trained("the largest of each row", h.max(1));
  step("the index of the largest", h.argmax(1).toFloat32().sum(), w.sub(h.max(0).reshape([1, 4]).maximum(w)));
  step("the largest of all", h.max(), w.sub(h.max()));
}
