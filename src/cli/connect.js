// Browsers of somebody else's: a Chrome with --remote-debugging-port, a grid, another machine's. Also for scripts/ and bench/, which run as
// they are.

/** How long a browser may take to answer: a machine that is off says nothing at all. */
const PATIENCE_MS = 30_000;

/**
 * What a page that is asked for at an address of this machine is given: through the connection, so that the browser need not reach this
 * machine, and the page is as trusted as one of the browser's own machine, which WebGPU wants.
 * @typedef {(url: string, asked: { method: string, body: string | undefined }) => Promise<{ status: number, headers: Record<string, string>, body: Uint8Array }>} Answers
 *
 * @typedef {object} Connected
 * @property {string} address
 * @property {string} version
 * @property {import("puppeteer").Browser} browser Whose pages, in a context of their own, are given what `answers` gives.
 * @property {() => Promise<void>} close Takes away what was opened, and leaves the browser.
 */

/**
 * Connects to the browser at `address`, by WebDriver BiDi where that is its path (ws://host:port/session), else by DevTools; pages that it
 * opens get what is at `origin` by `answers`. Throws Error where none answers.
 * @param {string} address @param {string} origin @param {Answers} answers @returns {Promise<Connected>}
 */
export async function connectTo(address, origin, answers = fetched) {
  const { default: puppeteer } = await import("puppeteer").catch(() => {
    throw new Error(
      "a browser is connected to by the package puppeteer, which is not installed here (npm install puppeteer)",
    );
  });
  const protocol = /\/session(\/|$)/.test(new URL(address).pathname) ? "webDriverBiDi" : "cdp";
  const options = /** @type {const} */ ({ protocolTimeout: 600_000, defaultViewport: null, protocol });
  let browser;
  try {
    browser = await inTime(puppeteer.connect({ browserWSEndpoint: await endpointOf(address), ...options }));
  } catch (error) {
    throw new Error(`no browser answers there (${reasonOf(error)})`);
  }
  const { context, version } = await inTime(
    (async () => ({ context: await browser.createBrowserContext(), version: await browser.version() }))(),
  );
  browser.newPage = async () => {
    const page = await context.newPage();
    await page.setRequestInterception(true);
    page.on("request", async (request) => {
      if (!request.url().startsWith(origin)) return request.continue().catch(() => {}); // the page is gone
      try {
        // DevTools has a short body with the request; BiDi is asked for any.
        const short = protocol === "cdp" ? request.postData() : undefined;
        const body = request.hasPostData() ? (short ?? (await request.fetchPostData())) : undefined;
        await request.respond(await answers(request.url(), { method: request.method(), body }));
      } catch {
        await request.abort().catch(() => {}); // told to the page, where it is still there
      }
    });
    return page;
  };
  return {
    address,
    version: version.replace("/", " ").replace(/^f/, "F"),
    browser,
    async close() {
      await inTime(context.close()).catch(() => {});
      await browser.disconnect();
    },
  };
}

/** Chrome tells its own by http; a grid's, and one with a path, is the address itself. @param {string} address */
async function endpointOf(address) {
  const { host, pathname, protocol } = new URL(address);
  if (pathname !== "/" || !/^wss?:$/.test(protocol)) return address;
  const url = `${protocol.replace("ws", "http")}//${host}/json/version`;
  const answer = await fetch(url, { signal: AbortSignal.timeout(PATIENCE_MS) });
  return /** @type {{ webSocketDebuggerUrl?: string }} */ (await answer.json()).webSocketDebuggerUrl ?? address;
}

/** What a server of this machine has. @type {Answers} */
async function fetched(url, asked) {
  const { method, body } = asked;
  const answer = await fetch(url, { method, ...(body !== undefined && { body }) });
  // What fetch has unpacked is packed no more.
  const headers = Object.fromEntries([...answer.headers].filter(([name]) => !/^content-(encoding|length)$/.test(name)));
  return { status: answer.status, headers, body: new Uint8Array(await answer.arrayBuffer()) };
}

/** @template T @param {Promise<T>} work @returns {Promise<T>} */
function inTime(work) {
  work.catch(() => {}); // told by the race, or nobody waits any more
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`no answer in ${PATIENCE_MS / 1000} s`)), PATIENCE_MS);
    work.then(resolve, reject).finally(() => clearTimeout(late));
  });
}

/** @param {unknown} error @returns {string} */
function reasonOf(error) {
  if (!(error instanceof Error)) return String(/** @type {{ message?: unknown } | null} */ (error)?.message ?? error);
  return error.cause instanceof Error ? reasonOf(error.cause) : error.message;
}
