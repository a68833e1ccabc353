/** Keeps texts by key between visits or runs: the records of what `device.tune` measured. */
export interface TuningStore {
  read(key: string): Promise<string | null>;
  write(key: string, text: string): Promise<void>;
}

/** How long a store may keep the first compile() waiting, and tune() at its end, in milliseconds. */
const READ_MS = 1000;
const WRITE_MS = 5000;

/**
 * What a store has under a key; null where there is nothing, or storage is forbidden, broken or late. What is no text counts as
 * a damaged one. Never rejects.
 */
export async function readFrom(store: TuningStore, key: string): Promise<string | null> {
  try {
    const text: unknown = await within(READ_MS, () => store.read(key));
    if (text === null || text === undefined) return null;
    return typeof text === "string" ? text : "";
  } catch {
    return null;
  }
}

/** Whether a store has taken a text; false where it refuses, or does not answer in time. Never rejects. */
export async function writeTo(store: TuningStore, key: string, text: string): Promise<boolean> {
  try {
    await within(WRITE_MS, () => store.write(key, text));
    return true;
  } catch {
    return false;
  }
}

/** What `ask` gives; rejects where that takes longer. */
async function within<T>(timeMs: number, ask: () => Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${timeMs} ms`)), timeMs);
  });
  try {
    return await Promise.race([ask(), late]);
  } finally {
    clearTimeout(timer);
  }
}

const NAME = "wgrad-tuning";

/** The browser's own database, where there is one. */
export function browserStore(): TuningStore | null {
  if (typeof indexedDB === "undefined") return null;
  return {
    read: async (key) => (await request<string | undefined>("readonly", (store) => store.get(key))) ?? null,
    write: async (key, text) => void (await request("readwrite", (store) => store.put(text, key))),
  };
}

async function request<T>(mode: IDBTransactionMode, make: (store: IDBObjectStore) => IDBRequest): Promise<T | null> {
  const database = await opened(mode);
  if (database === null) return null;
  try {
    const transaction = database.transaction(NAME, mode);
    const asked = make(transaction.objectStore(NAME));
    return await new Promise((resolve, reject) => {
      transaction.oncomplete = () => resolve(asked.result);
      transaction.onabort = () => reject(transaction.error);
      // Ends with the transaction, whatever comes of it: a database left open would keep its owner from deleting it.
      database.close();
    });
  } finally {
    database.close();
  }
}

/** The database, with the place for texts in it; null where that is missing and nothing is to be written. */
function opened(mode: IDBTransactionMode, version?: number): Promise<IDBDatabase | null> {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open(NAME, version);
    opening.onupgradeneeded = () => {
      // There is no database yet, or not such a one: only who keeps something makes it.
      if (mode === "readonly") opening.transaction?.abort();
      else opening.result.createObjectStore(NAME);
    };
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
      const database = opening.result;
      if (database.objectStoreNames.contains(NAME)) return resolve(database);
      // Made by something else, or half: a new version is where a store can be added.
      database.close();
      resolve(mode === "readonly" ? null : opened(mode, database.version + 1));
    };
  });
}
