import { expect } from "vitest";
import { type Device, grad, input, type Program, type Tensor } from "../../src/index";
import { integers, normal } from "../graph/numbers";

type Compiler = Pick<Device, "compile">;

/** Numbers of which every order of adding has a sum of its own. */
const uneven = (count: number) => normal(count, 5).map((value, i) => Math.fround(value * 10 ** (i % 9)));

/** Tries that values are added in the order of their indices and in no other: to the last bit, twice. */
export async function expectInOrder(device: Compiler): Promise<void> {
  const x = input([5, 9]);
  const rows = input([300], "int32");
  const values = input([300, 9]);
  const weights = input([5, 60]);
  const along = input([5, 60], "int32");
  const outputs: Record<string, Tensor> = {
    sums: x.scatterAdd(rows, values),
    elements: grad(x.takeAlong(along, 1).mul(weights).sum(), [x])[0],
  };
  const program: Program = { inputs: { x, rows, values, weights, along }, parameters: {}, outputs };
  const given = {
    x: Float32Array.from(uneven(45)),
    rows: integers(300, 5, 1),
    values: Float32Array.from(uneven(2700)),
    weights: Float32Array.from(uneven(300)),
    along: integers(300, 9, 2),
  };
  const sums = given.x.slice();
  given.values.forEach((value, i) => {
    const at = (given.rows[Math.floor(i / 9)] as number) * 9 + (i % 9);
    sums[at] = (sums[at] as number) + value;
  });
  const elements = new Float32Array(45);
  given.weights.forEach((value, i) => {
    const at = Math.floor(i / 60) * 9 + (given.along[i] as number);
    elements[at] = (elements[at] as number) + value;
  });
  const session = await device.compile(program);
  try {
    for (let run = 0; run < 2; run++) expect(await session.run(given)).toEqual({ sums, elements });
  } finally {
    session.dispose();
  }
}
