// What this machine lets us install, where it is Debian (or Ubuntu) and the user is root.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

export const isRoot = process.getuid?.() === 0;

export function isDebian() {
  return existsSync("/etc/debian_version") && spawnSync("apt-get", ["--version"]).status === 0;
}

/** @param {string} command @param {string[]} args */
export function runQuietly(command, args) {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  return spawnSync(command, args, { encoding: "utf8", env, timeout: 10 * 60_000 }).status === 0;
}

/** Installs packages; false where that cannot be done here. @param {string[]} packages */
export function installPackages(packages) {
  if (!isDebian() || !isRoot) return false;
  console.log(`wgrad: installing Debian's ${packages.join(", ")}`);
  runQuietly("apt-get", ["update", "-q"]);
  return runQuietly("apt-get", ["install", "-y", "-q", "--no-install-recommends", ...packages]);
}
