import { constant, grad, input, iota, parameter, type Shape, scan, type Tensor } from "../../../index";
import { integers, normal, sizeOf } from "../numbers";
import type { Case } from "./case";

export const SCAN_CASES: Case[] = [];

type Named = Record<string, Tensor>;

/** Float32 inputs of these shapes, half as large as normal numbers, and what is made of them. */
function add(
  name: string,
  shapes: Record<string, Shape>,
  build: (x: Named) => Named,
  op: "scan" | "item" = "scan",
): void {
  const inputs = Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, input(shape)]));
  SCAN_CASES.push({
    op,
    name: `${op}: ${name}`,
    program: { inputs, parameters: {}, outputs: build(inputs) },
    parameters: {},
    inputs: Object.fromEntries(
      Object.entries(shapes).map(([name, shape], i) => [name, normal(sizeOf(shape), 900 + i).map((x) => x / 2)]),
    ),
  });
}

/** The derivatives of a loss in each of these, by name. */
function derivatives(loss: Tensor, wrt: Named): Named {
  const names = Object.keys(wrt);
  return Object.fromEntries(grad(loss, Object.values(wrt)).map((g, i) => [`d${names[i]}`, g]));
}

const average = (decay: Tensor | number, init: Tensor, xs: Tensor, reverse = false) =>
  scan(
    ({ m }, x) => {
      const next = m.mul(decay).add(x);
      return { carry: { m: next }, y: next };
    },
    { m: init },
    xs,
    { reverse },
  );

/** tanh(x w + h u + b), as an RNN's step. */
const recurrent = ({ w, u, b }: Named, h: Named, xs: Tensor, reverse = false) =>
  scan(
    ({ h }, x) => {
      const next = x
        .matmul(w as Tensor)
        .add((h as Tensor).matmul(u as Tensor))
        .add(b as Tensor)
        .tanh();
      return { carry: { h: next }, y: next };
    },
    h,
    xs,
    { reverse },
  );

for (const T of [1, 37]) {
  add(`a moving average of ${T}`, { m: [], xs: [T] }, ({ m, xs }) => {
    const { carry, ys } = average(0.9, m as Tensor, xs as Tensor);
    const loss = ys
      .square()
      .sum()
      .add(carry.m as Tensor);
    return { ...carry, ys, ...derivatives(loss, { m: m as Tensor, xs: xs as Tensor }) };
  });
}

add("a decay that is learned, to the second order", { m: [3], d: [3], xs: [5, 3] }, ({ m, d, xs }) => {
  const of = { m: m as Tensor, d: d as Tensor, xs: xs as Tensor };
  const loss = average(of.d, of.m, of.xs, true).ys.square().sum();
  const first = derivatives(loss, of);
  const squares = Object.values(first).map((g) => g.square().sum());
  const second = derivatives(
    squares.reduce((a, b) => a.add(b)),
    of,
  );
  return { ...first, ...Object.fromEntries(Object.entries(second).map(([name, g]) => [`d${name}`, g])) };
});

for (const [reverse, [T, B, D, H]] of [
  [false, [6, 3, 4, 5]],
  [true, [3, 2, 5, 9]],
] as const) {
  const shapes = { h: [B, H], w: [D, H], u: [H, H], b: [H], xs: [T, B, D] };
  add(`an RNN${reverse ? " the other way round" : ""}, [${T}, ${B}, ${D}] to ${H}`, shapes, (x) => {
    const { carry, ys } = recurrent(x, { h: x.h as Tensor }, x.xs as Tensor, reverse);
    const slopes = () => derivatives(ys.sum().add((carry.h as Tensor).square().sum()), x);
    return { ...carry, ys, ...(reverse && slopes()) };
  });
}

add("an LSTM", { h: [2, 3], c: [2, 3], w: [4, 12], u: [12, 3], b: [12], xs: [5, 2, 4] }, (x) => {
  const { h, c, w, u, b, xs } = x as { [K in "h" | "c" | "w" | "u" | "b" | "xs"]: Tensor };
  const { carry, ys } = scan(
    ({ h, c }, x) => {
      const gates = x.matmul(w).add(h.matmul(u.T)).add(b);
      const gate = (i: number) => gates.slice(1, 3 * i, 3 * i + 3);
      const next = gate(1)
        .sigmoid()
        .mul(c)
        .add(gate(0).sigmoid().mul(gate(2).tanh()));
      const out = gate(3).sigmoid().mul(next.tanh());
      return { carry: { h: out, c: next }, y: out };
    },
    { h, c },
    xs,
  );
  return { ...carry, ys, ...derivatives(ys.square().sum().add(carry.c.sum()), x) };
});

