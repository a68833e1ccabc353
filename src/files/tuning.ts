import { readFile, rename, rm, writeFile } from "node:fs/promises";
import type { TuningStore } from "../webgpu/store";

/**
 * Keeps what `device.tune` measured in a file, for Node: `open({ gpu, tuning: tuningFile("tuning.json") })`. The file holds a
 * text for each adapter. It is replaced whole, so that nobody reads half of it; one that is damaged counts as empty.
 */
export function tuningFile(path: string): TuningStore {
  let last: Promise<unknown> = Promise.resolve();
  const records = async (): Promise<Record<string, unknown>> => {
    try {
      const all: unknown = JSON.parse(await readFile(path, "utf8"));
      return typeof all === "object" && all !== null ? (all as Record<string, unknown>) : {};
    } catch {
      return {};
    }
  };
  const replace = async (key: string, text: string) => {
    const whole = JSON.stringify({ ...(await records()), [key]: text }, null, 2);
    const temporary = `${path}.${crypto.randomUUID()}`;
    try {
      await writeFile(temporary, `${whole}\n`);
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  };
  return {
    async read(key) {
      const text = (await records())[key];
      return typeof text === "string" ? text : null;
    },
    write(key, text) {
      // One after another: each adds to what the one before left.
      const result = last.then(() => replace(key, text));
      last = result.catch(() => {});
      return result;
    },
  };
}
