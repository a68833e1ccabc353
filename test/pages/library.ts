import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "puppeteer";
import { build } from "vite";
import { launchChrome } from "../../scripts/chrome.mjs";
import { smallWgsl } from "../../scripts/small-wgsl.mjs";
import { threadBeside } from "../../scripts/thread-beside.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** The built library, as a page of somebody else's would load it, and a Chrome that opens such pages. */
export interface LibraryHost {
  readonly browser: Browser;
  /**
   * A page with this code as its module, page.mjs: `import { open } from "./index.js"`. `policy` is its Content-Security-Policy; `isolated`:
   * whether it is served with the headers of cross-origin isolation.
   */
  open(code: string, policy?: string, isolated?: boolean): Promise<Page>;
  close(): Promise<void>;
}

export async function hostLibrary(): Promise<LibraryHost> {
  const folder = join(root, "out/library-under-test");
  await build({
    root,
    configFile: false,
    publicDir: false,
    logLevel: "warn",
    plugins: [smallWgsl(), threadBeside()],
    build: {
      outDir: folder,
      target: "es2022",
      lib: { entry: join(root, "src/index.ts"), formats: ["es"], fileName: "index" },
    },
  });
  const pages: { code: string; policy: string | undefined; isolated: boolean }[] = [];
  const server = createServer(async ({ url = "/" }, answer) => {
    const [, at, file] = /^\/(\d+)\/(.*)$/.exec(url) ?? [];
    const page = pages[Number(at)];
    if (page === undefined || file === undefined) return answer.writeHead(404).end();
    if (page.policy !== undefined) answer.setHeader("Content-Security-Policy", page.policy);
    if (page.isolated) {
      answer.setHeader("Cross-Origin-Opener-Policy", "same-origin");
      answer.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
    }
    if (file === "") {
      answer
        .setHeader("Content-Type", "text/html")
        .end('<!doctype html><script type="module" src="page.mjs"></script>');
      return;
    }
    const text = file === "page.mjs" ? page.code : await readFile(join(folder, file), "utf8").catch(() => null);
    if (text === null) return answer.writeHead(404).end();
    answer.setHeader("Content-Type", "text/javascript").end(text);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const browser = await launchChrome();
  return {
    browser,
    async open(code, policy, isolated = false) {
      pages.push({ code, policy, isolated });
      const page = await browser.newPage();
      await page.goto(`http://127.0.0.1:${port}/${pages.length - 1}/`);
      return page;
    },
    async close() {
      await browser.close();
      server.close();
    },
  };
}

/** What the page's module leaves in `globalThis.result`, a promise, once it is there. */
export async function resultOf<T>(page: Page): Promise<T> {
  await page.waitForFunction(() => "result" in globalThis, { timeout: 60_000 });
  return (await page.evaluate(() => (globalThis as unknown as { result: Promise<unknown> }).result)) as T;
}
