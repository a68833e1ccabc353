import { mkdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import type { Browser } from "puppeteer";
import { launchChrome } from "../scripts/chrome.mjs";
import { connectTo } from "../src/cli/connect.js";
import { buildFirst, buildPages } from "./build";
import { pageContenders, routeContenders } from "./contenders";
import { measureEntries } from "./entries";
import { type FirstPage, firstPages } from "./first/pages";
import { betterOf, type Limits } from "./limits";
import { measureLoading } from "./loading";
import { commitOf, machine } from "./machine";
import { messageOf } from "./measure";
import { isAsked, isWhole, type Options } from "./options";
import { pageContender } from "./page-contender";
import { pythonContender, pythonContenders } from "./python";
import { fleetReport, terminalReport } from "./report/report";
import type { Adapter, Results } from "./results";
import { budgetOf, isLarge, measureAll, nameOf, openAll, productSizes, say, serialised } from "./run-all";
import { measureScaling } from "./scaling";
import { type Served, serve } from "./server";
import { workloads } from "./workloads";

/** A browser to measure in, and where it was connected to, if it is somebody else's. */
interface Found {
  readonly browser: Browser;
  readonly at: string | null;
  close(): Promise<unknown>;
}

/** Measures in headless Chrome, or in the browsers that are asked for; prints the tables, draws the chart, keeps the figures. */
export async function measureInBrowser(root: string, options: Options, args: string[]): Promise<void> {
  const here = machine(); // before anything of ours runs: it says what else does
  const site = join(root, "out/bench/site");
  say("building the pages");
  await buildPages(root, site);
  const first = firstPages.filter(({ ours, contender }) => ours || isAsked(options.peers, contender));
  if (options.only.has("W5") && options.connect.length === 0) {
    for (const bundle of new Set(first.map(({ bundle }) => bundle))) {
      await buildFirst(root, join(site, "first", bundle), bundle);
    }
  }
  const served = await serve(site);
  try {
    if (options.connect.length === 0) {
      const browser = await launchChrome({ defaultViewport: { width: 1400, height: 900, deviceScaleFactor: 2 } });
      await measureIn(
        { browser, at: null, close: () => browser.close() },
        { here, root, options, args, served, first },
      );
      return;
    }
    const measured: { title: string; results: Results }[] = [];
    const dead: string[] = [];
    for (const address of options.connect) {
      try {
        const { browser, version, close } = await connectTo(address, new URL(served.address).origin);
        const results = await measureIn({ browser, at: address, close }, { here, root, options, args, served, first });
        const { vendor, architecture, description } = results.adapter ?? {};
        const adapter = [vendor, architecture, description].filter(Boolean).join(" ") || "no adapter";
        measured.push({ title: `${adapter}, ${version} at ${address}`, results });
      } catch (error) {
        dead.push(`${address}: ${messageOf(error)}`);
      }
    }
    if (measured.length > 0) console.log(`\n${fleetReport(measured)}`);
    for (const line of dead) console.error(`DEAD  ${line}`);
    if (dead.length > 0) process.exitCode = 1;
  } finally {
    await served.close();
  }
}

interface Run {
  readonly here: Results["machine"];
  readonly root: string;
  readonly options: Options;
  readonly args: string[];
  readonly served: Served;
  readonly first: readonly FirstPage[];
}

async function measureIn(found: Found, { here, root, options, args, served, first }: Run): Promise<Results> {
  const began = performance.now();
  const { browser, at } = found;
  const closers: (() => Promise<unknown>)[] = [() => found.close()];
  try {
    const { adapter, cores } = await adapterOf(browser, served.address);
    say(adapter ? `adapter: ${adapter.description || adapter.architecture}` : "no adapter: WebGPU's rows will fail");

    const pages = pageContenders
      .filter(({ ours, name }) => ours || isAsked(options.peers, name))
      .map((one) => pageContender(browser, served.address, one));
    // Python is this machine's: beside figures of another it says nothing.
    const pythons = pythonContenders
      .filter(({ name }) => at === null && isAsked(options.peers, name))
      .map((one) => pythonContender(one));
    const { contenders, ready } = await openAll([...pages, ...pythons]);
    closers.push(() => Promise.all(ready.map((contender) => contender.close())));
    const ours = pages.filter((page) => ready.includes(page));
    const limits = await limitsOf(ours);
    const chosen = workloads(productSizes(adapter, options.full), isLarge(adapter, options.full)).filter(({ group }) =>
      options.only.has(group),
    );
    const results: Results = {
      format: 1,
      kind: "browser",
      date: new Date().toISOString().slice(0, 10),
      commit: commitOf(root),
      runtime: await browser.version(),
      machine: at === null ? here : { system: "", processor: `the machine of ${at}`, cores, load: 0 },
      adapter,
      options: args,
      contenders,
      limits,
      workloads: await measureAll(chosen, ready, budgetOf(options)),
      loading: [],
      scaling: [],
      seconds: 0,
    };
    results.limits = betterOf(limits, await limitsOf(ours));
    if (options.only.has("W6")) {
      const routes = routeContenders.map((one) => pageContender(browser, served.address, one));
      const opened = await openAll(routes);
      const scanned = [...ready.filter(({ ours }) => ours), ...opened.ready];
      results.scaling = await measureScaling(scanned, options.quick ? 3 : 5, options.quick ? 40 : 80, say);
      for (const contender of opened.ready) await contender.close();
    }
    for (const contender of ready.splice(0)) await contender.close();
    // How long a page takes to load says nothing where it comes through the connection.
    if (options.only.has("W5") && at === null) {
      results.loading = await measureLoading(browser, served, first, options.quick ? 3 : 7, say);
      results.entries = await measureEntries(root);
    }
    results.seconds = (performance.now() - began) / 1000;

    const name = `${nameOf(results)}${at === null ? "" : `-${new URL(at).host.replace(/\W+/g, "-")}`}`;
    // What was not measured whole is not kept among the results.
    const kept = join(root, isWhole(options) ? "bench/results" : "out/bench");
    mkdirSync(kept, { recursive: true });
    const [json, png] = [join(kept, `${name}.json`), join(kept, `${name}.png`)];
    writeFileSync(json, serialised(results));
    await drawChart(browser, served.address, results, png);
    console.log(`\n${terminalReport(results)}\n\nwritten: ${relative(root, json)}\n         ${relative(root, png)}`);
    return results;
  } finally {
    for (const close of closers.reverse()) await close().catch((error) => console.error(messageOf(error)));
  }
}

async function limitsOf(pages: readonly { limits(): Promise<Limits | null> }[]): Promise<Limits | null> {
  say("the adapter's limits");
  try {
    return (await pages[0]?.limits()) ?? null;
  } catch (error) {
    say(`limits: ${messageOf(error)}`);
    return null;
  }
}

async function adapterOf(browser: Browser, address: string): Promise<{ adapter: Adapter | null; cores: number }> {
  const page = await browser.newPage();
  try {
    await page.goto(`${address}bench/pages/measure.html`);
    return await page.evaluate(async () => {
      const cores = navigator.hardwareConcurrency;
      const adapter = await navigator.gpu?.requestAdapter();
      if (!adapter) return { adapter: null, cores };
      const { vendor, architecture, description, isFallbackAdapter } = adapter.info;
      return { adapter: { vendor, architecture, description, software: isFallbackAdapter }, cores };
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
