import type { Job } from "bullmq";
import { checkSignal } from "../util/checks";
import { type Conducted, conduct, fingerprint, type Runner, type SweepProgress, type SweepStore } from "./conduct";
import { checkEntry, checkOutcomes, type Entry, entryOf, nameOf } from "./entry";
import { canonical, checkJson, type Json } from "./json";
import { connect, type Queued } from "./redis";
import type { SweepResults } from "./results";
import { conductedOf, type SweepDescription } from "./sweep";
import type { Checkpoints, Outcome, SweepData, Work, WorkOptions } from "./work";

/** A sweep that other machines train. */
export interface QueueSweepOptions extends Omit<SweepDescription, "together"> {
  /** Redis's address: redis://host:6379 */
  readonly redis: string;
  /** What a machine finds the data by, in JSON: what its own `data` is given. */
  readonly data: Json;
  /** The same data as they are here: no machine is sent them. */
  readonly training: SweepData;
  /** Of an example, where a description does not say it and x is not nested. */
  readonly inputs?: number | readonly number[];
  /** Classes, or numbers to be predicted. */
  readonly outputs?: number;
  /** At most so many trials of one shape on one machine at once; default 1, so that all machines have some. */
  readonly together?: number;
  readonly store?: SweepStore;
  /** Stops waiting; machines go on with what is queued, and the sweep, started again, takes what they came to. */
  readonly signal?: AbortSignal;
  onProgress?(progress: SweepProgress): void;
  say?(line: string): void;
}

const QUEUE = "wgrad-trials";
/** A trial that fails for a reason of its machine's is tried so often. */
const ATTEMPTS = 3;
const AGAIN_MS = 1000;
const POLL_MS = 250;

/**
 * A sweep whose trials are trained by the machines that take them from BullMQ's queue in Redis: `takeTrials` of this module, or `npx wgrad
 * worker`. What a machine leaves undone another goes on with. Throws as `sweep` does, and where Redis cannot be reached.
 */
export async function sweepOverQueue(options: QueueSweepOptions): Promise<SweepResults> {
  const { redis, data, training, together = 1, store = new Map(), signal, onProgress, say = () => {} } = options;
  checkSignal("sweep", signal);
  const found = canonical(checkJson("data", data));
  const conducted = conductedOf({ ...options, together }, training);
  const queued = await connect(redis, say);
  try {
    const sweep = fingerprint(canonical([found, conducted.trials as unknown as Json]));
    const more: Partial<Conducted> = { ...(signal && { signal }), ...(onProgress && { onProgress }) };
    return await conduct({ ...conducted, ...more, store }, byQueue(queued, sweep, data, say));
  } finally {
    queued.close();
  }
}

function byQueue({ bullmq, client }: Queued, sweep: string, data: Json, say: (line: string) => void): Runner {
  const queue = new bullmq.Queue(QUEUE, { connection: client });
  queue.on("error", () => {}); // the client says so
  const add = (works: readonly Work[]) =>
    queue.addBulk(
      works.map((work) => ({
        name: "trials",
        data: entryOf(sweep, data, work),
        // One that is there already stays as it is.
        opts: { jobId: nameOf(sweep, work), attempts: ATTEMPTS, backoff: { type: "fixed", delay: AGAIN_MS } },
      })),
    );

  /** What became of a work; null where nothing has yet. */
  async function outcomesOf(work: Work): Promise<readonly Outcome[] | readonly Work[] | null> {
    const state = await queue.getJobState(nameOf(sweep, work));
    if (state !== "completed" && state !== "failed" && state !== "unknown") return null;
    const job = state === "unknown" ? undefined : await queue.getJob(nameOf(sweep, work));
    if (job === undefined) {
      say(`${nameOf(sweep, work)} is in Redis no more; it is queued again`);
      await add([work]);
      return null;
    }
    if (state === "completed") {
      try {
        return checkOutcomes(work, job.returnvalue);
      } catch (error) {
        return failedAll(work, error instanceof Error ? error.message : String(error));
      }
    }
    if (work.trials.length === 1) return failedAll(work, job.failedReason ?? "failed without a reason");
    const alone = work.trials.map((trial) => ({ epochs: work.epochs, trials: [trial] }));
    await add(alone);
    return alone;
  }

  return {
    async run(works, told, signal) {
      await unlessAborted(add(works), signal);
      let waiting = [...works];
      while (waiting.length > 0) {
        const found = await unlessAborted(Promise.all(waiting.map(outcomesOf)), signal);
        const left: Work[] = [];
        for (const [i, outcomes] of found.entries()) {
          const work = waiting[i] as Work;
          if (outcomes === null) left.push(work);
          else if (isWorks(outcomes)) left.push(...outcomes);
          else await told.ended(work, outcomes);
        }
        // Where it is kept that they are done, the queue need not.
        const done = waiting.filter((work) => !left.includes(work));
        await unlessAborted(Promise.all(done.map((work) => queue.remove(nameOf(sweep, work)))), signal);
        waiting = left;
        if (waiting.length > 0) await unlessAborted(new Promise((go) => setTimeout(go, POLL_MS)), signal);
      }
    },
    async forget(ids) {
      if (ids.length > 0) await client.hdel(checkpointsKey(sweep), ...ids.map(String));
    },
  };
}

function failedAll({ trials }: Work, failed: string): Outcome[] {
  return trials.map(({ id }) => ({ id, failed }));
}

function isWorks(found: readonly Outcome[] | readonly Work[]): found is readonly Work[] {
  return found.some((each) => "trials" in each);
}

function checkpointsKey(sweep: string): string {
  return `${QUEUE}:checkpoints:${sweep}`;
}

