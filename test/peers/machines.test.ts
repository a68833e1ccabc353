import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Queue } from "bullmq";
import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildModules } from "../../scripts/library.mjs";
import { main } from "../../src/cli/main";
import { randomState } from "../../src/index";
import type { SweepResults } from "../../src/sweep/index";
import { type OwnRedis, ownRedis } from "./redis";

const root = fileURLToPath(new URL("../..", import.meta.url));
const dist = join(root, "out/library-for-peers");
const folder = mkdtempSync(join(tmpdir(), "wgrad-sweep-"));
const path = (name: string) => join(folder, name);

let redis: OwnRedis;
let client: Redis;
let queue: Queue;
const running: ChildProcess[] = [];

beforeAll(async () => {
  [redis] = await Promise.all([ownRedis(), buildModules(dist)]);
  client = new Redis(redis.url, { maxRetriesPerRequest: null, retryStrategy: () => 50 });
  client.on("error", () => {}); // it is killed below
  queue = new Queue("wgrad-trials", { connection: client });
  queue.on("error", () => {});
  const { randn } = randomState(1);
  const noise = randn(120);
  const rows = Array.from(
    { length: 60 },
    (_, i) => `${(i % 2) + (noise[2 * i] ?? 0)},${noise[2 * i + 1]},${i % 2 ? "b" : "a"}`,
  );
  writeFileSync(path("two.csv"), ["x,y,kind", ...rows].join("\n"));
});
afterAll(async () => {
  for (const process of running) process.kill("SIGKILL");
  client.disconnect();
  await redis.remove();
  rmSync(folder, { recursive: true, force: true });
});

/** A sweep's file: so many trials, each of so many epochs. */
function describeSweep(name: string, epochs: number, space: object): string {
  const trial = {
    layers: [
      { name: "dense", units: 4, activation: "tanh" },
      { name: "dense", units: "$outputs" },
    ],
    loss: "softmaxCrossEntropy",
    optimizer: { name: "adam", lr: "$lr" },
    ...{ batchSize: 8, epochs },
  };
  writeFileSync(path(name), JSON.stringify({ data: { file: "two.csv", target: "kind" }, space, trial }));
  return path(name);
}

/** A machine: `npx wgrad worker`. */
function machine(...more: string[]) {
  const command = [join(dist, "cli/wgrad.js"), "worker", redis.url, "--data", folder];
  const process_ = spawn(process.execPath, [...command, ...more], { stdio: ["ignore", "pipe", "pipe"] });
  running.push(process_);
  const told = { text: "" };
  for (const stream of [process_.stdout, process_.stderr]) {
    stream.on("data", (text: Buffer) => {
      told.text += text;
    });
  }
  return { process: process_, told };
}

async function until(what: string, is: () => boolean | Promise<boolean>): Promise<void> {
  for (const begun = Date.now(); !(await is()); await new Promise((go) => setTimeout(go, 10)))
    if (Date.now() - begun > 120_000) throw new Error(`waited in vain for ${what}`);
}

/** `npx wgrad sweep` with these flags; what it wrote. */
async function sweep(file: string, out: string, ...flags: string[]): Promise<SweepResults> {
  let said = "";
  const write = (text: string) => {
    said += text;
  };
  const stream = { isTTY: false, write } as never;
  const code = await main(["sweep", file, "--out", out, ...flags], { out: stream, error: stream });
  expect(code, said).toBe(0);
  return JSON.parse(readFileSync(join(out, "results.json"), "utf8"));
}

const QUICK = ["--device", "cpu", "--lost", "2", "--checkpoint", "0.05"];

test("a machine killed in mid-trial, and Redis killed and started again, change nothing of what comes out", async () => {
  const file = describeSweep("killed.json", 4000, { lr: [0.01, 0.02, 0.03, 0.05] });
  const undisturbed = await sweep(file, path("here"));
  const first = machine(...QUICK);
  const over = sweep(file, path("there"), "--workers", redis.url);
  await until("a checkpoint", async () => (await client.keys("wgrad-trials:checkpoints:*")).length > 0);
  first.process.kill("SIGKILL");
  const second = machine(...QUICK);
  await until("a trial that goes on from a checkpoint", () => second.told.text.includes("from a checkpoint"));
  await until("the end of a trial", () => /trial \d: loss/.test(second.told.text));
  await redis.kill();
  await until("word that Redis is away", () => second.told.text.includes("is away; waiting for it"));
  await redis.start();
  expect(await over).toEqual(undisturbed);

  expect(first.told.text).not.toContain(": loss");
  expect(second.told.text).toMatch(/is away; waiting for it\n(.*\n)*.*is back/);
  // Nothing is left behind.
  expect(await client.keys("wgrad-trials:checkpoints:*")).toEqual([]);
  expect(await queue.getJobCountByTypes("waiting", "active", "completed", "failed", "delayed")).toBe(0);

  second.process.kill("SIGINT");
  expect((await once(second.process, "exit"))[0]).toBe(130);
});

test("two machines share the trials of a sweep, and each trial is trained once", async () => {
  const file = describeSweep("shared.json", 300, { lr: [0.01, 0.02, 0.05, 0.1, 0.2, 0.3] });
  const machines = [machine(...QUICK), machine(...QUICK)];
  const both = await sweep(file, path("shared"), "--workers", redis.url);
  expect(both).toEqual(await sweep(file, path("alone")));
  const told = machines.map(({ told }) => [...told.text.matchAll(/^trial (\d): loss/gm)].map(([, id]) => id));
  expect(told.flat().sort()).toEqual(["0", "1", "2", "3", "4", "5"]);
  for (const { process } of machines) process.kill("SIGTERM");
  await Promise.all(machines.map(({ process }) => process.exitCode ?? once(process, "exit")));
});

test("a machine takes trials in a Chrome; data out of its folder are refused, and what it has not is left to others", async () => {
  const { process, told } = machine("--chrome", "--checkpoint", "0.05");
  const file = describeSweep("chrome.json", 20, { lr: [0.05] });
  const [there] = (await sweep(file, path("chrome"), "--workers", redis.url)).trials;
  const [here] = (await sweep(file, path("not-chrome"))).trials;
  expect(told.text).toMatch(/: takes trials on .* in (Headless)?Chrom/);
  expect(there?.loss).toBeCloseTo(here?.loss as number, 3);

  const { trials } = JSON.parse(readFileSync(join(path("chrome"), "results.json"), "utf8")) as SweepResults;
  const entry = {
    format: "wgrad trials 1",
    sweep: "0123456789abcdef",
    epochs: 1,
    trials: [{ id: 0, trial: trials[0]?.trial }],
  };
  const add = (file: string) => queue.add("trials", { ...entry, data: { file, target: "kind" } });
  const outside = [await add("../two.csv"), await add("/etc/passwd")];
  const missing = await add("three.csv");
  await until("the refusals", () => told.text.split("refused").length > 2);
  for (const job of outside)
    expect((await queue.getJob(job.id as string))?.failedReason).toContain(
      "it must be below the folder of the data: neither absolute nor with ..",
    );
  await until("the data that are not there", () => told.text.includes(`${missing.id}: left to others: there is no `));
  expect(await missing.getState()).toBe("delayed");
  process.kill("SIGTERM");
  await once(process, "exit");
});
