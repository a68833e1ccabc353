import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import type { Browser, BrowserContext, Page } from "puppeteer";
import { build, type PreviewServer, preview } from "vite";
import { launchChrome } from "../../scripts/chrome.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Of any one wait in a page: far beyond what a busy machine needs, and short of the test's own end. */
const WAIT_MS = 240_000;

const INSECURE = "wgrad.test";

/** The built pages as a host would serve them, and a Chrome that opens them. */
export interface Site {
  readonly address: string;
  /** The same over a name that a browser holds for insecure: there it gives no WebGPU. */
  readonly withoutGpu: string;
  readonly browser: Browser;
  /**
   * A page of its own, without what another has kept; everything wrong that it says is collected. `first` runs in it
   * before anything else does.
   */
  open(path: string, first?: () => void): Promise<{ page: Page; faults: string[] }>;
  /** Closes what was opened: a page that trains on would take its share of the machine. */
  leave(): Promise<void>;
  close(): Promise<void>;
}

/** Built into a folder of the caller's own: test files run beside each other. */
export async function openSite(caller: string): Promise<Site> {
  const outDir = `out/page-under-test/${caller}`;
  await build({ root, logLevel: "warn", build: { outDir } });
  const server: PreviewServer = await preview({
    root,
    logLevel: "warn",
    build: { outDir },
    preview: { host: "127.0.0.1", port: 4193, allowedHosts: [INSECURE] },
  });
  const address = server.resolvedUrls?.local[0];
  if (!address) throw new Error("internal: the pages have no address");
  const withoutGpu = address.replace("127.0.0.1", INSECURE);
  const browser = await launchChrome({
    defaultViewport: { width: 1440, height: 1000 },
    // A camera that shows a moving picture, and nobody to ask for it.
    args: [
      `--host-resolver-rules=MAP ${INSECURE} 127.0.0.1`,
      "--use-fake-device-for-media-stream",
      "--use-fake-ui-for-media-stream",
    ],
  });
  const contexts = new Set<BrowserContext>();
  return {
    address,
    withoutGpu,
    browser,
    async open(path, first) {
      const context = await browser.createBrowserContext();
      contexts.add(context);
      const page = await context.newPage();
      page.setDefaultTimeout(WAIT_MS);
      const faults: string[] = [];
      page.on("console", (message) => {
        if (message.type() === "error") faults.push(message.text());
      });
      page.on("pageerror", (error) => faults.push(String(error)));
      page.on("request", (request) => {
        const url = request.url(); // also those of its workers
        const own = [address, withoutGpu, "data:", "blob:"].some((start) => url.startsWith(start));
        if (!own) faults.push(`asked for ${url}`);
      });
      if (first) await page.evaluateOnNewDocument(first);
      await page.goto(new URL(path, address).href);
      return { page, faults };
    },
    async leave() {
      await Promise.all([...contexts].map((context) => context.close()));
      contexts.clear();
    },
    async close() {
      await browser.close();
      await server.close();
    },
  };
}

/**
 * Bytes that a page asks for until `ready`, packed with gzip, those of its workers among them, but for what `isData` names: the same page is
 * loaded again for it.
 */
export async function firstLoad(
  site: Site,
  page: Page,
  ready: () => Promise<void>,
  isData: (url: string) => boolean = () => false,
): Promise<number> {
  const urls = new Set<string>();
  page.on("request", (request) => urls.add(request.url()));
  await page.reload();
  await ready();
  const own = [...urls].filter((url) => url.startsWith(site.address) && !isData(url));
  const sizes = await Promise.all(
    own.map(async (url) => gzipSync(Buffer.from(await (await fetch(url)).arrayBuffer())).length),
  );
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  console.log(`first load: ${own.length} files, ${bytes} bytes gzipped`);
  if (!own.some((url) => /worker/.test(url))) throw new Error("what its worker asks for is not counted");
  return bytes;
}

/** The text of an element. */
export async function textOf(page: Page, selector: string): Promise<string> {
  return page.$eval(selector, (element) => element.textContent?.trim() ?? "");
}

/** A figure of the page as a number: "98.9 %", "1,024". */
export async function numberOf(page: Page, selector: string): Promise<number> {
  return Number.parseFloat((await textOf(page, selector)).replace(/,/g, ""));
}

/** Waits until a figure is at least so large. */
export async function reaches(page: Page, selector: string, least: number): Promise<void> {
  await page.waitForFunction(
    (selector, least) =>
      Number.parseFloat(document.querySelector(selector)?.textContent?.replace(/,/g, "") ?? "") >= least,
    { polling: 50 },
    selector,
    least,
  );
}

/** Waits until an element's text is this, or is like it. */
export async function says(page: Page, selector: string, expected: string | RegExp): Promise<void> {
  const [source, flags] = typeof expected === "string" ? [null, ""] : [expected.source, expected.flags];
  await page.waitForFunction(
    (selector, exact, source, flags) => {
      const text = document.querySelector(selector)?.textContent?.trim();
      return text !== undefined && (source === null ? text === exact : new RegExp(source, flags).test(text));
    },
    { polling: 50 },
    selector,
    String(expected),
    source,
    flags,
  );
}

/** What axe-core finds, of whatever weight, as rule and element. */
export async function axeFaults(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  return page.evaluate(async () => {
    interface Result {
      violations: { id: string; nodes: { html: string }[] }[];
    }
    const { axe } = globalThis as unknown as { axe: { run(): Promise<Result> } };
    const { violations } = await axe.run();
    return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 160)}`));
  });
}

/** Gives a field this value as a person would, who then leaves it. */
export async function setField(page: Page, selector: string, value: string | number): Promise<void> {
  await page.$eval(
    selector,
    (field, value) => {
      (field as HTMLInputElement).value = value;
      field.dispatchEvent(new Event("input", { bubbles: true }));
      field.dispatchEvent(new Event("change", { bubbles: true }));
    },
    String(value),
  );
}
