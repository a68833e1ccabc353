import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { SweepStore } from "../sweep/index";

/** A folder in which a sweep keeps what it goes on from: a file a key. */
export function folderStore(folder: string): SweepStore {
  const path = (key: string) => join(folder, key.replaceAll(" ", "-"));
  return {
    async get(key) {
      try {
        return new Uint8Array(await readFile(path(key)));
      } catch {
        return null;
      }
    },
    async set(key, bytes) {
      await mkdir(folder, { recursive: true });
      await replace(path(key), bytes);
    },
    delete: (key) => rm(path(key), { force: true }),
  };
}

/** Whole or not at all: what was there before stays until the new is written. */
export async function replace(path: string, content: Uint8Array | string): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`;
  await writeFile(temporary, content);
  await rename(temporary, path);
}
