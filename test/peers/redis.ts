import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A Redis of a test's own, on a port that nobody has, with an append-only file that it finds again when it is started again. */
export interface OwnRedis {
  readonly url: string;
  /** As the kernel ends a process: it hears nothing of it. */
  kill(): Promise<void>;
  /** On the same port, from the same file. */
  start(): Promise<void>;
  /** Kills it and takes away what it wrote. */
  remove(): Promise<void>;
}

export async function ownRedis(): Promise<OwnRedis> {
  const folder = mkdtempSync(join(tmpdir(), "wgrad-redis-"));
  const port = await freePort();
  let server: ChildProcess | null = null;

  async function start(): Promise<void> {
    const settings = { port, bind: "127.0.0.1", dir: folder, appendonly: "yes", appendfsync: "always", save: "" };
    const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
    const started = spawn("redis-server", args, { stdio: ["ignore", "pipe", "pipe"] });
    server = started;
    let said = "";
    await new Promise<void>((resolve, reject) => {
      const told = (text: Buffer) => {
        said += text;
        if (said.includes("Ready to accept connections")) resolve();
      };
      started.stdout.on("data", told);
      started.stderr.on("data", told);
      started.once("error", reject);
      started.once("exit", (code) => reject(new Error(`redis-server ended with ${code}:\n${said}`)));
    });
  }

  async function kill(): Promise<void> {
    const ended = server;
    server = null;
    if (ended === null || ended.exitCode !== null) return;
    ended.removeAllListeners("exit");
    const exit = once(ended, "exit");
    ended.kill("SIGKILL");
    await exit;
  }

  await start();
  return {
    url: `redis://127.0.0.1:${port}`,
    kill,
    start,
    async remove() {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (typeof address !== "object" || address === null) throw new Error("no port is free");
  return address.port;
}
