// Makes a fresh clone ready: packages as the lock file names them, and a Chrome to run WebGPU in.
//
//   node scripts/setup.mjs             both
//   node scripts/setup.mjs packages    packages only
//
// Imports nothing but Node's own modules at its top: it runs before there is a node_modules.

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** @param {string} message @returns {never} */
function fail(message) {
  console.error(`\nwgrad: ${message}\n`);
  process.exit(1);
}

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  fail(`Node ${process.versions.node} is too old; 20.19 or newer is needed: https://nodejs.org`);
}

/**
 * Whether node_modules holds what the lock file names. By content and not by time: a checkout touches files
 * that it does not change.
 */
function packagesAreCurrent() {
  const installed = join(root, "node_modules", ".package-lock.json");
  if (!existsSync(installed)) return false;
  /** @type {Record<string, { version?: string, integrity?: string }>} */
  const have = JSON.parse(readFileSync(installed, "utf8")).packages;
  /** @type {Record<string, { version?: string, integrity?: string, optional?: boolean }>} */
  const want = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
  return Object.entries(want).every(([path, entry]) => {
    if (path === "") return true;
    const found = have[path];
    if (!found) return entry.optional === true; // built for another platform
    return found.version === entry.version && found.integrity === entry.integrity;
  });
}

function installPackages() {
  if (packagesAreCurrent()) return;
  console.log("wgrad: installing packages (npm ci)");
  const npm = process.env.npm_execpath;
  const args = ["ci", "--include=dev", "--no-audit", "--no-fund"];
  const options = /** @type {const} */ ({
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, PUPPETEER_SKIP_DOWNLOAD: "1" },
  });
  const done = npm?.endsWith("js")
    ? spawnSync(process.execPath, [npm, ...args], options)
    : spawnSync("npm", args, { ...options, shell: process.platform === "win32" });
  if (done.status !== 0) fail("npm ci failed (above). Is the package registry reachable? Then: npm ci");
}

checkNode();
installPackages();
if (!process.argv.includes("packages")) {
  const { provideChrome } = await import("./chrome.mjs");
  try {
    await provideChrome();
  } catch (error) {
    fail(error instanceof Error ? error.message : String(error));
  }
}
