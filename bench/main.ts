import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import type { Browser } from "puppeteer";
import { launchChrome } from "../scripts/chrome.mjs";
import { buildFirst, buildPages } from "./build";
import type { Contender } from "./contender";
import { pageContenders } from "./contenders";
import { firstPages } from "./first/pages";
import { measureLoading } from "./loading";
import { commitOf, machine } from "./machine";
import { type Budget, measureWorkload, messageOf } from "./measure";
import type { Options } from "./options";
import { pageContender } from "./page-contender";
import { pythonContender, pythonContenders } from "./python";
import { markdownReport, terminalReport } from "./report/report";
import { measuredOf } from "./report/table";
import type { Adapter, MeasuredWorkload, Results } from "./results";
import { measureScaling } from "./scaling";
import { serve } from "./server";
import { type Workload, workloads } from "./workloads";

const normal: Budget = { rounds: 9, roundMs: 250, cellMs: 4000, stepMs: 5000 };
const quick: Budget = { rounds: 5, roundMs: 100, cellMs: 1500, stepMs: 2000 };

/** Measures in headless Chrome, prints the tables, draws the chart, keeps the figures. */
export async function main(root: string, options: Options, args: string[]): Promise<void> {
  const began = performance.now();
  const budget = options.quick ? quick : normal;
  const site = join(root, "out/bench/site");
  const out = join(root, "out/bench");
  const closers: (() => Promise<unknown>)[] = [];
  try {
    say("building the pages");
    await buildPages(root, site);
    const first = firstPages.filter(({ ours }) => ours || options.peers);
    if (options.only.has("W5")) {
      for (const bundle of new Set(first.map(({ bundle }) => bundle))) {
        await buildFirst(root, join(site, "first", bundle), bundle);
      }
    }
    const served = await serve(site);
    closers.push(() => served.close());
    const browser = await launchChrome({ defaultViewport: { width: 1400, height: 900, deviceScaleFactor: 2 } });
    closers.push(() => browser.close());
    const adapter = await adapterOf(browser, served.address);
    say(adapter ? `adapter: ${adapter.description || adapter.architecture}` : "no adapter: WebGPU's rows will fail");

    const { contenders, ready, limits } = await openAll(browser, served.address, options);
    closers.push(async () => Promise.all(ready.map((contender) => contender.close())));
    const sizes =
      !adapter || (adapter.software && !options.full) ? [256, 512, 1024, 2048] : [256, 512, 1024, 2048, 4096];
    const results: Results = {
      format: 1,
      date: new Date().toISOString().slice(0, 10),
      commit: commitOf(root),
      runtime: await browser.version(),
      machine: machine(),
      adapter,
      options: args,
      contenders,
      limits,
      workloads: await measureAll(
        workloads(sizes).filter(({ group }) => options.only.has(group)),
        ready,
        budget,
      ),
      loading: [],
      scaling: [],
      seconds: 0,
    };
    if (options.only.has("W6")) {
      const ours = ready.filter(({ ours }) => ours);
      results.scaling = await measureScaling(ours, options.quick ? 3 : 5, options.quick ? 40 : 80, say);
    }
    for (const contender of ready.splice(0)) await contender.close();
    if (options.only.has("W5")) {
      results.loading = await measureLoading(browser, served, first, options.quick ? 3 : 7, say);
    }
    results.seconds = (performance.now() - began) / 1000;

    const name = `${results.date}-${nameOf(adapter)}`;
    const kept = join(root, "bench/results");
    mkdirSync(kept, { recursive: true });
    // What was not measured whole is not kept among the results.
    const whole = !options.quick && options.peers && options.only.size === 6;
    const json = join(whole ? kept : out, `${name}.json`);
    writeFileSync(json, `${JSON.stringify(results, rounded, 1)}\n`);
    const png = join(whole ? kept : out, `${name}.png`);
    await drawChart(browser, served.address, results, png);
    console.log(`\n${terminalReport(results)}\n\nwritten: ${relative(root, json)}\n         ${relative(root, png)}`);
  } finally {
    for (const close of closers.reverse()) await close().catch((error) => console.error(messageOf(error)));
  }
}

/** Opens every contender; who does not start is in the list with the reason, and not among the ready. */
async function openAll(browser: Browser, address: string, { peers }: Options) {
  const contenders: Results["contenders"] = [];
  const ready: Contender[] = [];
  let limits: Results["limits"] = null;
  const pages = pageContenders.filter(({ ours }) => ours || peers).map((one) => pageContender(browser, address, one));
  const pythons = peers ? pythonContenders.map((one) => pythonContender(one)) : [];
  for (const contender of [...pages, ...pythons]) {
    const { name, ours, webgpu } = contender;
    try {
      contenders.push({ name, ours, webgpu, says: await contender.open(), absent: false });
      ready.push(contender);
    } catch (error) {
      contenders.push({ name, ours, webgpu, says: messageOf(error), absent: true });
      await contender.close();
    }
  }
  say("the adapter's limits");
  try {
    limits = (await pages.find((page) => ready.includes(page))?.limits()) ?? null;
  } catch (error) {
    say(`limits: ${messageOf(error)}`);
  }
  return { contenders, ready, limits };
}

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

async function adapterOf(browser: Browser, address: string): Promise<Adapter | null> {
  const page = await browser.newPage();
  try {
    await page.goto(`${address}bench/pages/measure.html`);
    return await page.evaluate(async () => {
      const adapter = await navigator.gpu?.requestAdapter();
      if (!adapter) return null;
      const { vendor, architecture, description, isFallbackAdapter } = adapter.info;
      return { vendor, architecture, description, software: isFallbackAdapter };
    });
  } finally {
    await page.close();
  }
}

async function drawChart(browser: Browser, address: string, results: Results, path: string): Promise<void> {
  const page = await browser.newPage();
  await page.goto(`${address}bench/pages/chart.html`);
  await page.waitForFunction(() => globalThis.draw !== undefined);
  await page.evaluate((results) => globalThis.draw?.(results), results as never);
  const drawn = await page.$("main");
  await drawn?.screenshot({ path: path as `${string}.png` });
  await page.close();
}

const begin = "<!-- figures: begin -->";
const end = "<!-- figures: end -->";

/** Puts the newest kept results into bench/README.md, between its two marks. */
export function fillReadme(root: string): void {
  const kept = join(root, "bench/results");
  const newest = readdirSync(kept)
    .filter((name) => name.endsWith(".json"))
    .sort()
    .at(-1);
  if (!newest) throw new Error("bench/results has no results yet: npm run bench");
  const results = JSON.parse(readFileSync(join(kept, newest), "utf8")) as Results;
  const path = join(root, "bench/README.md");
  const [before, rest] = readFileSync(path, "utf8").split(begin);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined) throw new Error(`bench/README.md lacks ${begin} … ${end}`);
  const chart = `![The figures of ${newest}](results/${newest.replace(/json$/, "png")})`;
  writeFileSync(path, `${before}${begin}\n\n${markdownReport(results)}\n\n${chart}\n\n${end}${after}`);
  console.log(`bench/README.md has the figures of bench/results/${newest}`);
}

function nameOf(adapter: Adapter | null): string {
  const name = adapter?.software ? "software" : [adapter?.vendor, adapter?.architecture].filter(Boolean).join("-");
  return (name || "no-adapter").toLowerCase().replace(/[^a-z0-9-]+/g, "-");
}

/** Six figures are more than any of them is good for. */
function rounded(_key: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value;
}

function say(line: string): void {
  if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${line}`);
  else console.log(line);
}
