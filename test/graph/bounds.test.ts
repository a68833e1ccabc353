import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Bounded, BY, stepBounds } from "../../src/cpu/bounds";
import { ERRORS } from "../../src/cpu/errors";
import { compareStep } from "../../src/cpu/parity";
import { OPS } from "../../src/graph/ops";
import { constant, input, type Program, parameter, type Tensor, type Values } from "../../src/index";
import { fed } from "./fed";
import { type Arithmetic, float32Step, IEEE, ORDERS, worstRatio } from "./float32";
import { integers, normal, uniform } from "./numbers";
import { randomGraphs } from "./random-graphs";

const U = 2 ** -24;

/** The bounds of one result of the given inputs. */
function boundsOf(
  build: (...inputs: Tensor[]) => Tensor,
  ...given: [shape: readonly number[], values: Values][]
): Bounded {
  const { program, inputs } = fed(build, ...given);
  return stepBounds(program, {}, inputs).outputs.y as Bounded;
}

describe("any correct float32 arithmetic stays within the bounds", () => {
  test("on random graphs, in four orders, fused or not, flushing or not, using up every tolerance", () => {
    let unbounded = 0;
    let elements = 0;
    fc.assert(
      fc.property(randomGraphs, fc.nat(1000), ({ program, parameters, inputs, steps }, seed) => {
        const bounds = stepBounds(program, parameters, inputs);
        const next = uniform(seed);
        for (const order of ORDERS) {
          const jitter = () => (order === "pairwise" ? Math.sign(next() - 0.5) : 2 * next() - 1);
          const arithmetic = { order, fused: next() < 0.5, flush: next() < 0.5, jitter };
          const report = compareStep(program, bounds, float32Step(program, parameters, inputs, arithmetic));
          if (!report.ok) throw new Error(`${steps.join(" ")}\n${report}`);
          unbounded += report.rows.reduce((sum, row) => sum + row.unbounded, 0);
          elements += Object.values(bounds.outputs).reduce((sum, { values }) => sum + values.length, 0);
        }
      }),
      { numRuns: 300, seed: 7 },
    );
    // A bound of Infinity is kept by anything: among such graphs it is an exception.
    expect(unbounded / elements).toBeLessThan(0.01);
  });

  const magnitudes = [0, 1e-42, 1e-38, 1e-30, 1e-8, 0.1, 0.6249, 0.625, 1, 2, 7, 30, 88.7, 89, 104, 1e4, 3e38];
  const extremes = Float32Array.from([...magnitudes, ...magnitudes.map((x) => -x)]);
  const unary: Record<string, (x: Tensor) => Tensor> = {
    exp: (x) => x.exp(),
    log: (x) => x.abs().log(),
    sqrt: (x) => x.abs().sqrt(),
    tanh: (x) => x.tanh(),
    sigmoid: (x) => x.sigmoid(),
    softmax: (x) => x.softmax(),
    logSoftmax: (x) => x.logSoftmax(),
    square: (x) => x.square(),
    "division by it": (x) => x.mul(0).add(3).div(x),
    "division of it": (x) => x.div(3),
    "comparison with 0": (x) => x.gt(0),
    relu: (x) => x.relu(),
  };
  for (const [name, build] of Object.entries(unary)) {
    test(`at extreme values: ${name}`, () => {
      const { program, inputs } = fed(build, [[extremes.length], extremes]);
      for (const flush of [false, true]) {
        for (const lean of [-1, 0, 1]) {
          const arithmetic: Arithmetic = { ...IEEE, flush, jitter: () => lean };
          const report = compareStep(
            program,
            stepBounds(program, {}, inputs),
            float32Step(program, {}, inputs, arithmetic),
          );
          if (!report.ok) throw new Error(String(report));
        }
      }
    });
  }

  test("where errors of many rounds have grown", () => {
    const [x, w] = [input([8]), parameter([8])];
    let h: Tensor = x;
    for (let i = 0; i < 40; i++) h = h.mul(w).add(0.1).tanh();
    const program: Program = { inputs: { x }, parameters: { w }, outputs: { h }, updates: { w: w.sub(h.mul(0.1)) } };
    const [parameters, inputs] = [{ w: normal(8, 1) }, { x: normal(8, 2) }];
    const next = uniform(3);
    const got = float32Step(program, parameters, inputs, { ...IEEE, jitter: () => 2 * next() - 1 });
    expect(compareStep(program, stepBounds(program, parameters, inputs), got).ok).toBe(true);
  });
});

