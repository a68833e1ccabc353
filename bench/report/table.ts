import type { Cell, MeasuredEntry, MeasuredLoading, MeasuredScaling, MeasuredWorkload, Results } from "../results";
import { crossings } from "../scaling";
import { type Column, figures, kilobytes, type Line, time, times } from "./format";

export interface Table {
  columns: readonly Column[];
  lines: readonly Line[];
}

type Measured = Extract<Cell, { status: "measured" }>;

export function measuredOf({ cells }: MeasuredWorkload, contender: string): Measured | null {
  const cell = cells.find((one) => one.contender === contender);
  return cell?.status === "measured" ? cell : null;
}

/** The quicker of ours, if any was measured. */
export function bestOfOurs(workload: MeasuredWorkload): Measured | null {
  const ours = ["wgrad webgpu", "wgrad cpu"].flatMap((name) => measuredOf(workload, name) ?? []);
  return ours.sort((a, b) => a.ms.median - b.ms.median)[0] ?? null;
}

/** The one line that must stand above every table: what it was measured on. */
export function headOf({ adapter, runtime, machine, date, commit }: Results): string[] {
  const name = adapter
    ? [adapter.vendor, adapter.architecture, adapter.description].filter(Boolean).join(" ")
    : "no adapter";
  const kind = adapter?.software ? "SOFTWARE ADAPTER" : "adapter";
  return [
    `${kind}: ${name}`,
    ...(adapter?.software ? ["Its WebGPU figures are a processor's: they say nothing of a GPU."] : []),
    ...(machine.load > 0.4 * machine.cores
      ? [`OTHERS RAN BESIDE IT: a load of ${figures(machine.load)} on ${machine.cores} cores as it began.`]
      : []),
    `${runtime}; ${machine.processor}, ${machine.cores} cores; ${date}, commit ${commit}`,
  ];
}

/** Of each workload what each of ours takes, by browser. */
export function fleetTable(browsers: readonly { title: string; results: Results }[]): Table {
  const columns: Column[] = [
    { title: "", align: "left" },
    ...browsers.map(({ title }): Column => ({ title, align: "right" })),
  ];
  const ids = [...new Set(browsers.flatMap(({ results }) => results.workloads.map(({ id }) => id)))];
  const lines = ids.flatMap((id) =>
    ["wgrad webgpu", "wgrad cpu"].map((contender) => {
      const cells = browsers.map(({ results }) => {
        const workload = results.workloads.find((one) => one.id === id);
        const measured = workload && measuredOf(workload, contender);
        return measured ? time(measured.ms.median) : "–";
      });
      return [`${id}  ${contender}`, ...cells];
    }),
  );
  return { columns, lines };
}

/** Every workload's contenders: medians with their quartiles, and how many times slower than ours each is. */
export function workloadTable({ workloads }: Results): Table {
  const columns: Column[] = [
    { title: "", align: "left" },
    { title: "median", align: "right" },
    { title: "quartiles", align: "right" },
    { title: "÷ wgrad webgpu", align: "right" },
    { title: "÷ wgrad's best", align: "right" },
    { title: "GFLOP/s", align: "right" },
    { title: "rounds", align: "right" },
    { title: "off float64", align: "right" },
  ];
  const lines = workloads.flatMap((workload): Line[] => {
    const webgpu = measuredOf(workload, "wgrad webgpu");
    const best = bestOfOurs(workload);
    const rows = workload.cells.map((cell): string[] => {
      if (cell.status !== "measured") return [cell.contender, labels[cell.status]];
      const { median, low, high } = cell.ms;
      return [
        cell.contender,
        time(median),
        `${time(low)} … ${time(high)}`,
        webgpu ? times(median / webgpu.ms.median) : "",
        best ? times(median / best.ms.median) : "",
        figures(workload.flops / median / 1e6),
        `${cell.samples.length} of ${cell.stepsPerRound}`,
        cell.error.toExponential(0),
      ];
    });
    return [{ heading: `${workload.id}  ${workload.title}` }, ...rows];
  });
  return { columns, lines };
}

/** Why cells of the workload table have no figure, and what the peers say of themselves. */
export function contenderLines({ workloads, contenders }: Results): string[] {
  const cells = workloads.flatMap(({ id, cells }) =>
    cells.flatMap((cell) =>
      cell.status === "measured" ? [] : [`${id} ${cell.contender}: ${cell.status}, ${cell.why}`],
    ),
  );
  const absent = contenders.filter(({ absent }) => absent).map(({ name, says }) => `${name}: not there, ${says}`);
  const there = new Set(contenders.flatMap(({ ours, absent, says }) => (ours || absent ? [] : [says])));
  return [...cells, ...absent, ...(there.size > 0 ? [`peers: ${[...there].join("; ")}`] : [])];
}

const labels = { mismatch: "ERROR: another result", failed: "failed", skipped: "skipped" } as const;

