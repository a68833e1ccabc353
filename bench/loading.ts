import type { Browser } from "puppeteer";
import { batch, firstData, hidden, inputs, outputs } from "./first/data";
import type { FirstPage } from "./first/pages";
import { messageOf } from "./measure";
import type { MeasuredLoading } from "./results";
import type { Served } from "./server";
import { spreadOf } from "./statistics";

/** How long the browser rests before a page is opened: it ends the last one's processes, and begins others. */
const REST_MS = 500;

/** Each page `rounds` times, in turns, every time in a browser context of its own: no cache of code, shaders or data. */
export async function measureLoading(
  browser: Browser,
  served: Served,
  pages: readonly FirstPage[],
  rounds: number,
  say: (line: string) => void,
): Promise<MeasuredLoading[]> {
  const expected = expectedLoss();
  const found = pages.map((page) => ({ page, samples: [] as number[], gzipBytes: 0, why: "" }));
  for (let round = -1; round < rounds; round++) {
    for (const one of found) {
      if (one.why) continue;
      const { bundle, backend, contender } = one.page;
      say(`W5  ${contender}${round < 0 ? ": warming up" : ""}`);
      served.takeBytes();
      try {
        const { ms, loss } = await load(browser, `${served.address}first/${bundle}/index.html?backend=${backend}`);
        if (!(Math.abs(loss / expected - 1) < 1e-4)) one.why = `loss ${loss}, float64 finds ${expected}`;
        if (round >= 0) one.samples.push(ms);
        one.gzipBytes = Object.values(served.takeBytes()).reduce((sum, bytes) => sum + bytes, 0);
      } catch (error) {
        one.why = messageOf(error).split("\n")[0] as string;
      }
    }
  }
  return found.map(({ page: { contender, ours, webgpu }, samples, gzipBytes, why }) => {
    const ms = samples.length > 0 ? spreadOf(samples) : { median: Number.NaN, low: Number.NaN, high: Number.NaN };
    return { contender, ours, webgpu, ms, samples, gzipBytes, ...(why && { why }) };
  });
}

async function load(browser: Browser, url: string): Promise<{ ms: number; loss: number }> {
  const context = await browser.createBrowserContext();
  try {
    const page = await context.newPage();
    // What the last page leaves behind is none of this one's time.
    await new Promise((resolve) => setTimeout(resolve, REST_MS));
    await page.goto(url);
    const handle = await page.waitForFunction(() => globalThis.first, { timeout: 60_000, polling: 20 });
    const first = (await handle.jsonValue()) as NonNullable<typeof globalThis.first>;
    if ("error" in first) throw new Error(first.error);
    return first;
  } finally {
    await context.close();
  }
}

/** The loss before the first step, in float64. */
function expectedLoss(): number {
  const { x, y, w1, w2 } = firstData();
  let loss = 0;
  for (let row = 0; row < batch; row++) {
    const h = new Float64Array(hidden);
    for (let k = 0; k < inputs; k++) {
      const value = x[row * inputs + k] as number;
      for (let j = 0; j < hidden; j++) h[j] = (h[j] as number) + value * (w1[k * hidden + j] as number);
    }
    for (let o = 0; o < outputs; o++) {
      let sum = 0;
      for (let j = 0; j < hidden; j++) sum += Math.max(h[j] as number, 0) * (w2[j * outputs + o] as number);
      loss += (sum - (y[row * outputs + o] as number)) ** 2;
    }
  }
  return loss;
}
