import type { Program } from "../graph/program";
import type { MatmulTiling } from "../kernels/tiling";
import { DeviceError } from "../util/errors";
import { candidates, tilingName } from "./codegen/candidates";
import { compile } from "./codegen/compile";
import { loadAllKernels } from "./codegen/load-kernels";
import type { Dispatch, Plan, ProductShape, Route, Target, Tuned } from "./codegen/plan";
import { shapeClass } from "./codegen/tiling";
import type { Memory } from "./memory";
import { encode, Pipelines, type Recorded, STEP_ARGUMENT_BYTES } from "./pipelines";
import { median } from "./profile";
import { allocate, release } from "./resources";
import { type Bench, Clock, ROUNDS, SAMPLE_MS } from "./sampling";
import { type MeasuredRoute, measureRoute } from "./tune-route";

/** How long `device.tune` may measure, and who is told of it. */
export interface TuneOptions {
  /** Stops between two measurements; the promise rejects with the signal's reason, and nothing is kept. */
  signal?: AbortSignal;
  /** Called before each measurement with what it is of. */
  onProgress?(progress: { what: string; elapsedMs: number }): void;
  /** Milliseconds after which no further measurement begins; what was not reached stays as it is. Default 30,000. */
  budgetMs?: number;
}

/** What `device.tune` measured, and what it chose. */
export interface TuningReport {
  /** A row for each class of the program's products. */
  products: {
    /** The product that was measured, and its class: sizes rounded up to powers of two. */
    shapes: string;
    class: string;
    /** Milliseconds of one run, the median; null where the device refused the kernel. The first is the default. */
    candidates: { tiling: string; timeMs: number | null; compileMs: number }[];
    chosen: string;
  }[];
  /** Milliseconds of a step on each route; null where the program has but one, or the budget did not reach so far. */
  route: { recordedMs: number; persistentMs: number; chosen: Route } | null;
  /** Whether everything was measured within the budget. */
  complete: boolean;
  /** Whether a later open() will find the choice; false where there is no store, or it refused. */
  kept: boolean;
  /** Whether there was a record that was damaged, or made by other kernels, and so was left aside. */
  ignored: boolean;
}

/** Another tiling must take less than this part of the default's time: what is less of a gain may be noise. */
const GAIN = 0.95;
/** On a software adapter, where compiling takes its time, it must repay itself within so many runs. */
const RUNS = 2000;

/** Measures a program's products in their kernels, epilogues included, and then its routes; gives what is known with that added. */
export async function tune(
  { device, memory, target, tuned }: { device: GPUDevice; memory: Memory; target: Target; tuned: Tuned },
  program: Program,
  { signal, onProgress, budgetMs = 30_000 }: TuneOptions,
): Promise<{ tuned: Tuned; report: Pick<TuningReport, "products" | "route" | "complete"> }> {
  const start = performance.now();
  let complete = true;
  const begins = (what: string) => {
    signal?.throwIfAborted();
    const elapsedMs = performance.now() - start;
    if (elapsedMs >= budgetMs) {
      complete = false;
      return false;
    }
    onProgress?.({ what, elapsedMs });
    return true;
  };
  const kernels = await loadAllKernels(program, target);
  const clock = new Clock(device, memory);
  const bench: Bench = { device, memory, target, kernels, pipelines: new Pipelines(device), clock, signal, begins };
  try {
    const { tilings, products } = await measureProducts(bench, program, tuned.tilings);
    const route: MeasuredRoute | null = await measureRoute({ ...bench, target: { ...target, tilings } }, program);
    return {
      tuned: { tilings, routes: { ...tuned.routes, ...(route && { [route.key]: route.chosen }) } },
      report: { products, route: route?.report ?? null, complete },
    };
  } finally {
    clock.dispose();
  }
}

/** The best tiling of each class of a program's products, beside what is known already. */
async function measureProducts(
  bench: Bench,
  program: Program,
  known: Tuned["tilings"],
): Promise<Pick<Tuned, "tilings"> & Pick<TuningReport, "products">> {
  const { target, kernels } = bench;
  const search = target.software ? (await import("./codegen/software-tiling")).softwareTiling : null;
  const tilings = { ...known };
  const products: TuningReport["products"] = [];
  for (const [name, { product, shapes }] of classesOf(planWith(bench, program, tilings))) {
    const all = candidates(product, target, kernels.tiling(product, target), search);
    const rows = await measureTilings(bench, shapes, all, (tiling) => {
      const plan = planWith(bench, program, { ...tilings, [name]: tiling });
      return {
        ...plan,
        step: plan.step.filter((each) => each.product && shapeClass(each.product) === name),
        deferred: null,
      };
    });
    const [usual] = rows;
    if (usual === undefined || usual.timeMs === null) break;
    const cost = ({ timeMs, compileMs }: Row) =>
      timeMs === null ? Number.POSITIVE_INFINITY : timeMs + (target.software ? compileMs / RUNS : 0);
    const best = rows.reduce((best, row) => (cost(row) < cost(best) ? row : best));
    const chosen = cost(best) < GAIN * cost(usual) ? best : usual;
    if (chosen !== usual) tilings[name] = chosen.tiling;
    // Other products of the class have defaults of their own; what the budget did not reach may still be better.
    else if (rows.length === all.length) delete tilings[name];
    products.push({
      shapes,
      class: name,
      candidates: rows.map(({ tiling, ...row }) => ({ tiling: tilingName(tiling), ...row })),
      chosen: tilingName(chosen.tiling),
    });
  }
  return { tilings, products };
}

