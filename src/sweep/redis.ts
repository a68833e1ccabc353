import type { Redis } from "ioredis";

/** The libraries, and a connection that waits for Redis where that goes away and comes back. */
export interface Queued {
  readonly bullmq: typeof import("bullmq");
  readonly client: Redis;
  close(): void;
}

/** What a password in an address is nobody's business. */
export function shownAddress(address: string): string {
  const { protocol, host } = new URL(address);
  return `${protocol}//${host}`;
}

export function checkAddress(address: string): void {
  const right = "it must be as redis://host:6379, or rediss://user:password@host:6379";
  if (typeof address !== "string" || !URL.canParse(address))
    throw new TypeError(`Redis's address is ${JSON.stringify(address)}; ${right}.`);
  const { protocol, hostname } = new URL(address);
  if (!["redis:", "rediss:"].includes(protocol) || hostname === "")
    throw new TypeError(`Redis's address begins with ${protocol}//${hostname}; ${right}.`);
}

/**
 * Connects to Redis at `address`. `say` is told once when it goes away, and when it is back. Throws Error where the libraries are not installed,
 * or nothing answers, with what to do.
 */
export async function connect(address: string, say: (line: string) => void): Promise<Queued> {
  checkAddress(address);
  const { bullmq, ioredis } = await libraries();
  await reach(
    new ioredis.Redis(address, { lazyConnect: true, connectTimeout: 5000, retryStrategy: () => null }),
    address,
  );
  const client = new ioredis.Redis(address, {
    maxRetriesPerRequest: null, // what was asked waits, and is asked again
    retryStrategy: (times) => Math.min(50 * times, 1000),
  });
  let away = false;
  const left = () => {
    if (!away) say(`Redis at ${shownAddress(address)} is away; waiting for it`);
    away = true;
  };
  client.on("error", left);
  client.on("ready", () => {
    if (away) say(`Redis at ${shownAddress(address)} is back`);
    away = false;
  });
  const kept = await client.config("GET", "appendonly").catch(() => []);
  if (Array.isArray(kept) && kept[1] === "no")
    say("Redis forgets what it was told last when it is restarted: redis-server --appendonly yes keeps it");
  return { bullmq, client, close: () => client.disconnect() };
}

async function libraries() {
  try {
    return { bullmq: await import("bullmq"), ioredis: await import("ioredis") };
  } catch (cause) {
    throw new Error("sweeps over machines need the packages bullmq and ioredis: npm install bullmq ioredis", { cause });
  }
}

async function reach(probe: Redis, address: string): Promise<void> {
  let why = "";
  probe.on("error", (error: Error) => {
    why = error.message;
  });
  try {
    await probe.connect();
    await probe.ping();
  } catch (error) {
    const reason = why || (error instanceof Error ? error.message : String(error));
    throw new Error(
      `no Redis answers at ${shownAddress(address)} (${reason}); start one (redis-server --appendonly yes), or give the address of yours.`,
      { cause: error },
    );
  } finally {
    probe.disconnect();
  }
}