describe("the bounds are sharp", () => {
  const narrowed = (bits: number) => (x: number) => {
    const unit = 2 ** (Math.floor(Math.log2(Math.abs(x))) - bits);
    return x === 0 ? 0 : Math.round(x / unit) * unit;
  };
  function product(K: number) {
    const [a, b] = [normal(16 * K, 1), normal(K * 16, 2)];
    return fed((x, y) => x.matmul(y), [[16, K], a], [[K, 16], b]);
  }
  function ratio({ program, inputs }: ReturnType<typeof fed>, arithmetic: Partial<Arithmetic>): number {
    const got = float32Step(program, {}, inputs, { ...IEEE, ...arithmetic }).outputs.y as Float32Array;
    return worstRatio(stepBounds(program, {}, inputs).outputs.y as Bounded, got);
  }

  // What was measured stands beside: the largest error/bound of 256 elements of normal numbers.
  for (const [K, tf32, bfloat16] of [
    [16, 359, 2715],
    [64, 48, 363],
    [256, 10.9, 92],
    [1024, 2.5, 25],
  ] as const) {
    test(`a matrix product of K = ${K} with operands of 10 or 7 bits is found out`, () => {
      const step = product(K);
      expect(ratio(step, {})).toBeLessThan(0.2);
      expect(ratio(step, { narrow: narrowed(10) })).toBeGreaterThan(tf32 / 1.5);
      expect(ratio(step, { narrow: narrowed(7) })).toBeGreaterThan(bfloat16 / 1.5);
    });
  }

  test("a matrix product of K = 4096 is found out with 7 bits; with 10 bits it is not: 0.6 of the bound", () => {
    expect(ratio(product(4096), { narrow: narrowed(7) })).toBeGreaterThan(4);
    expect(ratio(product(4096), { narrow: narrowed(10) })).toBeLessThan(1);
  });

  for (const [length, times] of [
    [64, 1000],
    [1024, 15],
    [4096, 2],
  ] as const) {
    test(`a sum of ${length} without its last number is off by ${times} times its bound and more`, () => {
      const values = normal(33 * length, 3);
      const { values: sums, bounds } = boundsOf((x) => x.sum(1), [[33, length], values]);
      const ratios = Array.from(
        sums,
        (_, row) => Math.abs(values[(row + 1) * length - 1] as number) / (bounds[row] as number),
      );
      expect(ratios.sort((a, b) => a - b)[16]).toBeGreaterThan(times);
    });
  }

  test("one ULP too many in an elementwise product is found out", () => {
    const { values, bounds } = boundsOf((x, y) => x.mul(y), [[500], normal(500, 1)], [[500], normal(500, 2)]);
    for (let i = 0; i < 500; i++) expect(bounds[i]).toBeLessThanOrEqual(1.001 * U * Math.abs(values[i] as number));
  });

  test("one number added one by one: true rounding is not independent then, and still within the bound up to K = 1024", () => {
    const equal = fed((x) => x.sum(), [[1024], new Float32Array(1024).fill(0.1)]);
    expect(ratio(equal, {})).toBeGreaterThan(0.3);
    expect(ratio(equal, {})).toBeLessThan(1);
  });

  test("tanh, sigmoid and softmax stay within some ULP", () => {
    const x: [number[], Values] = [[5, 40], normal(200, 5)];
    for (const [build, ulps] of [
      [(t: Tensor) => t.tanh(), 9],
      [(t: Tensor) => t.sigmoid(), 12],
      [(t: Tensor) => t.softmax(), 50],
    ] as const) {
      const { values, bounds } = boundsOf(build, x);
      for (let i = 0; i < 200; i++) expect(bounds[i]).toBeLessThan(ulps * 2 * U * Math.abs(values[i] as number));
    }
  });
});

