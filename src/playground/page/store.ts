/** What the pages keep in this browser, each kind in a store of its own: a row under a number of its own, or under a given key. */
const STORES = { tables: { autoIncrement: true }, classes: {} } as const;
const [DATABASE, VERSION] = ["wgrad", 2];

/** Asks one thing of a store. Rejects where the browser keeps nothing, or has no room left. */
export function inStore<T>(
  name: keyof typeof STORES,
  mode: IDBTransactionMode,
  ask: (store: IDBObjectStore) => IDBRequest<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open(DATABASE, VERSION);
    opening.onupgradeneeded = () => {
      const database = opening.result;
      for (const [store, options] of Object.entries(STORES)) {
        if (!database.objectStoreNames.contains(store)) database.createObjectStore(store, options);
      }
    };
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
      const database = opening.result;
      const transaction = database.transaction(name, mode);
      const request = ask(transaction.objectStore(name));
      const end = (settle: () => void) => () => {
        database.close();
        settle();
      };
      transaction.oncomplete = end(() => resolve(request.result));
      transaction.onabort = end(() => reject(transaction.error ?? request.error));
    };
  });
}
