/** Keeps texts by key between visits or runs: the records of what `device.tune` measured. */
export interface TuningStore {
  read(key: string): Promise<string | null>;
  write(key: string, text: string): Promise<void>;
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

function request<T>(mode: IDBTransactionMode, make: (store: IDBObjectStore) => IDBRequest): Promise<T> {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open(NAME);
    opening.onupgradeneeded = () => {
      // There is no database yet: only who keeps something makes one.
      if (mode === "readonly") opening.transaction?.abort();
      else opening.result.createObjectStore(NAME);
    };
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
      const database = opening.result;
      const transaction = database.transaction(NAME, mode);
      const asked = make(transaction.objectStore(NAME));
      transaction.oncomplete = () => resolve(asked.result);
      transaction.onabort = () => reject(transaction.error);
      // Whatever comes of it: a database left open would keep its owner from deleting it.
      database.close();
    };
  });
}
