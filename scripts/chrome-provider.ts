import { defineBrowserProvider } from "@vitest/browser";
import type { Browser, Page } from "puppeteer";
import type { BrowserProvider, BrowserProviderOption, TestProject } from "vitest/node";
import { launchChrome } from "./chrome.mjs";

/** Runs a vitest project in the Chrome that `npm start` uses too: same finding, same flags. */
export function chromeProvider(): BrowserProviderOption {
  return defineBrowserProvider({ name: "chrome", supportedBrowser: ["chrome"], providerFactory: openChrome });
}

function openChrome(project: TestProject): BrowserProvider {
  let browser: Promise<Browser> | undefined;
  let closing = false;
  const pages = new Map<string, Page>();

  function pageOf(sessionId: string): Page {
    const page = pages.get(sessionId);
    if (!page) throw new Error(`internal: no page for the test session ${sessionId}`);
    return page;
  }
  function failRun(kind: string, error: unknown): void {
    if (!closing) project.vitest.state.catchError(error, kind);
  }
  async function launch(): Promise<Browser> {
    const launched = await launchChrome({ defaultViewport: null });
    launched.on("disconnected", () => failRun("Browser Closed", new Error("Chrome went away while tests ran.")));
    return launched;
  }

  return {
    name: "chrome",
    supportsParallelism: false,
    getCommandsContext: (sessionId) => ({ page: pageOf(sessionId) }),
    async openPage(sessionId, url) {
      browser ??= launch();
      const page = await (await browser).newPage();
      pages.set(sessionId, page);
      // A crashed page would hold its connection open and the run would wait for it: closing ends both.
      page.on("error", (error) => {
        failRun("Page Crash", error);
        page.close().catch(() => {});
      });
      page.on("pageerror", (error) => failRun("Page Error", error));
      // What the browser itself says, WebGPU's validation above all: vitest shows only what scripts write.
      page.on("console", (message) => {
        if (message.args().length === 0) console.error(`Chrome, ${message.type()}: ${message.text()}`);
      });
      await page.goto(url, { timeout: 0 });
    },
    async close() {
      closing = true;
      pages.clear();
      if (browser) await (await browser).close();
    },
  };
}
