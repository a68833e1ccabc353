import { expect } from "vitest";
import { type Device, grad, input, iota, type Program, parameter, type Tensor } from "../../src/index";
import { integers, normal } from "../graph/numbers";

/** A table that rows are added to, and what else reads it, changes it or goes on from it in the same kernel. */
const UPDATES: Record<string, (table: Tensor, i: Tensor, v: Tensor, b: Tensor) => Record<string, Tensor>> = {
  "in place": (table, i, v) => ({ table: table.scatterAdd(i, v) }),
  "in place, smaller first": (table, i, v) => ({ table: table.mul(0.9).scatterAdd(i, v) }),
  "in place, and its old value wanted": (table, i, v, b) => {
    const next = table.scatterAdd(i, v);
    return { table: next, b: b.add(next.mul(table)) };
  },
  "by itself, the other way round": (table) => {
    const rows = table.shape[0] as number;
    return {
      table: table.scatterAdd(
        iota(rows)
          .mul(-1)
          .add(rows - 1),
        table.mul(2),
      ),
    };
  },
  "in place of a factor": (table, i, v, b) => ({ table: b.scatterAdd(i, v), b: table }),
  "by its own rows": (table, i, v) => ({ table: table.scatterAdd(i, table.take(i).mul(v)) }),
  "by its own elements": (table, i, v) => ({ table: table.scatterAdd(i, v.add(table.sum(0))) }),
  "its derivative, with a momentum": (table, i, v, b) => {
    const momentum = b.mul(0.5).add(grad(table.take(i).mul(v).square().sum(), [table])[0]);
    return { b: momentum, table: table.sub(momentum.mul(0.1)) };
  },
  "the norm of its derivative": (table, i, v, b) => {
    const slope = grad(table.take(i).sub(v).square().sum(), [table])[0];
    return { table: table.sub(slope.div(slope.square().sum().add(1))), b: b.add(slope.sum()) };
  },
  twice: (table, i, v) => ({ table: table.scatterAdd(i, v).scatterAdd(i.add(1), v.neg()) }),
};

/** Tries each on a device, with tables of several sizes as far as they are different: of one element, of a row, of a column, of more. */
export async function expectUpdates(
  device: Pick<Device, "compile">,
  shapes: readonly (readonly [number, number])[],
): Promise<void> {
  for (const [rows, width] of shapes) {
    for (const [name, build] of Object.entries(UPDATES)) {
      const [table, b] = [parameter([rows, width]), parameter([rows, width])];
      const [i, v] = [input([6], "int32"), input([6, width])];
      const updates = build(table, i, v, b);
      const program: Program = {
        inputs: { i, v },
        parameters: { table, b },
        outputs: { loss: (updates.table as Tensor).sum() },
        updates: { b, ...updates },
      };
      const session = await device.compile(program);
      session.write({ table: normal(rows * width, 1), b: normal(rows * width, 2) });
      const report = await session.verify({ i: integers(6, rows, 3), v: normal(6 * width, 4) });
      expect(report.ok, `${name}, [${rows}, ${width}]\n${report}\n${session.explain()}`).toBe(true);
      session.dispose();
    }
  }
}
