import { writeFile } from "node:fs/promises";
import { VERSION } from "../index";
import { type Checked, Suite } from "../playground/verify/suite";
import { dawn, NO_DAWN } from "./device";
import { columned } from "./figures";
import { type Fleet, type Verified, verifyFleet } from "./fleet";
import type { Progress } from "./progress";

export interface VerifyOptions {
  /** Every 64th case of an operation, and a step of each seed. */
  quick: boolean;
  /** Addresses of browsers that are checked, each on its own adapter, in place of this machine's. */
  connect: readonly string[];
  /** Where the report goes as JSON. */
  json: string | null;
  say(line: string): void;
  progress(unit: string): Progress;
}

/**
 * Holds every adapter of this machine, and the CPU, to float64, or those of the browsers that are given: each operation's cases and the seeds.
 * Whether all is within its bounds, and every browser answered.
 */
export async function verify({ quick, connect, json, say, progress }: VerifyOptions): Promise<boolean> {
  const { verified, dead }: Fleet =
    connect.length > 0
      ? await verifyFleet(connect, !quick, progress("checks"))
      : { verified: await verifyHere(quick, say, progress), dead: [] };
  if (verified.length > 0) say(table(verified));
  let off = 0;
  for (const { title, results, seconds } of verified) {
    const wrong = results.filter(({ ok }) => !ok);
    off += wrong.length;
    for (const { name, error, bound, failure } of wrong)
      say(`OFF  ${title}: ${name}: ${failure || `error ${error.toExponential(2)}, bound ${bound.toExponential(2)}`}`);
    say(
      `${title}: ${results.length - wrong.length} of ${results.length} checks are within their bounds, ${seconds.toFixed(1)} s`,
    );
  }
  for (const { address, reason } of dead) say(`DEAD  ${address}: ${reason}`);
  if (json !== null) {
    const devices = verified.map(({ title, opened, seconds, results }) => ({ title, ...opened, seconds, results }));
    const about = {
      library: "wgrad",
      version: VERSION,
      date: new Date().toISOString(),
      node: process.version,
      platform: process.platform,
    };
    await writeFile(json, `${JSON.stringify({ ...about, off, devices, dead }, null, 1)}\n`);
    say(`wrote ${json}`);
  }
  return off === 0 && dead.length === 0;
}

async function verifyHere(
  quick: boolean,
  say: VerifyOptions["say"],
  progress: VerifyOptions["progress"],
): Promise<Verified[]> {
  const gpu = await dawn();
  const adapters = gpu === null ? [] : await adaptersOf(gpu);
  if (gpu === null) say(`${NO_DAWN}; the CPU alone is checked.`);
  else if (adapters.length === 0) say("WebGPU gives no adapter here; the CPU alone is checked.");
  const verified: Verified[] = [];
  for (const adapter of [...adapters, null]) verified.push(await verifyOne(adapter, !quick, progress));
  return verified;
}

async function verifyOne(adapter: GPU | null, whole: boolean, bar: (unit: string) => Progress): Promise<Verified> {
  const suite = new Suite();
  const opened = await suite.open(adapter ? "webgpu" : "cpu", whole, adapter ?? undefined);
  const { vendor, architecture, description } = opened.info;
  const title =
    opened.backend === "cpu" ? "CPU" : [vendor, architecture, description].filter(Boolean).join(" ") || "WebGPU";
  const results: Checked[] = [];
  const progress = bar("checks");
  const began = performance.now();
  progress.start(opened.checks, 0);
  try {
    await suite.run((checked) => {
      results.push(checked);
      progress.tell(results.length, title);
    });
  } finally {
    progress.stop();
    suite.close();
  }
  return { title, opened, seconds: (performance.now() - began) / 1000, results };
}

/** Each adapter once, as a GPU that gives no other. */
async function adaptersOf(gpu: GPU): Promise<GPU[]> {
  const found = new Map<string, GPU>();
  const wishes: GPURequestAdapterOptions[] = [
    { powerPreference: "high-performance" },
    { powerPreference: "low-power" },
    { forceFallbackAdapter: true },
  ];
  for (const wish of wishes) {
    const adapter = await gpu.requestAdapter(wish);
    if (adapter === null) continue;
    const { vendor, architecture, device, description } = adapter.info;
    const key = [vendor, architecture, device, description].join(" ");
    if (found.has(key)) continue;
    // Each is asked for anew: an adapter gives one device.
    const only = new Proxy(gpu, {
      get(target, name) {
        if (name === "requestAdapter") return () => target.requestAdapter(wish);
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    found.set(key, only);
  }
  return [...found.values()];
}

/** For each operation and seed the error that is the largest part of its bound, by adapter. */
function table(verified: readonly Verified[]): string {
  const groups = [...new Set(verified.flatMap(({ results }) => results.map(({ group }) => group)))];
  const share = ({ error, bound, ok }: Checked) =>
    !ok && !(error > bound) ? Infinity : error === 0 ? 0 : error / bound;
  const head = ["", "checks", ...verified.flatMap(({ title }) => [title, "of bound", ""])];
  const rows = groups.map((group) => {
    const each = verified.map(({ results }) => results.filter((checked) => checked.group === group));
    const cells = each.flatMap((checks) => {
      const [first, ...rest] = checks;
      if (first === undefined) return ["not run", "", ""];
      const worst = rest.reduce((a, b) => (share(b) > share(a) ? b : a), first);
      const part = share(worst);
      const ok = checks.every((checked) => checked.ok);
      return [
        worst.error === 0 ? "0" : worst.error.toExponential(2),
        Number.isFinite(part) ? part.toFixed(3) : "–",
        ok ? "ok" : "OFF",
      ];
    });
    return [group, String(Math.max(...each.map(({ length }) => length))), ...cells];
  });
  return columned([head, ...rows]);
}
