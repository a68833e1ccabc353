import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import type { Browser } from "puppeteer";
import { launchChrome } from "../../scripts/chrome.mjs";

/** Two Chromes that were started by somebody else, and an address where there is none. */
export interface Fleet {
  readonly browsers: readonly Browser[];
  readonly addresses: readonly string[];
  readonly dead: string;
  close(): Promise<void>;
}

export async function fleet(): Promise<Fleet> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  const browsers = await Promise.all([launchChrome({ pipe: false }), launchChrome({ pipe: false })]);
  return {
    browsers,
    addresses: browsers.map((browser) => `ws://${new URL(browser.wsEndpoint()).host}`),
    dead: `ws://127.0.0.1:${port}`,
    async close() {
      await Promise.all(browsers.map((browser) => browser.close()));
    },
  };
}
