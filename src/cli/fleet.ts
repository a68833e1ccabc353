import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Checked, Opened } from "../playground/verify/suite";
import { type Answers, connectTo } from "./connect.js";
import type { Progress } from "./progress";
import type {} from "./verify-page";

/** One adapter, and what was found of it. */
export interface Verified {
  title: string;
  opened: Opened;
  seconds: number;
  results: Checked[];
}

/** Of the browsers asked: those that answered to the end, and why the others did not. */
export interface Fleet {
  verified: Verified[];
  dead: { address: string; reason: string }[];
}

/** As trusted as a page of the browser's own machine, where nothing is asked for. */
const ORIGIN = "http://localhost:4194";

/** Runs the suite in all browsers at once, each on its own adapter. */
export async function verifyFleet(addresses: readonly string[], whole: boolean, progress: Progress): Promise<Fleet> {
  const answers = await pageOf();
  const done = new Map<string, number>();
  const told = (address: string, count: number) => {
    done.set(address, count);
    const sum = [...done.values()].reduce((all, each) => all + each, 0);
    progress.tell(sum, address);
  };
  const fleet: Fleet = { verified: [], dead: [] };
  const lost = (address: string, error: unknown) => {
    fleet.dead.push({ address, reason: error instanceof Error ? error.message : String(error) });
  };
  const opened: Member[] = [];
  const each = async <T>(all: readonly T[], addressOf: (one: T) => string, work: (one: T) => Promise<unknown>) => {
    await Promise.all(all.map((one) => work(one).catch((error) => lost(addressOf(one), error))));
  };
  try {
    await each(addresses, String, async (address) => {
      opened.push(await memberAt(address, whole, answers, (count) => told(address, count)));
    });
    // In the order in which they were asked for, whoever answered first.
    opened.sort((a, b) => addresses.indexOf(a.address) - addresses.indexOf(b.address));
    const total = opened.reduce((sum, member) => sum + member.opened.checks, 0);
    if (total > 0) progress.start(total, 0);
    const verified = new Map<Member, Verified>();
    await each(
      opened,
      ({ address }) => address,
      async (member) => verified.set(member, await member.run()),
    );
    fleet.verified = opened.flatMap((member) => verified.get(member) ?? []);
  } finally {
    progress.stop();
    await Promise.all(opened.map((member) => member.close()));
  }
  return fleet;
}

/** A browser that has opened its adapter. */
interface Member {
  readonly address: string;
  readonly opened: Opened;
  run(): Promise<Verified>;
  close(): Promise<void>;
}

async function memberAt(
  address: string,
  whole: boolean,
  answers: Answers,
  told: (count: number) => void,
): Promise<Member> {
  const { browser, version, close } = await connectTo(address, ORIGIN, answers);
  const gone = new Promise<never>((_, reject) => {
    browser.once("disconnected", () => reject(new Error("the browser went away")));
  });
  gone.catch(() => {}); // told by who waits for an answer
  try {
    const page = await browser.newPage();
    await page.exposeFunction("toldOfCheck", told);
    await page.goto(`${ORIGIN}/`);
    const opened = await Promise.race([gone, page.evaluate((whole) => globalThis.openSuite(whole), whole)]);
    if (opened.backend !== "webgpu") throw new Error(opened.reason || "it has no WebGPU");
    const { vendor, architecture, description } = opened.info;
    const adapter = [vendor, architecture, description].filter(Boolean).join(" ") || "WebGPU";
    const title = `${adapter}, ${version} at ${address}`;
    const run = async () => {
      const ran = await Promise.race([gone, page.evaluate(() => globalThis.runSuite())]);
      return { title, opened, ...ran };
    };
    return { address, opened, run, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The page that a browser is given, and its module, which the build puts beside this file. */
async function pageOf(): Promise<Answers> {
  const module = await readFile(join(dirname(fileURLToPath(import.meta.url)), "verify-page.js"));
  const page = '<!doctype html><title>wgrad verify</title><script type="module" src="/verify-page.js"></script>';
  return async (url) => {
    const isModule = url.endsWith("/verify-page.js");
    const type = isModule ? "text/javascript" : "text/html";
    return { status: 200, headers: { "Content-Type": type }, body: isModule ? module : new TextEncoder().encode(page) };
  };
}
