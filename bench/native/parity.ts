import { parityTable } from "../../scripts/parity-table.mjs";
import { type Device, open } from "../../src/index";
import { CASES, type Case } from "../../test/kernels/cases";
import { type Parity, parityOf } from "../../test/support/operation-parity";
import { messageOf } from "../measure";

/**
 * Every operation's cases on WebGPU against float64. Prints the error that is the largest part of its bound by operation,
 * and says whether all kept to theirs.
 */
export async function parity(gpu: GPU): Promise<boolean> {
  const device = await open({ backend: "webgpu", gpu });
  const parities: Parity[] = [];
  const wrong: string[] = [];
  try {
    for (const [i, each] of CASES.entries()) {
      if (i % 100 === 0) console.log(`parity: ${i} of ${CASES.length} cases`);
      try {
        parities.push(await tryCase(device, each, wrong));
      } catch (error) {
        wrong.push(`${each.name}: ${messageOf(error)}`);
      }
    }
  } finally {
    device.close();
  }
  const table = parityTable([{ title: device.info.description, parities }]);
  console.log(`\nevery operation against float64, each element with a bound of its own\n${table}`);
  const shown = [...wrong.slice(0, 20), ...(wrong.length > 20 ? [`and ${wrong.length - 20} more`] : [])];
  console.log(wrong.length > 0 ? `WRONG:\n${shown.join("\n")}` : `all ${CASES.length} cases within their bounds`);
  return wrong.length === 0;
}

async function tryCase(device: Device, each: Case, wrong: string[]): Promise<Parity> {
  const session = await device.compile(each.program);
  try {
    session.write(each.parameters);
    const report = await session.verify(each.inputs);
    const bad = report.rows.find((row) => !row.ok);
    if (bad) wrong.push(`${each.name}: off by ${bad.maxError}, bound ${bad.bound}, at [${bad.at.join(", ")}]`);
    return parityOf(each, report);
  } finally {
    session.dispose();
  }
}
