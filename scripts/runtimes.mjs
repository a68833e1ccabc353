// The WebGPU implementations that `npm run test:browsers` runs in, each with the way to find, install and start it.

import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { homedir, tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { connectTo } from "../src/cli/connect.js";
import { launchChrome } from "./chrome.mjs";
import { installPackages, isDebian } from "./debian.mjs";

/**
 * @typedef {object} Running
 * @property {string} version
 * @property {() => Promise<void>} close
 *
 * @typedef {object} Watched What a runtime is told to report.
 * @property {(fault: string) => void} fault Something is wrong that no test says.
 * @property {(reason: string) => void} gone It ended; after close() too.
 *
 * @typedef {object} Runtime
 * @property {() => Promise<void> | void} provide Installs what it needs, or throws with what to type.
 * @property {(address: string, watched: Watched) => Promise<Running>} start
 */

/** Mesa's driver for the CPU: what Firefox and Deno, which bring no software adapter of their own, run on. */
function softwareDriver() {
  const folder = "/usr/share/vulkan/icd.d";
  const machine = process.arch === "arm64" ? "aarch64" : "x86_64";
  return [`lvp_icd.${machine}.json`, "lvp_icd.json"].map((name) => join(folder, name)).find((path) => existsSync(path));
}

/** On Linux the software driver, so that every machine tests the same; elsewhere, and where VK_DRIVER_FILES is set, what is there. */
function drivers() {
  const driver = process.platform === "linux" && !process.env.VK_DRIVER_FILES ? softwareDriver() : undefined;
  return driver ? { ...process.env, VK_DRIVER_FILES: driver } : { ...process.env };
}

function provideDriver() {
  if (process.platform !== "linux" || process.env.VK_DRIVER_FILES || softwareDriver()) return;
  if (installPackages(["mesa-vulkan-drivers"]) && softwareDriver()) return;
  throw new Error(
    `Firefox and Deno need a Vulkan driver, and Mesa's llvmpipe is not in /usr/share/vulkan/icd.d. Install it:\n` +
      `  ${isDebian() ? "sudo apt-get install mesa-vulkan-drivers" : "your system's package of Mesa's Vulkan drivers"}\n` +
      `or say which driver to take: VK_DRIVER_FILES=/path/to/icd.json npm run test:browsers`,
  );
}

function findFirefox() {
  const own = process.env.FIREFOX_PATH;
  const places =
    process.platform === "darwin"
      ? ["/Applications", join(homedir(), "Applications")].map((folder) =>
          join(folder, "Firefox.app/Contents/MacOS/firefox"),
        )
      : process.platform === "win32"
        ? [process.env.PROGRAMFILES ?? "", process.env["PROGRAMFILES(X86)"] ?? ""].map((folder) =>
            join(folder, "Mozilla Firefox", "firefox.exe"),
          )
        : ["firefox", "firefox-esr"].flatMap((name) =>
            (process.env.PATH ?? "").split(delimiter).map((folder) => join(folder, name)),
          );
  /** @param {string} path */
  const starts = (path) => {
    if (!existsSync(path)) return false;
    if (process.platform !== "linux") return true;
    const asked = spawnSync(path, ["--version"], { encoding: "utf8", timeout: 20_000 });
    return asked.status === 0 && /Firefox \d+/.test(asked.stdout);
  };
  if (own && !starts(own)) throw new Error(`FIREFOX_PATH is ${own}, which is not there or does not start.`);
  return own ?? places.find(starts);
}

/** @type {Runtime} */
const firefox = {
  provide() {
    provideDriver();
    if (findFirefox() || (installPackages(["firefox-esr"]) && findFirefox())) return;
    const command =
      process.platform === "darwin"
        ? "brew install --cask firefox"
        : process.platform === "win32"
          ? "winget install Mozilla.Firefox"
          : isDebian()
            ? "sudo apt-get install firefox-esr"
            : "your system's package of Firefox";
    throw new Error(
      `no Firefox was found. Install one:\n  ${command}\nor say where yours is: FIREFOX_PATH=/path/to/firefox npm run test:browsers`,
    );
  },
  async start(address, watched) {
    const { default: puppeteer } = await import("puppeteer");
    const browser = await puppeteer.launch({
      browser: "firefox",
      executablePath: /** @type {string} */ (findFirefox()),
      headless: true,
      env: drivers(),
      extraPrefsFirefox: { "dom.webgpu.enabled": true, "gfx.webgpu.ignore-blocklist": true },
    });
    return visit(browser, address, watched);
  },
};

/** @type {Runtime} */
const chrome = {
  provide() {},
  async start(address, watched) {
    return visit(await launchChrome(), address, watched);
  },
};

/**
 * Opens the page of tests in a browser.
 * @param {import("puppeteer").Browser} browser @param {string} address @param {Watched} watched
 * @param {() => Promise<void>} [leave] Where the browser is somebody else's.
 * @returns {Promise<Running>}
 */
async function visit(browser, address, { fault, gone }, leave) {
  // One that hangs in its driver does not close when it is asked to.
  const kill = () => void browser.process()?.kill("SIGKILL");
  process.once("exit", kill);
  browser.on("disconnected", () => gone("the browser went away"));
  const page = await browser.newPage();
  page.on("error", (error) => gone(`the page crashed: ${error.message}`));
  page.on("pageerror", (error) => fault(`on the page: ${error instanceof Error ? error.message : error}`));
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warn") console.error(`  (browser) ${message.text()}`);
  });
  await page.goto(address);
  return {
    version: (await browser.version()).replace("/", " ").replace(/^f/, "F"),
    close: async () => {
      if (leave) return leave();
      const asked = setTimeout(kill, 10_000);
      await browser.close().catch(() => {});
      clearTimeout(asked);
    },
  };
}

