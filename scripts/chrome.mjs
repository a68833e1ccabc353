// A Chrome with WebGPU for `npm start`, `npm test` and the benchmarks: found, else fetched or installed.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { findChrome as findHere, startChrome, starts } from "../src/cli/chrome-start.js";
import { installPackages, isDebian, isRoot, runQuietly } from "./debian.mjs";

/** The browser that puppeteer has fetched, or would. */
async function puppeteersOwn() {
  const { default: puppeteer } = await import("puppeteer");
  try {
    return await puppeteer.executablePath();
  } catch {
    return undefined;
  }
}

async function findChrome() {
  const found = findHere();
  if (found) return found;
  const own = await puppeteersOwn();
  return own && starts(own) ? own : undefined;
}

/** Puppeteer's own fetch of the Chrome it was made for; false where there is no way to it. */
async function fetchChrome() {
  const reachable = await fetch("https://storage.googleapis.com/chrome-for-testing-public/", {
    method: "HEAD",
    signal: AbortSignal.timeout(10_000),
  }).then(
    (answer) => answer.status < 500,
    () => false,
  );
  if (!reachable) return false;
  console.log("wgrad: no Chrome on this machine; fetching one with puppeteer");
  const cli = join(fileURLToPath(import.meta.resolve("puppeteer")), "..", "node", "cli.js");
  const args = [cli, "browsers", "install", "chrome"];
  if (isRoot && isDebian()) args.push("--install-deps");
  return runQuietly(process.execPath, args);
}

function installChromium() {
  return installPackages(["chromium", "fonts-liberation"]);
}

function whatToType() {
  if (process.platform === "darwin") return "brew install --cask google-chrome";
  if (process.platform === "win32") return "winget install Google.Chrome";
  return isDebian() ? "sudo apt-get install chromium" : "npx puppeteer browsers install chrome";
}

/**
 * The path of a Chrome that starts: one found, else fetched by puppeteer, else installed by apt where this is
 * Debian and the user is root. Throws where none of that can be, with the command to type.
 * @returns {Promise<string>}
 */
export async function provideChrome() {
  const found = await findChrome();
  if (found) return found;
  for (const provide of [fetchChrome, installChromium]) {
    if (await provide()) {
      const provided = await findChrome();
      if (provided) return provided;
    }
  }
  throw new Error(
    `no Chrome, Chromium or Edge was found, and none could be fetched. Install one, for example:\n` +
      `  ${whatToType()}\n` +
      `or say where yours is: CHROME_PATH=/path/to/chrome npm start`,
  );
}

/** Ubuntu 23.10 and later lets only browsers installed by a package have the sandbox's namespaces. */
function sandboxIsBarred() {
  const path = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns";
  return existsSync(path) && readFileSync(path, "utf8").trim() === "1";
}

/**
 * A headless Chrome in which WebGPU has the GPU where there is one, and Chrome's software adapter where there is not.
 * @param {import("puppeteer").LaunchOptions} [options]
 * @returns {Promise<import("puppeteer").Browser>}
 */
export async function launchChrome(options = {}) {
  const { default: puppeteer } = await import("puppeteer");
  const executablePath = await provideChrome();
  const fetched = executablePath === (await puppeteersOwn());
  const noSandbox = process.platform === "linux" && !isRoot && fetched && sandboxIsBarred();
  const args = [...(noSandbox ? ["--no-sandbox"] : []), ...(options.args ?? [])];
  return startChrome(puppeteer, { executablePath, ...options, args });
}
