import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type OwnRedis, ownRedis } from "./redis";

let redis: OwnRedis;
beforeAll(async () => {
  redis = await ownRedis();
});
afterAll(() => redis.remove());

test("Redis killed and started again has in its append-only file what it answered for", async () => {
  const client = new Redis(redis.url);
  await client.set("kept", "yes");
  await redis.kill();
  await redis.start();
  expect(await client.get("kept")).toBe("yes");
  client.disconnect();
});
