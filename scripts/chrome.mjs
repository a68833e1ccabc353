// The one place that finds, fetches and starts a Chrome with WebGPU: for `npm start`, `npm test` and the benchmarks.

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { installPackages, isDebian, isRoot, runQuietly } from "./debian.mjs";

const linuxNames = [
  "google-chrome-stable",
  "google-chrome",
  "chromium",
  "chromium-browser",
  "google-chrome-beta",
  "google-chrome-unstable",
  "microsoft-edge-stable",
  "microsoft-edge",
];
const macApps = ["Google Chrome", "Chromium", "Google Chrome Canary", "Microsoft Edge"];
const windowsPrograms = [
  ["Google", "Chrome", "Application", "chrome.exe"],
  ["Chromium", "Application", "chrome.exe"],
  ["Microsoft", "Edge", "Application", "msedge.exe"],
];

/** Where a browser of Chrome's family usually lies on this system, best first. */
function knownPlaces() {
  if (process.platform === "darwin") {
    return ["/Applications", join(homedir(), "Applications")].flatMap((folder) =>
      macApps.map((app) => join(folder, `${app}.app`, "Contents", "MacOS", app)),
    );
  }
  if (process.platform === "win32") {
    const folders = [process.env.PROGRAMFILES, process.env["PROGRAMFILES(X86)"], process.env.LOCALAPPDATA];
    return folders.flatMap((folder) => (folder ? windowsPrograms.map((program) => join(folder, ...program)) : []));
  }
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/bin", "/usr/local/bin", "/snap/bin"];
  return linuxNames.flatMap((name) => folders.filter(Boolean).map((folder) => join(folder, name)));
}

/** The browser that puppeteer has fetched, or would. */
async function puppeteersOwn() {
  const { default: puppeteer } = await import("puppeteer");
  try {
    return await puppeteer.executablePath();
  } catch {
    return undefined;
  }
}

/**
 * Whether the file at `path` starts. Asked on Linux only, where Ubuntu's `chromium-browser` may be a notice about
 * a snap, and a fetched Chrome may lack system libraries.
 * @param {string} path
 */
function starts(path) {
  if (!existsSync(path)) return false;
  if (process.platform !== "linux") return true;
  const asked = spawnSync(path, ["--version"], { encoding: "utf8", timeout: 20_000 });
  return asked.status === 0 && /\d+\.\d+\.\d+/.test(asked.stdout);
}

/** @returns {Promise<string | undefined>} */
export async function findChrome() {
  for (const name of ["CHROME_PATH", "PUPPETEER_EXECUTABLE_PATH"]) {
    const path = process.env[name];
    if (!path) continue;
    if (starts(path)) return path;
    throw new Error(`${name} is ${path}, which is not there or does not start; correct it or unset it.`);
  }
  for (const path of knownPlaces()) if (starts(path)) return path;
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

/** WebGPU on Linux, and a browser that calls nobody. Nothing here asks for the software adapter. */
const flags = [
  "--enable-unsafe-webgpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/**
 * Headless Chrome on Linux brings up its GPU process through OpenGL on a display; without one it falls to software
 * and WebGPU with it. These bring it up through Vulkan. Without a Vulkan driver they leave no adapter at all, so
 * they are tried first and only where there is a GPU.
 * Source: https://developer.chrome.com/blog/supercharge-web-ai-testing
 */
const vulkanFlags = ["--use-angle=vulkan", "--enable-features=Vulkan", "--disable-vulkan-surface"];

function linuxHasGpu() {
  if (process.platform !== "linux") return false;
  const nodes = existsSync("/dev/dri") ? readdirSync("/dev/dri") : [];
  return nodes.some((name) => name.startsWith("renderD")) || existsSync("/dev/nvidiactl");
}

/** Ubuntu 23.10 and later lets only browsers installed by a package have the sandbox's namespaces. */
function sandboxIsBarred() {
  const path = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns";
  return existsSync(path) && readFileSync(path, "utf8").trim() === "1";
}

/** @param {import("puppeteer").Browser} browser */
async function hasHardwareAdapter(browser) {
  const page = await browser.newPage();
  try {
    await page.goto("chrome://version"); // a secure context that needs no server
    return await page.evaluate(async () => {
      const adapter = await navigator.gpu?.requestAdapter();
      return adapter ? !adapter.info.isFallbackAdapter : false;
    });
  } finally {
    await page.close();
  }
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
  const noSandbox = process.platform === "linux" && (isRoot || (fetched && sandboxIsBarred()));
  /** @param {string[]} more */
  const launch = (more) =>
    puppeteer.launch({
      executablePath,
      headless: true,
      ...options,
      timeout: 120_000, // a busy machine may need long to bring it up
      protocolTimeout: 600_000,
      pipe: options.pipe ?? true, // Chrome ends when its pipe does: none is left behind, whatever happens to this process
      args: [...flags, ...(noSandbox ? ["--no-sandbox"] : []), ...more, ...(options.args ?? [])],
    });
  if (linuxHasGpu()) {
    const browser = await launch(vulkanFlags);
    if (await hasHardwareAdapter(browser)) return browser;
    await browser.close();
  }
  return launch([]);
}