export function loadingTable(loading: readonly MeasuredLoading[]): Table {
  const ours = loading.find(({ contender }) => contender === "wgrad webgpu");
  return {
    columns: [
      { title: "", align: "left" },
      { title: "first step", align: "right" },
      { title: "quartiles", align: "right" },
      { title: "÷ wgrad webgpu", align: "right" },
      { title: "gzip", align: "right" },
      { title: "", align: "left" },
    ],
    lines: loading.map(({ contender, ms, gzipBytes, why }) =>
      why
        ? [contender, "failed", "", "", "", why]
        : [
            contender,
            time(ms.median),
            `${time(ms.low)} … ${time(ms.high)}`,
            ours ? times(ms.median / ours.ms.median) : "",
            kilobytes(gzipBytes),
            "",
          ],
    ),
  };
}

export function entriesTable(entries: readonly MeasuredEntry[]): Table {
  return {
    columns: [
      { title: "", align: "left" },
      { title: "at once", align: "right" },
      { title: "when needed", align: "right" },
    ],
    lines: entries.map(({ name, gzipBytes, laterBytes }) => [name, kilobytes(gzipBytes), kilobytes(laterBytes)]),
  };
}

export function scalingTable(scaling: MeasuredScaling): Table {
  const contenders = [...new Set(scaling.points.map(({ contender }) => contender))];
  const sizes = [...new Set(scaling.points.map(({ at }) => at))];
  return {
    columns: [
      { title: scaling.over, align: "right" },
      ...contenders.map((title): Column => ({ title, align: "right" })),
      { title: "route chosen", align: "left" },
    ],
    lines: sizes.map((at) => {
      const points = contenders.map((name) =>
        scaling.points.find((point) => point.at === at && point.contender === name),
      );
      const route = points.find((point) => point?.contender.endsWith("webgpu"))?.route ?? "";
      return [String(at), ...points.map((point) => (point?.ms ? time(point.ms.median) : "–")), route];
    }),
  };
}

/** Where backends and routes cross, and where wgrad changes its route. */
export function crossingLines(scaling: MeasuredScaling): string[] {
  const { over, points } = scaling;
  const crossed = (a: string, b: string) => {
    const at = crossings(scaling, a, b).map((size) => figures(size));
    return `${a} and ${b} ${at.length > 0 ? `cross at ${over} ${at.join(", ")}` : "do not cross here"}`;
  };
  const chosen = points.filter(({ contender, ms }) => contender === "wgrad webgpu" && ms);
  const changes = chosen.slice(1).flatMap(({ at, route }, i) => {
    const before = chosen[i];
    return before && before.route !== route ? [`${before.route} up to ${over} ${before.at}, ${route} from ${at}`] : [];
  });
  const choice = changes.length > 0 ? changes.join("; ") : `${chosen[0]?.route ?? "nothing"} throughout`;
  return [
    crossed("wgrad webgpu", "wgrad cpu"),
    `${crossed("wgrad persistent", "wgrad recorded")}; wgrad chooses ${choice}`,
  ];
}

/**
 * What each of our rows on WebGPU is held against: the arithmetic of its formulas, the bytes that it cannot do without and
 * its dispatches, at the rates that this adapter was seen to reach.
 */
export function limitTable({ workloads, limits }: Results): Table | null {
  if (!limits) return null;
  const lines = workloads.flatMap((workload): Line[] => {
    const cell = measuredOf(workload, "wgrad webgpu");
    if (!cell?.plan) return [];
    const { route, dispatches } = cell.plan;
    const { median } = cell.ms;
    const needs = [
      { name: "arithmetic", ms: workload.flops / (limits.gflops * 1e6) },
      { name: "bytes", ms: workload.bytes / (limits.gigabytesPerSecond * 1e6) },
      { name: "dispatches", ms: (dispatches * limits.dispatchMicroseconds) / 1000 },
    ];
    const [arithmetic, bytes] = needs.map(({ ms }) => time(ms)) as [string, string];
    const most = needs.reduce((a, b) => (b.ms > a.ms ? b : a));
    const queue = dispatches > 0 ? `${dispatches}: ${time(needs[2]?.ms ?? 0)}` : "–";
    return [[workload.id, route, time(median), arithmetic, bytes, queue, most.name, times(median / most.ms)]];
  });
  return {
    columns: [
      { title: "wgrad webgpu", align: "left" },
      { title: "route", align: "left" },
      { title: "measured", align: "right" },
      { title: "arithmetic", align: "right" },
      { title: "bytes", align: "right" },
      { title: "dispatches", align: "right" },
      { title: "limited by", align: "left" },
      { title: "off that limit", align: "right" },
    ],
    lines,
  };
}

export function limitLine({ limits }: Results): string {
  if (!limits) return "";
  const { gflops, gigabytesPerSecond, dispatchMicroseconds, roundTripMs } = limits;
  return (
    `limits of this adapter, by kernels that do nothing else: ${figures(gflops)} GFLOP/s, ` +
    `${figures(gigabytesPerSecond)} GB/s, ${figures(dispatchMicroseconds)} µs a dependent dispatch, ` +
    `${figures(roundTripMs)} ms a submission and back`
  );
}
