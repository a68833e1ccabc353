import type { Program } from "../graph/program";
import type { Arrays } from "../runner";
import { byName } from "../util/names";
import { sizeOf } from "../util/shape";
import { compile } from "./codegen/compile";
import { type Route, routeKey } from "./codegen/plan";
import { median } from "./profile";
import { GpuRunner } from "./runner";
import { type Bench, ROUNDS, SAMPLE_MS } from "./sampling";

export interface MeasuredRoute {
  readonly key: string;
  readonly chosen: Route;
  readonly report: { recordedMs: number; persistentMs: number; chosen: Route };
}

const MOST_STEPS = 65_536;

/** Milliseconds of a whole step on each route; null where a program has but one, or the budget is spent. */
export async function measureRoute(bench: Bench, program: Program): Promise<MeasuredRoute | null> {
  const { device, memory, target, kernels, pipelines, clock, signal, begins } = bench;
  if (target.route !== undefined || kernels.persistent === null) return null;
  const recorded = compile(program, { ...target, route: "recorded" }, { ...kernels, persistent: null });
  const persistent = compile(program, { ...target, route: "persistent" }, kernels);
  if (persistent.route !== "persistent") return null;
  const inputs: Arrays = byName([]);
  for (const [name, { shape, dtype }] of Object.entries(program.inputs)) {
    inputs[name] = new (dtype === "int32" ? Int32Array : Float32Array)(sizeOf(shape));
  }
  const contenders: { runner: GpuRunner; steps: number; times: number[] }[] = [];
  try {
    for (const plan of [recorded, persistent]) {
      if (!begins(`a step, ${plan.route}`)) return null;
      const runner = await GpuRunner.create(device, memory, pipelines, plan, target.software);
      contenders.push({ runner, steps: 1, times: [] });
    }
    for (let round = 0; round <= ROUNDS; round++) {
      for (const contender of contenders) {
        const { runner, times } = contender;
        let timeMs = await runTime(runner, contender.steps);
        // Round 0 warms up, and finds how many steps last long enough.
        while (round === 0 && timeMs < 4 * SAMPLE_MS && contender.steps < MOST_STEPS) {
          contender.steps *= 4;
          timeMs = await runTime(runner, contender.steps);
        }
        if (round > 0) times.push(timeMs / contender.steps);
      }
    }
  } finally {
    for (const { runner } of contenders) runner.dispose();
  }
  const [recordedMs, persistentMs] = contenders.map(({ times }) => median(times)) as [number, number];
  const chosen: Route = persistentMs < recordedMs ? "persistent" : "recorded";
  return { key: routeKey(recorded, persistent), chosen, report: { recordedMs, persistentMs, chosen } };

  async function runTime(runner: GpuRunner, steps: number): Promise<number> {
    signal?.throwIfAborted();
    const start = performance.now();
    await runner.run(inputs, { steps, every: 1, signal });
    const timeMs = performance.now() - start;
    await clock.time(); // a program without scalars reads nothing back: here it is known that the device is there
    return timeMs;
  }
}
