import { describe, expect, test } from "vitest";
import { constant, grad, input, parameter, reference, type Tensor } from "../../src/index";

const list = (values: ArrayLike<number> | undefined) => Array.from(values ?? []);

describe("the reference", () => {
  test("starts parameters at zero", () => {
    const w = parameter([2]);
    expect(list(reference({ inputs: {}, parameters: { w }, outputs: { y: w.add(1) } }).run({}).y)).toEqual([1, 1]);
  });

  test("replaces parameters all at once: two are swapped", () => {
    const [a, b] = [parameter([2]), parameter([2])];
    const session = reference({ inputs: {}, parameters: { a, b }, outputs: {}, updates: { a: b, b: a } });
    session.write({ a: [1, 2], b: [3, 4] });
    session.run({});
    expect([list(session.read("a")), list(session.read("b"))]).toEqual([
      [3, 4],
      [1, 2],
    ]);
    session.run({}, { steps: 2 });
    expect(list(session.read("a"))).toEqual([3, 4]);
  });

  test("gives outputs from before the update", () => {
    const w = parameter([1]);
    const session = reference({ inputs: {}, parameters: { w }, outputs: { y: w.mul(1) }, updates: { w: w.add(1) } });
    expect(list(session.run({}, { steps: 3 }).y)).toEqual([0, 1, 2]);
    expect([list(session.read("y")), list(session.read("w"))]).toEqual([[2], [3]]);
  });

  test("gives one value of a scalar output every `every` steps, the first included, and others as of the last step", () => {
    const w = parameter([2]);
    const program = {
      inputs: {},
      parameters: { w },
      outputs: { total: w.sum(), kept: w.sum(undefined, { keepDims: true }), w2: w.mul(2) },
      updates: { w: w.add(1) },
    };
    const outputs = reference(program).run({}, { steps: 8, every: 3 });
    expect(list(outputs.total)).toEqual([0, 6, 12]);
    expect(list(outputs.kept)).toEqual([0, 6, 12]);
    expect(list(outputs.w2)).toEqual([14, 14]);
  });

  test("reads an output only after a run, a parameter at any time", () => {
    const w = parameter([1]);
    const session = reference({ inputs: {}, parameters: { w }, outputs: { y: w.exp() } });
    expect(() => session.read("y")).toThrow('output "y" has no value before the first run');
    expect(list(session.read("w"))).toEqual([0]);
    session.run({});
    expect(list(session.read("y"))).toEqual([1]);
  });

  test("hands out copies, and keeps copies of what it was given", () => {
    const w = parameter([2]);
    const session = reference({ inputs: {}, parameters: { w }, outputs: { y: w.mul(2), same: w.reshape([2]) } });
    const given = new Float64Array([1, 2]);
    session.write({ w: given });
    given[0] = 9;
    session.read("w")[1] = 9;
    (session.run({}).y as Float64Array)[0] = 9;
    (session.run({}).same as Float64Array)[0] = 9;
    expect([list(session.read("w")), list(session.run({}).y)]).toEqual([
      [1, 2],
      [2, 4],
    ]);
  });

  test("takes a parameter or an input itself as an output under another name", () => {
    const [w, x] = [parameter([2]), input([2])];
    const session = reference({ inputs: { x }, parameters: { w }, outputs: { y: x, v: w }, updates: { w: x } });
    session.write({ w: [1, 2] });
    const outputs = session.run({ x: [3, 4] });
    expect([list(outputs.y), list(outputs.v), list(session.read("w"))]).toEqual([
      [3, 4],
      [1, 2],
      [3, 4],
    ]);
  });

  test("computes with the number that was written, not with its float32", () => {
    const w = parameter([]);
    const session = reference({ inputs: {}, parameters: { w }, outputs: { y: w.add(0.1), c: constant([0.1], []) } });
    const outputs = session.run({});
    expect([list(outputs.y), list(outputs.c)]).toEqual([[0.1], [Math.fround(0.1)]]);
  });

  test("does not change when the program object is changed afterwards", () => {
    const w = parameter([1]);
    const program = { inputs: {}, parameters: { w }, outputs: {}, updates: { w: w.add(1) as Tensor } };
    const session = reference(program);
    program.updates.w = w.add(100);
    session.run({});
    expect(list(session.read("w"))).toEqual([1]);
  });

  test("descends: a least-squares line is found", () => {
    const [x, y] = [input([4, 1]), input([4, 1])];
    const [w, b] = [parameter([1, 1]), parameter([1])];
    const loss = x.matmul(w).add(b).sub(y).square().mean();
    const [dw, db] = grad(loss, [w, b]) as [Tensor, Tensor];
    const updates = { w: w.sub(dw.mul(0.1)), b: b.sub(db.mul(0.1)) };
    const session = reference({ inputs: { x, y }, parameters: { w, b }, outputs: { loss }, updates });
    const history = session.run({ x: [0, 1, 2, 3], y: [1, 3, 5, 7] }, { steps: 500 }).loss as Float64Array;
    expect(history[499]).toBeLessThan(1e-9);
    expect([session.read("w")[0], session.read("b")[0]].map((v) => Math.round((v as number) * 1e3) / 1e3)).toEqual([
      2, 1,
    ]);
  });
});
