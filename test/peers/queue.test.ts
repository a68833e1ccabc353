import { Queue } from "bullmq";
import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sweepOverQueue, takeTrials } from "../../src/sweep/queue";
import { type OwnRedis, ownRedis } from "./redis";

let redis: OwnRedis;
let client: Redis;
let queue: Queue;
beforeAll(async () => {
  redis = await ownRedis();
  client = new Redis(redis.url, { maxRetriesPerRequest: null });
  queue = new Queue("wgrad-trials", { connection: client });
});
afterAll(async () => {
  client.disconnect();
  await redis.remove();
});

async function until(what: string, is: () => boolean | Promise<boolean>): Promise<void> {
  for (const begun = Date.now(); !(await is()); await new Promise((go) => setTimeout(go, 10)))
    if (Date.now() - begun > 120_000) throw new Error(`waited in vain for ${what}`);
}

test("a trial that fails on every machine ends with its reason, and the sweep goes on; what is no description is refused", async () => {
  const stop = new AbortController();
  const tried: number[] = [];
  const said: string[] = [];
  const taking = takeTrials({
    ...{ redis: redis.url, signal: stop.signal, say: (line: string) => void said.push(line) },
    data: async () => ({ data: { x: [], y: [] }, validation: null }),
    async train(_, { trials }) {
      const [{ id } = { id: -1 }] = trials;
      tried.push(id);
      if (id === 1) throw new Error("the machine is out of memory");
      return [{ id, figures: { loss: id } }];
    },
  });
  const results = await sweepOverQueue({
    ...{ redis: redis.url, data: "any", training: { data: { x: [1, 2], y: [1] }, validation: null }, inputs: 2 },
    space: { lr: [0.1, 0.2, 0.3] },
    trial: {
      layers: [{ name: "dense", units: 1 }],
      loss: "squaredError",
      optimizer: { name: "sgd", lr: "$lr" },
      epochs: 1,
    },
  });
  expect(results.trials.map(({ id, status, reason }) => [id, status, reason])).toEqual([
    [0, "done", undefined],
    [2, "done", undefined],
    [1, "failed", "the machine is out of memory"],
  ]);
  expect(tried.filter((id) => id === 1)).toHaveLength(3);

  // What is no description, from whomever.
  const good = {
    format: "wgrad trials 1",
    ...{ sweep: "0123456789abcdef", data: "any", epochs: 1 },
    trials: [
      {
        id: 0,
        trial: { inputs: 2, layers: [{ name: "dense", units: 1 }], loss: "squaredError", optimizer: "adam", epochs: 1 },
      },
    ],
  };
  const layer = (layers: unknown) => ({ ...good, trials: [{ id: 0, trial: { ...good.trials[0]?.trial, layers } }] });
  const hostile: [object, string][] = [
    [{ run: "process.exit()" }, 'refused: entry has "run"; what it may have is format, sweep, data'],
    [layer([{ name: "constructor" }]), 'refused: entry.trials[0].trial.layers[0].name is "constructor"'],
    [layer([{ name: "dense", units: 1e12 }]), "the most that a trial may have"],
    [{ ...good, sweep: "*" }, 'refused: entry.sweep is "*"; it must be 16 hexadecimal digits.'],
    [{ ...good, epochs: 2 }, "refused: entry.epochs is 2; it must be an integer from 1 to 1."],
  ];
  const jobs = await Promise.all(hostile.map(([data]) => queue.add("trials", data, { attempts: 5 })));
  for (const [i, job] of jobs.entries()) {
    await until("a refusal", async () => job.isFailed());
    const { failedReason, attemptsMade } = (await queue.getJob(job.id as string)) ?? {};
    expect([failedReason, attemptsMade]).toEqual([expect.stringContaining(hostile[i]?.[1] as string), 1]);
    expect(said.some((line) => line.startsWith(`${job.id}: refused: `))).toBe(true);
  }
  expect(tried).toHaveLength(5);
  stop.abort(new Error("stopped"));
  await taking;
});