/** What is asked of a Redis that is away waits for it; one who wants to stop does not. */
async function unlessAborted<T>(asked: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return asked;
  signal.throwIfAborted();
  let stop = () => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener("abort", stop);
  });
  try {
    return await Promise.race([asked, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
    asked.catch(() => {});
  }
}

/** The data of a trial are not on this machine: another may have them. */
export class NoData extends Error {
  override readonly name = "NoData";
}

/** A machine that takes trials. */
export interface WorkerOptions {
  readonly redis: string;
  /** The data that a sweep's `data` stands for. Throws NoData where they are not here, and what is wrong with it otherwise. */
  data(reference: Json): Promise<SweepData>;
  /** Trains: `trainWork` on this machine's device. */
  train(data: SweepData, work: Work, options: WorkOptions): Promise<Outcome[]>;
  say(line: string): void;
  /** Stops: what is being trained is left to others, from where it stands. */
  readonly signal: AbortSignal;
  /** After so long without a word of a machine another takes over; default 15. */
  readonly lostSeconds?: number;
  /** Between two checkpoints; default 5. */
  readonly everySeconds?: number;
}

/** Machines that did not have the data of an entry, after which it has failed; each waits twice as long as the one before. */
const MOST_WITHOUT_DATA = 8;
/** How often a machine may go away with an entry, after which it is the entry's fault. */
const MOST_LOST = 3;

/**
 * Takes trials from the queue and trains them, one entry after another, until the signal. Entries are checked from end to end: what is no
 * description is refused, with its reason. Rejects where Redis cannot be reached at the beginning; later it waits for it.
 */
export async function takeTrials(options: WorkerOptions): Promise<void> {
  const { redis, say, signal, lostSeconds = 15 } = options;
  signal.throwIfAborted();
  const queued = await connect(redis, say);
  const { bullmq, client } = queued;
  const take = async (job: Job, token?: string): Promise<Outcome[]> => {
    try {
      return await taken(job, options, queued);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      if (signal.aborted) {
        say(`${job.id}: left to others`);
        await job.moveToWait(token);
        throw new bullmq.WaitingError();
      }
      if (error instanceof NoData && job.attemptsStarted < MOST_WITHOUT_DATA) {
        say(`${job.id}: left to others: ${message}`);
        await job.moveToDelayed(Date.now() + AGAIN_MS * 2 ** (job.attemptsStarted - 1), token);
        throw new bullmq.DelayedError();
      }
      const refused = error instanceof Refused || error instanceof NoData;
      say(`${job.id}: ${refused ? "refused" : "failed"}: ${message}`);
      throw refused ? new bullmq.UnrecoverableError(`refused: ${message}`) : error;
    }
  };
  const worker = new bullmq.Worker(QUEUE, take, {
    connection: client,
    concurrency: 1,
    lockDuration: 1000 * lostSeconds,
    stalledInterval: 1000 * lostSeconds,
    maxStalledCount: MOST_LOST,
    drainDelay: 1,
    runRetryDelay: AGAIN_MS,
  });
  worker.on("error", (error) => {
    // An entry that another machine has taken meanwhile is that one's: what was done here does not count.
    if (/lock/i.test(error.message)) say(error.message);
  });
  await new Promise<void>((stopped) => {
    if (signal.aborted) stopped();
    signal.addEventListener("abort", () => stopped());
  });
  await Promise.race([worker.close(), new Promise((late) => setTimeout(late, 1000 * lostSeconds))]);
  queued.close();
}

/** What is no fault of this machine, and would be the same on any. */
class Refused extends Error {}

async function taken(job: Job, options: WorkerOptions, { client }: Queued): Promise<Outcome[]> {
  const { say, signal, everySeconds } = options;
  let entry: Entry;
  let data: SweepData;
  try {
    entry = checkEntry(job.data);
    data = await options.data(entry.data);
  } catch (error) {
    if (error instanceof NoData) throw error;
    throw new Refused(error instanceof Error ? error.message : String(error));
  }
  const { sweep, epochs, trials } = entry;
  const key = checkpointsKey(sweep);
  const names = trials.map(({ id }) => String(id));
  const files = await client.hmgetBuffer(key, ...names);
  const checkpoints: Checkpoints = new Map(
    trials.flatMap(({ id }, i) => (files[i] ? [[id, new Uint8Array(files[i])] as const] : [])),
  );
  const which = trials.length === 1 ? `trial ${names}` : `trials ${names.join(", ")}`;
  say(`${job.id}: ${which} to epoch ${epochs}${checkpoints.size > 0 ? ", from a checkpoint" : ""}`);
  const outcomes = await options.train(
    data,
    { epochs, trials },
    {
      ...{ checkpoints, signal },
      ...(everySeconds !== undefined && { everySeconds }),
      async checkpointed(all) {
        if (all.size === 0) return;
        // All at once, so that trials side by side are all of one step.
        const fields = [...all].flatMap(([id, file]) => [String(id), toBuffer(file)]);
        await unlessAborted(client.hset(key, ...fields), signal);
      },
    },
  );
  for (const outcome of outcomes) {
    const what = "failed" in outcome ? `failed: ${outcome.failed}` : `loss ${shownFigures(outcome.figures)}`;
    say(`trial ${outcome.id}: ${what}`);
  }
  return outcomes;
}

function shownFigures({ loss, validationLoss }: { loss: number; validationLoss?: number }): string {
  const short = (value: number) => String(Number(value.toPrecision(4)));
  return `${short(loss)}${validationLoss === undefined ? "" : `, held back ${short(validationLoss)}`}`;
}

/** What the client takes for bytes. */
function toBuffer({ buffer, byteOffset, byteLength }: Uint8Array) {
  return globalThis.Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength);
}
