import { type Dispatch, type PersistentStep, type Plan, routeKey, type Target } from "./plan";

/**
 * What a step costs by estimate, in nanoseconds, before anything was measured: a dispatch and its arithmetic; or, in one
 * workgroup, a kernel's beginning, a barrier, and the arithmetic of one thread in registers and through workgroup memory.
 * `sideBySide` copies of a program run in the time of one: a software adapter has a few cores, a GPU many.
 * Software: measured on SwiftShader. Hardware: by reasoning from latencies.
 */
const COSTS = {
  software: { dispatch: 25_000, flop: 1, part: 500, barrier: 400, looped: 2.5, memory: 16, sideBySide: 4 },
  hardware: { dispatch: 5_000, flop: 0.0005, part: 50, barrier: 200, looped: 1, memory: 2.5, sideBySide: 128 },
} as const;

/**
 * What compiling costs by estimate, in milliseconds: a kernel, the square of a kernel's text in KiB, and an element of workgroup
 * memory. Software: a fit to the processor's time for kernels of 3 to 70 KiB on SwiftShader, of which none took twice as long or
 * half. Hardware: by reasoning from what compilers of drivers take for a few thousand lines.
 */
const COMPILING = {
  software: { kernel: 20, text: 1.2, memory: 0.4 },
  hardware: { kernel: 5, text: 0.1, memory: 0 },
} as const;

/** The plan that ends sooner, compiling and so many `steps` in all: as was asked for, else as was measured here, else by estimate. */
export function chooseRoute(recorded: Plan, persistent: Plan, target: Target, steps: number): Plan {
  if (target.route === "persistent") return { ...persistent, reason: "asked for" };
  const measured = target.routes?.[routeKey(recorded, persistent)];
  if (measured) return { ...(measured === "persistent" ? persistent : recorded), reason: "as was measured here" };
  const kind = target.software ? "software" : "hardware";
  const cost = COSTS[kind];
  const flops = recorded.step.reduce((sum, { flops }) => sum + flops, 0);
  const kernels = recorded.step.length;
  const { threads, barriers, rowLoopFlops } = (persistent.step[0] as Dispatch).persistent as PersistentStep;
  const { copies } = persistent;
  const arithmetic = rowLoopFlops * cost.looped + Math.max(0, flops / copies - rowLoopFlops) * cost.memory;
  const asRecorded = { stepNs: kernels * cost.dispatch + flops * cost.flop, compileMs: compileMs(recorded, kind) };
  const asPersistent = {
    stepNs:
      Math.ceil(copies / cost.sideBySide) * (kernels * cost.part + barriers * cost.barrier + arithmetic / threads),
    compileMs: compileMs(persistent, kind),
  };
  const lasts = ({ stepNs, compileMs }: Estimate) => compileMs + (steps * stepNs) / 1e6;
  const chosen = lasts(asPersistent) < lasts(asRecorded) ? persistent : recorded;
  const reason = `by estimate, for ${steps} steps: ${inWords(asPersistent)} in one workgroup${copies > 1 ? " a copy" : ""}, ${inWords(asRecorded)} as dispatches`;
  return { ...chosen, reason };
}

interface Estimate {
  readonly stepNs: number;
  readonly compileMs: number;
}

function inWords({ stepNs, compileMs }: Estimate): string {
  return `${Math.ceil(stepNs / 1000)} µs a step after ${Math.ceil(compileMs)} ms of compiling`;
}

function compileMs({ step, deferred }: Plan, kind: keyof typeof COMPILING): number {
  const cost = COMPILING[kind];
  // Equal kernels are compiled once.
  const kernels = new Map(
    [...step, ...(deferred ? [deferred] : [])].map((dispatch) => [dispatch.source, dispatch.persistent]),
  );
  let ms = 0;
  for (const [{ length }, whole] of kernels)
    ms += cost.kernel + cost.text * (length / 1024) ** 2 + cost.memory * (whole?.memory ?? 0);
  return ms;
}
