// Finds and starts a Chrome with WebGPU. Also for scripts/ and bench/, which run as they are: Node's own modules alone, since a set-up comes
// before there are others.

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";

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

/**
 * Whether the file at `path` starts. Asked on Linux only, where Ubuntu's `chromium-browser` may be a notice about
 * a snap, and a fetched Chrome may lack system libraries.
 * @param {string} path
 */
export function starts(path) {
  if (!existsSync(path)) return false;
  if (process.platform !== "linux") return true;
  const asked = spawnSync(path, ["--version"], { encoding: "utf8", timeout: 20_000 });
  return asked.status === 0 && /\d+\.\d+\.\d+/.test(asked.stdout);
}

/**
 * The Chrome that CHROME_PATH or PUPPETEER_EXECUTABLE_PATH names, else one of this system's that starts. Throws where what they name does not.
 * @returns {string | undefined}
 */
export function findChrome() {
  for (const name of ["CHROME_PATH", "PUPPETEER_EXECUTABLE_PATH"]) {
    const path = process.env[name];
    if (!path) continue;
    if (starts(path)) return path;
    throw new Error(`${name} is ${path}, which is not there or does not start; correct it or unset it.`);
  }
  return knownPlaces().find(starts);
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
 * A headless Chrome in which WebGPU has the GPU where there is one, and Chrome's software adapter where there is not. Without a path in
 * `options` it is the one that puppeteer has fetched.
 * @param {Pick<import("puppeteer").PuppeteerNode, "launch">} puppeteer
 * @param {import("puppeteer").LaunchOptions} options
 * @returns {Promise<import("puppeteer").Browser>}
 */
export async function startChrome(puppeteer, options) {
  const isRoot = process.getuid?.() === 0;
  /** @param {string[]} more */
  const launch = (more) =>
    puppeteer.launch({
      headless: true,
      protocolTimeout: 600_000,
      ...options,
      timeout: 120_000, // a busy machine may need long to bring it up
      pipe: options.pipe ?? true, // Chrome ends when its pipe does: none is left behind, whatever happens to this process
      args: [
        ...flags,
        ...(process.platform === "linux" && isRoot ? ["--no-sandbox"] : []),
        ...more,
        ...(options.args ?? []),
      ],
    });
  if (linuxHasGpu()) {
    const browser = await launch(vulkanFlags);
    if (await hasHardwareAdapter(browser)) return browser;
    await browser.close();
  }
  return launch([]);
}