/**
 * A browser that runs already, at an address of DevTools or WebDriver BiDi. What it is given goes through that connection.
 * @param {string} connection @returns {Runtime}
 */
export const connected = (connection) => ({
  provide() {},
  async start(address, watched) {
    const { browser, version, close } = await connectTo(connection, new URL(address).origin);
    const running = await visit(browser, address, watched, close);
    return { ...running, version: `${version} at ${connection}` };
  },
});

const require = createRequire(import.meta.url);

/** The program that npm's package `deno` brings for this system. */
function findDeno() {
  const path = require("deno/install_api.cjs").runInstall();
  return typeof path === "string" ? path : "";
}

/** @type {Runtime} */
const deno = {
  provide() {
    provideDriver();
    try {
      findDeno();
    } catch (error) {
      throw new Error(
        `npm's package deno is not whole: ${error instanceof Error ? error.message : error}\nType: npm ci`,
      );
    }
  },
  async start(address, { gone }) {
    const program = findDeno();
    const { origin, host } = new URL(address);
    const cache = mkdtempSync(join(tmpdir(), "wgrad-deno-"));
    // What it may do is what a page may: reach its own server.
    const args = [
      "run",
      "--unstable-webgpu",
      "--no-prompt",
      "--no-config",
      "--no-lock",
      "--no-npm",
      "--allow-env",
      "--quiet",
    ];
    const child = spawn(
      program,
      [...args, `--allow-net=${host}`, `--allow-import=${host}`, `--location=${address}`, `${origin}/checks/main.js`],
      { env: { ...drivers(), DENO_DIR: cache, NO_COLOR: "1" }, stdio: ["ignore", "inherit", "pipe"] },
    );
    process.once("exit", () => {
      child.kill();
      rmSync(cache, { recursive: true, force: true });
    });
    let said = "";
    child.stderr.on("data", (data) => {
      said = (said + data).slice(-4000);
    });
    child.on("error", (error) => gone(error.message));
    child.on("exit", (code, signal) => {
      rmSync(cache, { recursive: true, force: true });
      gone(`Deno ended (${signal ?? `code ${code}`})${said ? `:\n${said}` : ""}`);
    });
    const version = spawnSync(program, ["--version"], { encoding: "utf8" }).stdout.match(/deno (\S+)/)?.[1];
    return { version: `Deno ${version}`, close: async () => void child.kill() };
  },
};

/** @type {Record<string, Runtime>} */
export const RUNTIMES = { chrome, firefox, deno };
