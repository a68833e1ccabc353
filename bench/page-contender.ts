import type { Browser, Page } from "puppeteer";
import type { Contender } from "./contender";
import type { Entrant, PageName } from "./contenders";
import type { Limits } from "./limits";

const patienceMs = 120_000;

/** A library in a page of its own, so that none meets another's state or garbage. */
export function pageContender(
  browser: Browser,
  address: string,
  entrant: Entrant & { name: PageName },
): Contender & { limits(): Promise<Limits | null> } {
  let page: Page | undefined;
  let trouble = "";
  const inPage = async <T>(call: (page: Page) => Promise<T>): Promise<T> => {
    if (!page) throw new Error("its page is closed");
    trouble = "";
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer in ${patienceMs / 1000} s`)), patienceMs);
    });
    try {
      return await Promise.race([call(page), late]);
    } catch (error) {
      throw new Error([errorText(error), trouble].filter(Boolean).join("; "));
    } finally {
      clearTimeout(timer);
    }
  };
  return {
    ...entrant,
    async open() {
      page = await browser.newPage();
      page.on("pageerror", (error) => {
        trouble = errorText(error);
      });
      page.on("console", (message) => {
        if (message.type() === "error") trouble = message.text();
      });
      await page.goto(`${address}bench/pages/measure.html`);
      await page.waitForFunction(() => globalThis.bench !== undefined);
      return inPage((page) => page.evaluate((name) => globalThis.bench.start(name), entrant.name));
    },
    prepare: (task) => inPage((page) => page.evaluate((task) => globalThis.bench.prepare?.(task), task)),
    run: (steps) => inPage((page) => page.evaluate((steps) => globalThis.bench.run?.(steps) as never, steps)),
    row: (row) => inPage((page) => page.evaluate((row) => globalThis.bench.row?.(row) as never, row)),
    plan: () => inPage((page) => page.evaluate(() => globalThis.bench.plan?.() as never)),
    release: () => inPage((page) => page.evaluate(() => globalThis.bench.release?.())),
    limits: () => inPage((page) => page.evaluate(() => globalThis.bench.limits())),
    async close() {
      await page?.close();
      page = undefined;
    },
  };
}

function errorText(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n")[0] as string;
}
