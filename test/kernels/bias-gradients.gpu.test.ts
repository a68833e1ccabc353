import { afterAll, beforeAll, expect, test } from "vitest";
import { grad, input, type Program, parameter, type Tensor } from "../../src/index";
import { sizeOf } from "../../src/util/shape";
import { normal } from "../graph/numbers";
import { type OtherDevice, openOther } from "./other-device";

let device: OtherDevice;
beforeAll(async () => {
  device = await openOther({ route: "recorded", software: false });
});
afterAll(() => device.close());

/** A layer whose weight and bias, with their momenta, are updated; the loss is not linear in what reaches the bias. */
function layer(rows: number, inputs: number, units: number): Program {
  const [x, y] = [input([rows, inputs]), input([rows, units])];
  const parameters: Record<string, Tensor> = {
    w: parameter([inputs, units]),
    b: parameter([units]),
    "m.w": parameter([inputs, units]),
    "m.b": parameter([units]),
  };
  const { w, b } = parameters as { w: Tensor; b: Tensor };
  const loss = x.matmul(w).add(b).tanh().sub(y).square().sum();
  const updates: Record<string, Tensor> = {};
  grad(loss, [w, b]).forEach((gradient, i) => {
    const name = ["w", "b"][i] as string;
    const momentum = (parameters[`m.${name}`] as Tensor).mul(0.9).add(gradient);
    Object.assign(updates, {
      [`m.${name}`]: momentum,
      [name]: (parameters[name] as Tensor).sub(momentum.mul(0.01)),
    });
  });
  return { inputs: { x, y }, parameters, outputs: { loss }, updates };
}

// Whole tiles; edges of every axis; a batch shorter than a tile's K; one row of workgroups and several; two units.
test.each([
  [64, 64, 64],
  [33, 70, 67],
  [5, 200, 31],
  [100, 17, 130],
  [47, 90, 2],
])(
  "a bias's gradient is summed by the product that reads its rows: batch %i, %i to %i",
  async (rows, inputs, units) => {
    const program = layer(rows, inputs, units);
    const session = await device.compile(program);
    expect(session.explain()).toMatch(/matmul add mul sub; sum add mul sub/);
    expect(session.explain()).not.toMatch(/ {2}rows /);
    const values = (tensors: Program["inputs"], seed: number) =>
      Object.fromEntries(
        Object.entries(tensors).map(([name, { shape }], i) => [
          name,
          normal(sizeOf(shape), seed + i).map((v) => v / 4),
        ]),
      );
    session.write(values(program.parameters, 10));
    const report = await session.verify(values(program.inputs, 20));
    expect(report.ok, String(report)).toBe(true);
    session.dispose();
  },
);
