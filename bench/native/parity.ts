import { type Device, open } from "../../src/index";
import { CASES, type Case } from "../../test/kernels/cases";
import { messageOf } from "../measure";
import { alignedTable, type Column } from "../report/format";

interface Worst {
  cases: number;
  error: number;
  bound: number;
  where: string;
  /** Cases beyond their bound, or that threw. */
  wrong: string[];
}

const columns: readonly Column[] = [
  { title: "operation", align: "left" },
  { title: "cases", align: "right" },
  { title: "largest error", align: "right" },
  { title: "its bound", align: "right" },
  { title: "of the bound", align: "right" },
  { title: "where", align: "left" },
];

/**
 * Every operation's cases on WebGPU against float64. Prints the error that is the largest part of its bound by operation,
 * and says whether all kept to theirs.
 */
export async function parity(gpu: GPU): Promise<boolean> {
  const device = await open({ backend: "webgpu", gpu });
  const byOperation = new Map<string, Worst>();
  try {
    for (const [i, each] of CASES.entries()) {
      if (i % 100 === 0) console.log(`parity: ${i} of ${CASES.length} cases`);
      const worst = byOperation.get(each.op) ?? { cases: 0, error: 0, bound: 0, where: "", wrong: [] };
      byOperation.set(each.op, worst);
      await tryCase(device, each, worst);
    }
  } finally {
    device.close();
  }
  const lines = [...byOperation].map(([op, { cases, error, bound, where, wrong }]) => [
    op,
    String(cases),
    error.toExponential(1),
    error > 0 ? bound.toExponential(1) : "",
    error > 0 ? (error / bound).toFixed(3) : "",
    wrong.length > 0 ? `WRONG: ${wrong.length} cases` : where,
  ]);
  console.log(
    `\nevery operation against float64, each element with a bound of its own\n${alignedTable(columns, lines)}`,
  );
  const wrong = [...byOperation.values()].flatMap((worst) => worst.wrong);
  const shown = [...wrong.slice(0, 20), ...(wrong.length > 20 ? [`and ${wrong.length - 20} more`] : [])];
  console.log(wrong.length > 0 ? shown.join("\n") : `all ${CASES.length} cases within their bounds`);
  return wrong.length === 0;
}

async function tryCase(device: Device, { name, op, program, parameters, inputs }: Case, worst: Worst): Promise<void> {
  worst.cases++;
  try {
    const session = await device.compile(program);
    session.write(parameters);
    const { ok, rows } = await session.verify(inputs);
    session.dispose();
    const bad = rows.find((row) => !row.ok);
    if (!ok) worst.wrong.push(`${name}: off by ${bad?.maxError}, bound ${bad?.bound}, at [${bad?.at.join(", ")}]`);
    // A subnormal that is flushed to zero loses as much as its bound allows, always.
    if (Object.values(inputs).some((values) => values.some((x) => x !== 0 && Math.abs(x) < 2 ** -126))) return;
    for (const { maxError, bound } of rows) {
      if (maxError === 0 || maxError / bound <= worst.error / (worst.bound || 1)) continue;
      Object.assign(worst, { error: maxError, bound, where: name.slice(op.length + 2) });
    }
  } catch (error) {
    worst.wrong.push(`${name}: ${messageOf(error)}`);
  }
}