function planWith({ target, kernels }: Bench, program: Program, tilings: Tuned["tilings"]): Plan {
  return compile(program, { ...target, tilings, route: "recorded" }, { ...kernels, persistent: null });
}

/** The first product of each class, the largest before the others: a budget that ends early has gone to what takes most time. */
function classesOf(plan: Plan): Map<string, { product: ProductShape; shapes: string }> {
  const classes = new Map<string, { product: ProductShape; shapes: string }>();
  const size = ({ product }: Dispatch) => (product ? (product.batch ?? 1) * product.M * product.N * product.K : 0);
  for (const { product, shapes } of [...plan.step].sort((a, b) => size(b) - size(a))) {
    if (product && !classes.has(shapeClass(product))) classes.set(shapeClass(product), { product, shapes });
  }
  return classes;
}

interface Row {
  readonly tiling: MatmulTiling;
  readonly timeMs: number | null;
  readonly compileMs: number;
}

/** The tilings that the budget reaches, in turns, so that what slows the machine down for a while slows all of them. */
async function measureTilings(
  bench: Bench,
  shapes: string,
  tilings: readonly MatmulTiling[],
  planOf: (tiling: MatmulTiling) => Plan,
): Promise<Row[]> {
  const rows = tilings.map((tiling) => ({ tiling, plan: planOf(tiling), times: [] as number[], compileMs: 0 }));
  const refused = new Set<(typeof rows)[number]>();
  let repeats = 1;
  for (let round = 0; round < ROUNDS; round++) {
    const fastest = Math.min(...rows.flatMap(({ times }) => times));
    for (const row of rows) {
      // What is far behind is not asked again.
      if (refused.has(row) || (round > 0 && Math.min(...row.times) > 1.3 * fastest)) continue;
      if (!bench.begins(`${shapes}, ${tilingName(row.tiling)}`)) continue;
      try {
        const start = performance.now();
        if (round === 0) await Promise.all(row.plan.step.map((kernel) => bench.pipelines.get(kernel)));
        if (round === 0) row.compileMs = performance.now() - start;
        // The default comes first, and says how often a kernel is to run.
        const calibrates = round === 0 && row === rows[0];
        const measured = await timeOf(bench, row.plan, repeats, calibrates);
        repeats = measured.repeats;
        row.times.push(measured.timeMs);
      } catch (error) {
        // A kernel that a driver refuses is no candidate; without the default there is nothing to compare with.
        if (!(error instanceof DeviceError) || row === rows[0]) throw error;
        await bench.clock.time(); // throws where it is the device that is gone
        refused.add(row);
      }
    }
  }
  return rows
    .filter((row) => row.times.length > 0 || refused.has(row))
    .map((row) => ({
      tiling: row.tiling,
      timeMs: refused.has(row) ? null : median(row.times),
      compileMs: row.compileMs,
    }));
}

/** Milliseconds of one run of a plan's kernels among `repeats`, or among as many as last long enough. */
async function timeOf(
  { device, memory, pipelines, clock }: Bench,
  plan: Plan,
  repeats: number,
  calibrates: boolean,
): Promise<{ timeMs: number; repeats: number }> {
  const resources = await allocate(device, memory, pipelines, plan);
  try {
    // Once to warm up: the first run clears memory.
    await submitted(clock, resources.step, 1);
    let count = repeats;
    let timeMs = await submitted(clock, resources.step, count);
    while (calibrates && timeMs < SAMPLE_MS / 2 && count < 4096) {
      count = Math.ceil(count * Math.min(16, SAMPLE_MS / timeMs));
      timeMs = await submitted(clock, resources.step, count);
    }
    return { timeMs: timeMs / count, repeats: count };
  } finally {
    release(memory, resources);
  }
}

/** Milliseconds of `repeats` runs of kernels in one submission, its own cost included. */
function submitted(clock: Clock, kernels: readonly Recorded[], repeats: number): Promise<number> {
  const numbers = new Uint32Array(STEP_ARGUMENT_BYTES / 4);
  return clock.time((encoder) => {
    const pass = encoder.beginComputePass({ label: "tune" });
    for (let i = 0; i < repeats; i++) {
      for (const kernel of kernels) encode(pass, kernel, numbers, 0);
    }
    pass.end();
  });
}
