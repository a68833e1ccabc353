import type { Contender } from "./contender";
import { type Budget, measureWorkload, messageOf } from "./measure";
import { measuredOf } from "./report/table";
import type { Adapter, MeasuredWorkload, Results } from "./results";
import type { Workload } from "./workloads";

const normal: Budget = { rounds: 9, roundMs: 250, cellMs: 4000, stepMs: 4000, quick: false };
const quick: Budget = { rounds: 5, roundMs: 100, cellMs: 1500, stepMs: 2000, quick: true };

export function budgetOf({ quick: isQuick }: { quick: boolean }): Budget {
  return isQuick ? quick : normal;
}

/** Opens every contender. Who does not start is in the list with the reason, and not among the ready. */
export async function openAll(
  all: readonly Contender[],
): Promise<{ contenders: Results["contenders"]; ready: Contender[] }> {
  const contenders: Results["contenders"] = [];
  const ready: Contender[] = [];
  for (const contender of all) {
    const { name, ours, webgpu } = contender;
    try {
      contenders.push({ name, ours, webgpu, says: await contender.open(), absent: false });
      ready.push(contender);
    } catch (error) {
      contenders.push({ name, ours, webgpu, says: messageOf(error), absent: true });
      await contender.close();
    }
  }
  return { contenders, ready };
}

/** Each workload by every contender, one workload after the other. */
export async function measureAll(
  chosen: readonly Workload[],
  contenders: readonly Contender[],
  budget: Budget,
): Promise<MeasuredWorkload[]> {
  const done: MeasuredWorkload[] = [];
  for (const workload of chosen) {
    const { task } = workload;
    const before = done[done.length - 1];
    // A product of twice the size takes eight times as long.
    const forecast = ({ name }: Contender): number | null => {
      if (task.kind !== "matmul" || !before?.id.startsWith("W4")) return null;
      const cell = before.cells.find(({ contender }) => contender === name);
      if (cell?.status === "skipped") return Number.POSITIVE_INFINITY;
      const seen = measuredOf(before, name)?.ms.median;
      return seen ? seen * 8 : null;
    };
    done.push(await measureWorkload(workload, contenders, budget, say, forecast));
  }
  return done;
}

/** Products measured: the largest ones take a software adapter minutes. */
export function productSizes(adapter: Adapter | null, full: boolean): number[] {
  return adapter?.software === false || full ? [256, 512, 1024, 2048, 4096] : [256, 512, 1024, 2048];
}

/** Whether networks are measured that take a software adapter minutes. */
export function isLarge(adapter: Adapter | null, full: boolean): boolean {
  return adapter?.software === false || full;
}

/** What the files of a run are called. */
export function nameOf({ date, adapter, kind }: Results): string {
  return `${date}-${shortName(adapter)}${kind === "native" ? "-native" : ""}`;
}

function shortName(adapter: Adapter | null): string {
  const name = adapter?.software ? "software" : [adapter?.vendor, adapter?.architecture].filter(Boolean).join("-");
  return (name || "no-adapter").toLowerCase().replace(/[^a-z0-9-]+/g, "-");
}

/** The file of a run. */
export function serialised(results: Results): string {
  return `${JSON.stringify(results, rounded, 1)}\n`;
}

/** Six figures are more than any of them is good for. */
function rounded(_key: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value;
}

/** Says what is under way, on one line where that can be. */
export function say(line: string): void {
  if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${line}`);
  else console.log(line);
}
