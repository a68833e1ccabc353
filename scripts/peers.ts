// Makes sure, before the tests of test/peers, of the programs that they run beside: installed where they can be, asked for where not.

import { spawnSync } from "node:child_process";
import { installPackages, isDebian } from "./debian.mjs";

/** Debian's own, which sees its packages; PYTHON names another. */
export const PYTHON = process.env.PYTHON ?? "/usr/bin/python3";

/** Each with a command that ends with 0 where it is there, and the packages of Debian that have it. */
const PROGRAMS = [
  { name: "Redis", asked: ["redis-server", "--version"], packages: ["redis-server"] },
  { name: "PyTorch", asked: [PYTHON, "-c", "import torch"], packages: ["python3-torch"] },
];

export default function providePeers(): void {
  for (const { name, asked, packages } of PROGRAMS) {
    const [command = "", ...args] = asked;
    const isThere = () => spawnSync(command, args, { stdio: "ignore", timeout: 300_000 }).status === 0; // PyTorch, just installed, takes a while to be read
    if (isThere() || (installPackages(packages) && isThere())) continue;
    const how = isDebian()
      ? `sudo apt-get install ${packages.join(" ")}`
      : `install it so that "${asked.join(" ")}" runs`;
    throw new Error(`the tests of test/peers need ${name}, which is not here: ${how}`);
  }
}
