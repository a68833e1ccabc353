import { describe, expect, test } from "vitest";
import {
  constant,
  grad,
  input,
  parameter,
  reference,
  type Shape,
  ShapeError,
  scan,
  type Tensor,
} from "../../src/index";
import { sizeOf } from "../../src/util/shape";
import { normal } from "./numbers";

/** The outputs of one step in float64. */
function values(outputs: Record<string, Tensor>, parameters: Record<string, Tensor>, given: Record<string, number[]>) {
  const session = reference({ inputs: {}, parameters, outputs });
  session.write(given);
  return Object.fromEntries(Object.entries(session.run({})).map(([name, value]) => [name, Array.from(value)]));
}

const numbers = (shape: Shape, seed: number) => Array.from(normal(sizeOf(shape), seed));

describe("scan", () => {
  test("is an exponential moving average, either way round", () => {
    const xs = parameter([4]);
    const average = (reverse: boolean) =>
      scan(({ m }, x) => ({ carry: { m: m.mul(0.5).add(x) }, y: m }), { m: constant([8], []) }, xs, { reverse });
    const [there, back] = [average(false), average(true)];
    const got = values(
      { m: there.carry.m as Tensor, ys: there.ys, n: back.carry.m as Tensor, zs: back.ys },
      { xs },
      { xs: [1, 2, 3, 4] },
    );
    expect(got).toEqual({ m: [6.625], ys: [8, 5, 4.5, 5.25], n: [3.75], zs: [5.5, 7, 8, 8] });
  });

  test("gives what its steps written out give, and their derivatives", () => {
    const [T, B, H] = [5, 2, 3];
    const p = {
      xs: parameter([T, B, 2]),
      h: parameter([B, H]),
      w: parameter([2, H]),
      u: parameter([H, H]),
      b: parameter([H]),
    };
    const step = (h: Tensor, c: Tensor, x: Tensor) => {
      const gate = x.matmul(p.w).add(h.matmul(p.u.T)).add(p.b).tanh();
      const next = c.mul(gate.sigmoid()).add(gate);
      return { h: gate.mul(next), c: next };
    };
    const looped = scan(
      ({ h, c }, x) => {
        const next = step(h, c, x);
        return { carry: next, y: next.h.mul(2) };
      },
      { h: p.h, c: p.h.mul(0.5) },
      p.xs,
    );
    let [h, c] = [p.h, p.h.mul(0.5)] as [Tensor, Tensor];
    let plain: Tensor = constant([0], []);
    const weights = constant(normal(T * B * H, 3), [T, B, H]);
    for (let t = 0; t < T; t++) {
      ({ h, c } = step(h, c, p.xs.slice(0, t, t + 1).reshape([B, 2])));
      plain = plain.add(
        h
          .mul(2)
          .mul(weights.slice(0, t, t + 1).reshape([B, H]))
          .sum(),
      );
    }
    const { carry, ys } = looped;
    const wrt = Object.values(p);
    const squares = (loss: Tensor) =>
      grad(loss, wrt)
        .map((g) => g.square().sum())
        .reduce((a, b) => a.add(b));
    const losses = [
      ys
        .mul(weights)
        .sum()
        .add((carry.h as Tensor).sum())
        .add((carry.c as Tensor).square().sum()),
      plain.add(h.sum()).add(c.square().sum()),
    ] as const;
    const all = (loss: Tensor) => {
      const second = squares(loss);
      return Object.fromEntries(
        [loss, ...grad(loss, wrt), second, ...grad(second, wrt), ...grad(squares(second), wrt)].map((x, i) => [
          `${i}`,
          x,
        ]),
      );
    };
    const given = Object.fromEntries(
      Object.entries(p).map(([name, { shape }], i) => [name, numbers(shape, i + 1).map((x) => x / 2)]),
    );
    const [scanned, written] = losses.map((loss) => values(all(loss), p, given)) as [
      Record<string, number[]>,
      Record<string, number[]>,
    ];
    for (const [name, expected] of Object.entries(written)) {
      expected.forEach((value, i) => {
        expect(scanned[name]?.[i]).toBeCloseTo(value, 8);
      });
      expect(expected.some((value) => value !== 0)).toBe(true);
    }
  });
});

