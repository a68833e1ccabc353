import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import type { Browser } from "puppeteer";
import { type Dataset, type DataValues, DeviceError } from "../index";
import type { Outcome, SweepData, Work, WorkOptions } from "../sweep/index";
import page from "./chrome-page.js?raw";
import { findChrome, startChrome } from "./chrome-start.js";
import { UsageError } from "./fail";
import type { Trainer } from "./here";

/** Where this package's modules lie, as they are built: a page loads them. */
const dist = fileURLToPath(new URL("..", import.meta.url));

const OPENS_MS = 120_000;

/** A headless Chrome whose page trains what it is given. Throws UsageError where there is no puppeteer or no Chrome. */
export async function openInChrome(): Promise<Trainer> {
  const browser = await launch();
  /** What the page fetches, by its path. */
  const given = new Map<string, string>();
  const server = createServer(async ({ url = "/" }, answer) => {
    const known =
      url === "/"
        ? '<!doctype html><script type="module" src="/page.mjs"></script>'
        : url === "/page.mjs"
          ? page
          : given.get(url);
    const isModule = /^\/[\w./-]+\.js$/.test(url) && !url.includes("..");
    const text = known ?? (isModule ? await readFile(`${dist}${url.slice(1)}`, "utf8").catch(() => null) : null);
    if (text === null) return answer.writeHead(404).end();
    const type = url === "/" ? "text/html" : given.has(url) ? "application/json" : "text/javascript";
    answer.setHeader("Content-Type", type).end(text);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = async () => {
    await browser.close().catch(() => {});
    server.close();
  };
  try {
    const tab = await browser.newPage();
    let kept: (files: [number, string][]) => Promise<void> = async () => {};
    await tab.exposeFunction("wgradKept", (files: [number, string][]) => kept(files));
    await tab.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    await tab.waitForFunction("document.title === 'ready'", { timeout: OPENS_MS });
    const title = String(await tab.evaluate("wgradDevice()"));
    let trials = 0;
    return {
      title: `${title} in ${await browser.version()}`,
      close,
      async train(
        data: SweepData,
        work: Work,
        { checkpoints = new Map(), checkpointed, signal, everySeconds }: WorkOptions,
      ) {
        signal?.throwIfAborted();
        const path = `/trials/${trials++}`;
        const files = [...checkpoints].map(([id, file]) => [id, base64(file)]);
        const sets = { data: plain(data.data), validation: data.validation && plain(data.validation) };
        given.set(path, JSON.stringify({ work, ...sets, checkpoints: files, everySeconds }));
        kept = async (all) =>
          checkpointed?.(new Map(all.map(([id, file]) => [id, new Uint8Array(Buffer.from(file, "base64"))])));
        const stop = () => void tab.evaluate("wgradStop()").catch(() => {});
        signal?.addEventListener("abort", stop);
        try {
          const answer = (await tab.evaluate(`wgradTrain(${JSON.stringify(path)})`)) as {
            outcomes?: Outcome[];
            failed?: { name: string; message: string };
          };
          signal?.throwIfAborted();
          if (answer.outcomes) return answer.outcomes;
          const { name = "Error", message = "no answer" } = answer.failed ?? {};
          throw name === "DeviceError" ? new DeviceError(message) : new Error(message);
        } catch (error) {
          if (browser.connected && !tab.isClosed()) throw error;
          throw new DeviceError("Chrome has ended; the trial goes on from its checkpoint", { cause: error });
        } finally {
          signal?.removeEventListener("abort", stop);
          given.delete(path);
        }
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function base64({ buffer, byteOffset, byteLength }: Uint8Array | Float32Array | Int32Array): string {
  return Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength).toString("base64");
}

/** Numbers as a page is given them. */
function plain({ x, y }: Dataset<DataValues>) {
  const of = (values: DataValues) =>
    values instanceof Int32Array
      ? { kind: "int32", bytes: base64(values) }
      : { kind: "float32", bytes: base64(Float32Array.from(values as ArrayLike<number>)) };
  return { x: of(x), y: of(y) };
}

async function launch(): Promise<Browser> {
  const puppeteer = await library();
  try {
    const executablePath = findChrome();
    return await startChrome(puppeteer, {
      ...(executablePath === undefined ? {} : { executablePath }),
      protocolTimeout: 0, // a trial takes as long as it takes
    });
  } catch (error) {
    throw new UsageError(
      `no Chrome could be started (${error instanceof Error ? error.message.split("\n")[0] : error}); say where yours is: CHROME_PATH=/path/to/chrome`,
    );
  }
}

async function library(): Promise<Pick<typeof import("puppeteer"), "launch">> {
  try {
    return (await import("puppeteer")).default;
  } catch {
    throw new UsageError("--chrome needs the package puppeteer, which is not installed here: npm install puppeteer");
  }
}