add(
  "the last carry alone",
  { h: [4], xs: [9, 4] },
  ({ h, xs }) => scan(({ h }, x) => ({ carry: { h: h.mul(x).add(1) }, y: x }), { h: h as Tensor }, xs as Tensor).carry,
  "item",
);
add(
  "steps that ignore x, or the carry",
  { h: [3], xs: [4, 3] },
  ({ h, xs }) => {
    const still = scan(({ h }) => ({ carry: { h: h.mul(0.5) }, y: h }), { h: h as Tensor }, xs as Tensor);
    const fresh = scan((_, x) => ({ carry: { h: x }, y: x.exp() }), { h: h as Tensor }, xs as Tensor);
    const loss = still.ys
      .square()
      .sum()
      .add(fresh.ys.sum())
      .add((fresh.carry.h as Tensor).sum());
    return {
      still: still.ys,
      last: fresh.carry.h as Tensor,
      fresh: fresh.ys,
      ...derivatives(loss, { h, xs } as Named),
    };
  },
  "item",
);

// Reductions along rows, one to a number, and a number that every element reads.
add("a softmax and a mean in each step", { h: [3, 7], xs: [4, 3, 7] }, ({ h, xs }) => {
  const { carry, ys } = scan(
    ({ h, s }, x) => {
      const p = h.add(x).softmax();
      const mean = p.mul(x).sum();
      return { carry: { h: p.mul(mean.add(s)).add(x), s: mean }, y: p.max(1).mul(s) };
    },
    { h: h as Tensor, s: constant([1], []) },
    xs as Tensor,
  );
  return { ...carry, ys, ...derivatives(ys.sum().add((carry.h as Tensor).square().sum()), { h, xs } as Named) };
});

add("a scan in each step of a scan", { h: [2], xs: [3, 4, 2] }, ({ h, xs }) => {
  const { carry, ys } = scan(
    ({ h }, x) => {
      const inner = average(0.5, h, x.mul(h));
      return { carry: { h: inner.carry.m as Tensor }, y: inner.ys.sum(0) };
    },
    { h: h as Tensor },
    xs as Tensor,
  );
  return { ...carry, ys, ...derivatives(ys.square().sum(), { h, xs } as Named) };
});

{
  const [tokens, table, h] = [input([6, 2], "int32"), input([5, 3]), input([2, 3])];
  const { carry, ys } = scan(
    ({ h }, x) => {
      const next = h.mul(0.5).add(table.take(x)).tanh();
      return { carry: { h: next }, y: next.argmax(1).add(iota(2)) };
    },
    { h },
    tokens,
  );
  SCAN_CASES.push({
    op: "scan",
    name: "scan: integers in and out",
    program: {
      inputs: { tokens, table, h },
      parameters: {},
      outputs: { ...carry, ys, ...derivatives(carry.h.square().sum(), { table, h }) },
    },
    parameters: {},
    inputs: { tokens: integers(12, 5, 3), table: normal(15, 5), h: normal(6, 7) },
  });
}

{
  const [xs, target] = [input([4, 3, 2]), input([3, 5])];
  const weights = { w: parameter([2, 5]), u: parameter([5, 5]), b: parameter([5]) };
  const zero = constant(new Float32Array(15), [3, 5]);
  const { carry } = recurrent(weights, { h: zero }, xs);
  const loss = (carry.h as Tensor).sub(target).square().mean();
  const slopes = derivatives(loss, weights);
  SCAN_CASES.push({
    op: "scan",
    name: "scan: a step of training",
    program: {
      inputs: { xs, target },
      parameters: weights,
      outputs: { loss, h: carry.h as Tensor },
      updates: Object.fromEntries(
        Object.entries(weights).map(([name, w]) => [name, w.sub((slopes[`d${name}`] as Tensor).mul(0.1))]),
      ),
    },
    parameters: Object.fromEntries(
      Object.entries(weights).map(([name, { shape }], i) => [name, normal(sizeOf(shape), 40 + i).map((x) => x / 2)]),
    ),
    inputs: { xs: normal(24, 50), target: normal(15, 51) },
  });
}