describe("exact operations have a bound of 0", () => {
  const x: [number[], Values] = [[3, 4], normal(12, 1)];
  const exact: Record<string, Bounded> = {
    views: boundsOf((t) => t.T.reshape([2, 6]).broadcastTo([3, 2, 6]), x),
    relu: boundsOf((t) => t.relu(), x),
    "abs and neg": boundsOf((t) => t.abs().neg(), x),
    max: boundsOf((t) => t.max(1), x),
    argmax: boundsOf((t) => t.argmax(1), x),
    comparisons: boundsOf((t) => t.gt(0).add(t.le(0.5)), x),
    mask: boundsOf((t) => t.mask(t.gt(0)), x),
    "the gradient of max": boundsOf((t) => t.eq(t.max(1, { keepDims: true })), x),
    "products by powers of two": boundsOf((t) => t.mul(0.25).mul(8), x),
    take: boundsOf((t, i) => t.take(i), x, [[5], integers(5, 3, 2)]),
    integers: boundsOf((i) => i.mul(3).sub(7).maximum(0).toFloat32(), [[5], integers(5, 100, 2)]),
    counts: boundsOf((t) => t.gt(0).sum(), x),
    "one-hot sums": boundsOf((i) => i.oneHot(3).sum(0), [[50], integers(50, 3, 2)]),
    "a product with one-hot rows": boundsOf((t, i) => i.oneHot(3).matmul(t), x, [[5], integers(5, 3, 2)]),
  };
  for (const [name, { bounds }] of Object.entries(exact)) {
    test(name, () => expect(Array.from(bounds)).toEqual(new Array(bounds.length).fill(0)));
  }
});

describe("where an error may turn a decision, the bound covers both results", () => {
  /** 3·0.1 - 0.3, which is 0 up to rounding, and what is far from 0. */
  const near: [number[], Values] = [[2], [0.1, 5]];
  const close = (t: Tensor) => t.mul(3).sub(Math.fround(0.1) * 3);

  test("a comparison: 1, and 0 where it is sure", () => {
    expect(Array.from(boundsOf((t) => close(t).gt(0), near).bounds)).toEqual([1, 0]);
    expect(Array.from(boundsOf((t) => close(t).eq(0), near).bounds)).toEqual([1, 0]);
  });
  test("a mask: the value itself", () => {
    const { bounds } = boundsOf((t) => t.mask(close(t).gt(0)), near);
    expect(bounds[0]).toBeGreaterThanOrEqual(Math.fround(0.1));
    expect(bounds[1]).toBe(0);
  });
  test("relu: no more than the error of what goes in", () => {
    const { bounds } = boundsOf((t) => close(t).relu(), near);
    expect(bounds[0]).toBeGreaterThan(0);
    expect(bounds[0]).toBeLessThan(1e-7);
  });
  test("argmax: the distance of the indices that may be chosen", () => {
    const { bounds } = boundsOf((t) => t.mul(3).argmax(0), [[4], [0.1, 0.05, Math.fround(0.1) + 2 ** -28, -1]]);
    expect(Array.from(bounds)).toEqual([2]);
  });
  test("toInt32: the neighbouring integer", () => {
    const { bounds } = boundsOf((t) => t.mul(3).toInt32(), [[3], [1 / 3, 0.4, 1.2]]);
    expect(Array.from(bounds)).toEqual([1, 0, 0]);
  });
  test("a row of take that may be another", () => {
    const { bounds } = boundsOf((t, u) => t.take(u.mul(3).toInt32()), [[2], [10, 14]], [[1], [1 / 3]]);
    expect(Array.from(bounds)).toEqual([4]);
  });
});

