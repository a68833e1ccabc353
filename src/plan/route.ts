import { type Dispatch, type Plan, routeKey, type Target, type WholeStep } from "./plan";

/**
 * What a step costs by estimate, in nanoseconds, before anything was measured: a dispatch and its arithmetic; or, in one
 * workgroup, a kernel's beginning, a barrier, and the arithmetic of one thread in registers and through workgroup memory.
 * Software: measured on SwiftShader. Hardware: by reasoning from latencies.
 */
const COSTS = {
  software: { dispatch: 25_000, flop: 1, part: 500, barrier: 400, swept: 2.5, memory: 16 },
  hardware: { dispatch: 5_000, flop: 0.0005, part: 50, barrier: 200, swept: 1, memory: 2.5 },
} as const;

/** The faster of a program's two plans: as was asked for, else as was measured here, else by estimate. */
export function chooseRoute(recorded: Plan, persistent: Plan, target: Target): Plan {
  const cost = COSTS[target.software ? "software" : "hardware"];
  const flops = recorded.step.reduce((sum, { flops }) => sum + flops, 0);
  const kernels = recorded.step.length;
  const { threads, barriers, sweptFlops } = (persistent.step[0] as Dispatch).whole as WholeStep;
  const asRecorded = kernels * cost.dispatch + flops * cost.flop;
  const arithmetic = sweptFlops * cost.swept + Math.max(0, flops - sweptFlops) * cost.memory;
  const asPersistent = kernels * cost.part + barriers * cost.barrier + arithmetic / threads;
  const estimate = `by estimate ${Math.ceil(asPersistent / 1000)} µs a step in one workgroup, ${Math.ceil(asRecorded / 1000)} µs as dispatches`;
  if (target.route === "persistent") return { ...persistent, reason: "asked for" };
  const measured = target.routes?.[routeKey(recorded, persistent)];
  if (measured) return { ...(measured === "persistent" ? persistent : recorded), reason: "as was measured here" };
  return asPersistent < asRecorded ? { ...persistent, reason: estimate } : { ...recorded, reason: estimate };
}