test("what is closed over as a product's factor is derived by one product of all steps", () => {
  const [T, B, H] = [4, 3, 5];
  const p = { xs: parameter([T, B, H]), w: parameter([H, H]), k: parameter([H, H]), b: parameter([H]) };
  // w stands on both sides and is turned; k is multiplied with what is the same in all steps; b is added and is a factor.
  const step = (h: Tensor, x: Tensor) =>
    x
      .matmul(p.w)
      .add(h.matmul(p.w.T))
      .add(p.w.matmul(h.T).T.mul(0.5))
      .add(p.k.matmul(p.w).sum(0))
      .add(p.b)
      .mul(p.b)
      .tanh();
  const { ys } = scan(
    ({ h }, x) => {
      const next = step(h as Tensor, x);
      return { carry: { h: next }, y: next };
    },
    { h: constant(new Array(B * H).fill(0.1), [B, H]) },
    p.xs,
    { reverse: true },
  );
  let h: Tensor = constant(new Array(B * H).fill(0.1), [B, H]);
  let plain: Tensor = constant([0], []);
  for (let t = T - 1; t >= 0; t--) {
    h = step(h, p.xs.slice(0, t, t + 1).reshape([B, H]));
    plain = plain.add(h.square().sum());
  }
  const wrt = Object.values(p);
  const [scanned, written] = [ys.square().sum(), plain].map((loss) => grad(loss, wrt)) as [Tensor[], Tensor[]];
  const given = Object.fromEntries(
    Object.entries(p).map(([name, { shape }], i) => [name, numbers(shape, i + 7).map((x) => x / 3)]),
  );
  const named = (all: Tensor[]) => Object.fromEntries(all.map((x, i) => [`${i}`, x]));
  const [got, expected] = [values(named(scanned), p, given), values(named(written), p, given)];
  for (const [name, want] of Object.entries(expected)) {
    want.forEach((value, i) => {
      expect(got[name]?.[i]).toBeCloseTo(value, 8);
    });
  }
});

describe("a scan refuses", () => {
  const xs = input([3, 2]);
  const h = input([2]);
  const go = (step: unknown, init: unknown = { h }, over: unknown = xs, options: unknown = {}) =>
    scan(step as never, init as never, over as never, options as never);
  test.each([
    [
      "a carry that changes its shape",
      () => go((_c: unknown, x: Tensor) => ({ carry: { h: x.reshape([2, 1]) }, y: x })),
      ShapeError,
      '"h" is [2] in init and [2, 1] after a step',
    ],
    ["a carry that is missing", () => go((_c: unknown, x: Tensor) => ({ carry: {}, y: x })), TypeError, 'no carry "h"'],
    [
      "a carry that is new",
      () => go((c: object, x: Tensor) => ({ carry: { ...c, k: x }, y: x })),
      TypeError,
      'a carry "k"',
    ],
    ["a step without y", () => go((carry: unknown) => ({ carry })), TypeError, "y that is undefined"],
    ["a step that gives nothing", () => go(() => undefined), TypeError, "it must give {carry, y}"],
    ["integers as a carry", () => go(() => undefined, { h: input([2], "int32") }), TypeError, "carries are float32"],
    ["xs without an axis", () => go(() => undefined, { h }, input([])), ShapeError, "xs is a scalar"],
    ["no step", () => go(1), TypeError, "it must be a function"],
    ["an option that it does not have", () => go(() => undefined, { h }, xs, { unroll: 2 }), TypeError, "unroll"],
    [
      "a tensor of its step outside",
      () => {
        let inner = xs;
        go((carry: unknown, x: Tensor) => {
          inner = x.mul(2);
          return { carry, y: x };
        });
        reference({ inputs: { xs, h }, parameters: {}, outputs: { inner } });
      },
      TypeError,
      "made within the step of a scan is used outside",
    ],
  ])("%s", (_name, wrong, type, message) => {
    expect(wrong).toThrow(type);
    expect(wrong).toThrow(message);
  });
});