describe("where float32 ends", () => {
  test("what may overflow has no bound, and a device must be non-finite or huge there", () => {
    const { program, inputs } = fed((x) => x.exp(), [[3], [1, 88.7, 89]]);
    const bounds = stepBounds(program, {}, inputs);
    expect(Array.from((bounds.outputs.y as Bounded).bounds, Number.isFinite)).toEqual([true, true, false]);
    const at = (last: number) => {
      const y = Float32Array.of(Math.exp(1), Math.exp(88.7), last);
      return compareStep(program, bounds, { outputs: { y }, updates: {} }).ok;
    };
    expect([Number.POSITIVE_INFINITY, Number.NaN, 3.4e38].map(at)).toEqual([true, true, true]);
    expect([0, 1e30].map(at)).toEqual([false, false]);
  });
  test("a pole has no bound, and leaves a device no choice: log(0) is -infinity", () => {
    const { program, inputs } = fed((x) => x.log(), [[2], [0, 1]]);
    const bounds = stepBounds(program, {}, inputs);
    expect((bounds.outputs.y as Bounded).bounds[0]).toBe(Number.POSITIVE_INFINITY);
    const at = (pole: number) =>
      compareStep(program, bounds, { outputs: { y: Float32Array.of(pole, 0) }, updates: {} });
    expect(at(Number.NEGATIVE_INFINITY).ok).toBe(true);
    for (const wrong of [-88.03, Number.POSITIVE_INFINITY, Number.NaN]) expect(at(wrong).ok).toBe(false);
  });
  /** How the device's value of each element is judged: "NaN", "-Infinity", "±Infinity", a bound, or not at all. */
  function judged(build: (...inputs: Tensor[]) => Tensor, ...given: [shape: readonly number[], values: Values][]) {
    const { values, bounds, judged } = boundsOf(build, ...given);
    const names = ["bound", "kind", "±Infinity", "undecided", "nothing"];
    return Array.from(judged, (by, i) =>
      by === BY.kind ? String(values[i]) : by === BY.bound ? bounds[i] : names[by],
    );
  }
  const one: [number[], Values] = [[4], [0, 1, -1, 3]];
  const over: [number[], Values] = [[4], [0, 0, 0, 1]];
  /** NaN, infinity, -infinity, 3. */
  const fractions = (a: Tensor, b: Tensor) => a.div(b);
  test("NaN is NaN and infinity has its sign, through every operation that keeps them", () => {
    const through = (build: (x: Tensor) => Tensor) => judged((a, b) => build(fractions(a, b)), one, over);
    expect(through((x) => x).slice(0, 3)).toEqual(["NaN", "Infinity", "-Infinity"]);
    expect(through((x) => x.neg()).slice(0, 3)).toEqual(["NaN", "-Infinity", "Infinity"]);
    expect(through((x) => x.mul(2).add(1)).slice(0, 3)).toEqual(["NaN", "Infinity", "-Infinity"]);
    expect(through((x) => x.maximum(1)).slice(0, 3)).toEqual(["NaN", "Infinity", 0]);
    expect(through((x) => x.relu()).slice(0, 3)).toEqual(["NaN", "Infinity", 0]);
    expect(through((x) => x.gt(0))).toEqual([0, 0, 0, 0]);
    expect(through((x) => x.toInt32())).toEqual([0, 0, 0, "undecided"]);
    expect(through((x) => x.exp()).slice(0, 3)).toEqual(["NaN", "Infinity", 0]);
    expect(through((x) => x.log()).slice(0, 3)).toEqual(["NaN", "Infinity", "NaN"]);
    expect(through((x) => x.sub(x)).slice(0, 3)).toEqual(["NaN", "NaN", "NaN"]);
    expect(through((x) => x.max())).toEqual(["NaN"]);
    expect(through((x) => x.sum())).toEqual(["NaN"]);
    expect(through((x) => x.argmax(0))).toEqual([0]);
    expect(through((x) => x.softmax())).toEqual(["NaN", "NaN", "NaN", "NaN"]);
    expect(through((x) => x.reshape([2, 2]).matmul(constant([1, 0], [2, 1])))).toEqual(["NaN", "-Infinity"]);
  });
  test("an infinity among numbers is sure where they cannot overflow", () => {
    const sums = (last: number) => judged((a, b) => fractions(a, b).sum(), [[3], [1, 3e38, last]], [[3], [0, 1, 1]]);
    expect(sums(1)).toEqual(["Infinity"]);
    expect(sums(3e38)).toEqual(["nothing"]);
  });
  test("where errors may turn what is not finite into something else, nothing is said", () => {
    // 3·0.1 - 0.3 is 0 only up to rounding; 1e-40 may be flushed to 0.
    const close = (x: Tensor) => x.mul(3).sub(Math.fround(0.1) * 3);
    expect(judged((x) => close(x).log(), [[2], [0.1, -5]])).toEqual(["nothing", "NaN"]);
    expect(judged((x, y) => x.div(close(y)), [[1], [1]], [[1], [0.1]])).toEqual(["nothing"]);
    expect(judged((a, b, c) => fractions(a, b).mul(c), [[1], [1]], [[1], [0]], [[1], [1e-40]])).toEqual(["nothing"]);
    expect(judged((a) => a.exp().mul(0), [[1], [100]])).toEqual(["nothing"]);
    expect(judged((a, b) => a.exp().matmul(b), [[1, 1], [100]], [[1, 1], [0]])).toEqual(["nothing"]);
  });
  test("the sign of a zero that was computed is not asked for", () => {
    expect(judged((a, b) => a.div(b.sum()), [[1], [1]], [[2], [-0, -0]])).toEqual(["±Infinity"]);
    expect(judged((a, b) => a.div(b), [[2], [1, 1]], [[2], [0, -0]])).toEqual(["Infinity", "±Infinity"]);
  });
  test("a sum that may overflow in one order has no bound", () => {
    expect(boundsOf((x) => x.sum(), [[4], [3e38, 3e38, -3e38, -3e38]]).bounds[0]).toBe(Number.POSITIVE_INFINITY);
  });
  test("a pole has no bound: division by what may be 0, the logarithm of it", () => {
    const zeros: [number[], Values] = [[3], [0, 1e-40, 1]];
    for (const build of [(x: Tensor) => x.log(), (x: Tensor) => x.mul(0).add(1).div(x)]) {
      expect(Array.from(boundsOf(build, zeros).bounds, Number.isFinite)).toEqual([false, false, true]);
    }
  });
  test("the square root of a sum of squares has a bound at 0 too", () => {
    const { bounds } = boundsOf(
      (x) => x.square().sum(1).sqrt(),
      [
        [2, 2],
        [0, 0, 1e-30, 1e-30],
      ],
    );
    expect(bounds[0]).toBe(0);
    expect(bounds[1]).toBeLessThan(1e-18);
  });
  test("what a softmax may not see has a bound of nothing, and leaves the others theirs", () => {
    const { bounds } = boundsOf((x) => x.sub(1).add(1).softmax(), [[4], [1, 2, -1e30, 0]]);
    expect(bounds[2]).toBeLessThan(1e-37);
    expect(Math.max(...[0, 1, 3].map((i) => bounds[i] as number))).toBeLessThan(1e-5);
    const logs = boundsOf((x) => x.sub(1).add(1).logSoftmax(), [[4], [1, 2, -1e30, 0]]).bounds;
    expect(logs[0]).toBeLessThan(1e-5);
    expect(logs[2]).toBeGreaterThan(1e22);
    expect(logs[2]).toBeLessThan(1e25);
  });
  test("subnormals may be flushed to zero, and nothing more", () => {
    const { values, bounds } = boundsOf((x) => x.mul(1), [[2], [1e-40, 2 ** -90]]);
    expect(bounds[0]).toBeGreaterThanOrEqual(values[0] as number);
    expect(bounds[1]).toBe(0);
  });
});

test("every operation has a rule", () => {
  expect(Object.keys(ERRORS)).toEqual(Object.keys(OPS));
});
