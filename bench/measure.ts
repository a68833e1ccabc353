import type { Contender } from "./contender";
import { comparedRow } from "./library";
import { expectedOf } from "./programs";
import type { Cell, MeasuredWorkload } from "./results";
import { spreadOf } from "./statistics";
import { dataOf, flopsOf, leastBytesOf, recordEvery } from "./tasks";
import type { Workload } from "./workloads";

/** How much time goes where. */
export interface Budget {
  rounds: number;
  /** What a round should take. */
  roundMs: number;
  /** After which a cell has no more rounds, once it has three. */
  cellMs: number;
  /** A cell whose single step would take longer is not begun. */
  stepMs: number;
  /** Whether nothing is worth more time than that. */
  quick: boolean;
}

interface Running {
  contender: Contender;
  stepsPerRound: number;
  samples: number[];
  spentMs: number;
  error: number;
  firstMs: number;
}

/** Warms up and checks every contender, then measures them in turns, a round each. */
export async function measureWorkload(
  workload: Workload,
  contenders: readonly Contender[],
  budget: Budget,
  say: (line: string) => void,
  /** What a step is expected to take, in milliseconds, where something is known. */
  forecast: (contender: Contender) => number | null,
): Promise<MeasuredWorkload> {
  const { task, id } = workload;
  const expected =
    workload.judged === undefined ? expectedOf(task, dataOf(task), workload.comparedStep) : [workload.judged];
  const cells = new Map<string, Cell>();
  const running: Running[] = [];
  for (const contender of contenders) {
    const { name } = contender;
    const without = workload.without?.[name];
    if (without !== undefined) {
      cells.set(name, { contender: name, status: "skipped", why: without });
      continue;
    }
    const seen = forecast(contender);
    if (seen !== null && seen > Math.max(budget.stepMs, (!budget.quick && workload.worthMs) || 0)) {
      cells.set(name, {
        contender: name,
        status: "skipped",
        why: `one ${workload.step} would take ${Number.isFinite(seen) ? `about ${shown(seen)}` : "longer still"}`,
      });
      continue;
    }
    say(`${id}  ${name}: warming up`);
    try {
      const { error, firstMs, lastMs } = await compare(workload, contender, expected);
      if (!(error <= workload.tolerance)) {
        const why = `off by ${error.toExponential(1)}, ${workload.tolerance.toExponential(1)} is allowed`;
        cells.set(name, { contender: name, status: "mismatch", why });
        await contender.release();
        continue;
      }
      const stepsPerRound = lastMs > 2000 ? 1 : await calibrate(workload, contender, budget);
      running.push({ contender, stepsPerRound, samples: [], spentMs: 0, error, firstMs });
    } catch (error) {
      cells.set(name, { contender: name, status: "failed", why: messageOf(error) });
      await contender.release().catch(() => {});
    }
  }

  say(`${id}  ${running.length} in turns`);
  for (let round = 0; round < budget.rounds; round++) {
    // Each round begins with another, so that none always follows the same neighbour.
    for (let turn = 0; turn < running.length; turn++) {
      const one = running[(turn + round) % running.length] as Running;
      if (one.spentMs > budget.cellMs && one.samples.length >= 3) continue;
      if (cells.has(one.contender.name)) continue;
      try {
        const { ms } = await one.contender.run(one.stepsPerRound);
        one.samples.push(ms / one.stepsPerRound);
        one.spentMs += ms;
      } catch (error) {
        cells.set(one.contender.name, { contender: one.contender.name, status: "failed", why: messageOf(error) });
      }
    }
  }

  for (const { contender, stepsPerRound, samples, error, firstMs } of running) {
    const { name } = contender;
    if (!cells.has(name)) {
      const plan = contender.ours ? await contender.plan().catch(() => null) : null;
      const { tolerance } = workload;
      const ms = spreadOf(samples);
      const measured = { status: "measured", samples, stepsPerRound, ms, error, tolerance, firstMs } as const;
      cells.set(name, { contender: name, ...(plan && { plan }), ...measured });
    }
    await contender.release().catch(() => {});
  }
  const inOrder = contenders.flatMap(({ name }) => cells.get(name) ?? []);
  return {
    id,
    title: workload.title,
    step: workload.step,
    flops: flopsOf(task),
    bytes: leastBytesOf(task),
    cells: inOrder,
  };
}

/** Runs the first steps from the common start and says how far the result is from float64, and what the last step took. */
async function compare(
  { task, comparedStep }: Workload,
  contender: Contender,
  expected: readonly number[],
): Promise<{ error: number; firstMs: number; lastMs: number }> {
  const begun = performance.now();
  await contender.prepare(task);
  const first = await contender.run(1);
  const firstMs = performance.now() - begun;
  if (task.kind === "matmul") {
    const got = await contender.row(comparedRow(task.size));
    if (got.length !== expected.length) throw new Error(`gave ${got.length} values of a row of ${expected.length}`);
    const error = Math.max(...got.map((value, i) => Math.abs(value - (expected[i] as number))));
    return { error, firstMs, lastMs: first.ms };
  }
  if (comparedStep > 1) await contender.run(comparedStep - 1);
  const { ms: lastMs, losses } = await contender.run(1);
  const [want, got] = [expected[0] as number, losses[0]];
  if (got === undefined) throw new Error("gave no loss");
  return { error: Math.abs(got - want) / Math.abs(want), firstMs, lastMs };
}

/** Steps for a round: more until it is long enough to be timed. This is the warm-up too. */
async function calibrate({ wholeRun, task }: Workload, contender: Contender, { roundMs }: Budget): Promise<number> {
  let steps = 1;
  for (let isFirst = true; ; isFirst = false) {
    const { ms } = await contender.run(steps);
    const one = ms / steps;
    const wanted = Math.max(1, Math.round(roundMs / one));
    if (ms < roundMs / 2 || (isFirst && ms < 4 * roundMs)) {
      steps = Math.min(Math.max(wanted, steps), steps * 8);
      continue;
    }
    if (wholeRun !== undefined && one * wholeRun <= 6 * roundMs) return wholeRun;
    // A record is read once in so many steps: more than that are to be whole.
    const every = recordEvery(task);
    return wanted > every ? wanted - (wanted % every) : wanted;
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function shown(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${Math.round(ms / 1000)} s`;
}
