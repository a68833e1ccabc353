import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { tuningFile } from "../../src/files/tuning";

const folder = mkdtempSync(join(tmpdir(), "wgrad-tuning-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("what was written is read again, by whoever opens the file, each key apart", async () => {
  const path = join(folder, "tuning.json");
  expect(await tuningFile(path).read("a")).toBeNull();
  const store = tuningFile(path);
  await Promise.all([store.write("a", "first"), store.write("b", "{}"), store.write("a", "second")]);
  expect([await store.read("a"), await tuningFile(path).read("b"), await store.read("c")]).toEqual([
    "second",
    "{}",
    null,
  ]);
  expect(readdirSync(folder)).toEqual(["tuning.json"]);
});

test.each(["", "{", "null", "[1]", '{"a": 1}'])(
  "a file that holds %j counts as empty, and is replaced",
  async (text) => {
    const path = join(folder, "damaged.json");
    writeFileSync(path, text);
    const store = tuningFile(path);
    expect(await store.read("a")).toBeNull();
    await store.write("a", "text");
    expect(await store.read("a")).toBe("text");
  },
);

test("a file that cannot be written is an error, and leaves nothing behind", async () => {
  const path = join(folder, "missing", "tuning.json");
  await expect(tuningFile(path).write("a", "text")).rejects.toThrow(/ENOENT/);
  expect(await tuningFile(path).read("a")).toBeNull();
});
