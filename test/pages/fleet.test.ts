import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { fleet } from "./fleet";

const root = fileURLToPath(new URL("../..", import.meta.url));

test("tests in a fleet of browsers: two answer and are one table, the third is dead and named", async () => {
  const { addresses, dead, close } = await fleet();
  try {
    const asked = [...addresses, dead].flatMap((address) => ["--connect", address]);
    const script = join(root, "scripts/test-browsers.mjs");
    const child = spawn(process.execPath, [script, ...asked, "operations", "-t", "derived bounds relu"], { cwd: root });
    let said = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (data) => {
        said += data;
      });
    const [code] = await once(child, "close");
    expect([code, said]).toEqual([1, expect.stringContaining(`\n${dead}: no adapter\n  ✗ no browser answers there`)]);
    const head = said.split("\n").find((line) => line.startsWith("operation")) ?? said;
    for (const address of addresses) expect(head).toContain(` at ${address}`);
    expect(head).not.toContain(dead);
    expect(said.split("\n").filter((line) => /^relu +\d/.test(line)).length).toBe(1);
    expect(said).toMatch(/\n[1-9]\d* passed, 1 failed\n$/);
  } finally {
    await close();
  }
});
