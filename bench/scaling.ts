import type { Contender } from "./contender";
import { messageOf } from "./measure";
import type { MeasuredScaling } from "./results";
import { spreadOf } from "./statistics";
import type { Task } from "./tasks";

type Point = MeasuredScaling["points"][number];

const widths = [16, 32, 64, 128, 256, 512, 1024, 2048, 4096];
const batches = [1, 4, 16, 64, 256, 1024, 4096];

const scans = [
  {
    over: "width",
    title: "32→width→10 ReLU, batch 64, sum of squares: one step",
    at: widths,
    task: (hidden: number): Task => ({ kind: "two-layer", batch: 64, inputs: 32, hidden, outputs: 10, rate: 1e-7 }),
  },
  {
    over: "batch",
    title: "32→64→10 ReLU, sum of squares: one step",
    at: batches,
    task: (batch: number): Task => ({ kind: "two-layer", batch, inputs: 32, hidden: 64, outputs: 10, rate: 1e-7 }),
  },
] as const;

/** Our routes and backends over the size of the network, `rounds` of `roundMs` each, in turns at every point. */
export async function measureScaling(
  contenders: readonly Contender[],
  rounds: number,
  roundMs: number,
  say: (line: string) => void,
): Promise<MeasuredScaling[]> {
  const measured: MeasuredScaling[] = [];
  for (const { over, title, at, task } of scans) {
    const points: Point[] = [];
    for (const size of at) {
      say(`W6  ${over} ${size}`);
      points.push(...(await measurePoint(size, task(size), contenders, rounds, roundMs)));
    }
    measured.push({ over, title, points });
  }
  return measured;
}

async function measurePoint(
  at: number,
  task: Task,
  contenders: readonly Contender[],
  rounds: number,
  roundMs: number,
): Promise<Point[]> {
  const points = new Map<string, Point>();
  const ready: { contender: Contender; steps: number; samples: number[] }[] = [];
  const fail = (contender: Contender, error: unknown) => {
    points.set(contender.name, { at, contender: contender.name, route: "", ms: null, why: messageOf(error) });
  };
  for (const contender of contenders) {
    try {
      await contender.prepare(task);
      const route = (await contender.plan())?.route;
      if (contender.route && route !== contender.route) throw new Error(`runs ${route}`);
      let { ms } = await contender.run(1);
      let steps = 1;
      for (; ms < roundMs / 2 && steps < 2 ** 16; { ms } = await contender.run(steps)) {
        steps = Math.max(steps * 2, Math.min(steps * 16, Math.round((steps * roundMs) / Math.max(ms, 0.1))));
      }
      ready.push({ contender, steps, samples: [] });
    } catch (error) {
      fail(contender, error);
    }
  }
  for (let round = 0; round < rounds; round++) {
    for (const { contender, steps, samples } of ready) {
      if (points.has(contender.name)) continue;
      await contender.run(steps).then(({ ms }) => samples.push(ms / steps), fail.bind(null, contender));
    }
  }
  for (const { contender, samples } of ready) {
    const { name } = contender;
    if (!points.has(name)) {
      const route = (await contender.plan().catch(() => null))?.route ?? "";
      points.set(name, { at, contender: name, route, ms: spreadOf(samples) });
    }
    await contender.release().catch(() => {});
  }
  return contenders.flatMap(({ name }) => points.get(name) ?? []);
}

/** Where the curve of `a` crosses the one of `b`, linear between the points on both logarithmic scales. */
export function crossings({ points }: MeasuredScaling, a: string, b: string): number[] {
  const sizes = [...new Set(points.map(({ at }) => at))];
  const median = (at: number, contender: string) =>
    points.find((point) => point.at === at && point.contender === contender)?.ms?.median;
  const known = sizes.flatMap((at) => {
    const [ours, theirs] = [median(at, a), median(at, b)];
    return ours && theirs ? [{ at, gap: Math.log(ours / theirs) }] : [];
  });
  const found: number[] = [];
  for (let i = 0; i + 1 < known.length; i++) {
    const [from, to] = [known[i], known[i + 1]] as [(typeof known)[number], (typeof known)[number]];
    if (from.gap >= 0 === to.gap >= 0) continue;
    const part = from.gap / (from.gap - to.gap);
    found.push(Math.exp(Math.log(from.at) + part * Math.log(to.at / from.at)));
  }
  return found;
}
