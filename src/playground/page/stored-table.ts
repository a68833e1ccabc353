import type { Table } from "../training/data-set";
import { inStore } from "./store";

const MOST_TABLES = 3;
const KEY = "wgrad.table";

/**
 * Keeps a dropped table in this browser, for a reload; of several the newest few. Says why not, where it cannot;
 * an empty text where it can. What is read from a file is bounded, to some 12 MB of numbers.
 */
export async function storeTable(table: Table): Promise<string> {
  try {
    const id = await inStore("tables", "readwrite", (store) => store.add(table));
    const ids = await inStore("tables", "readonly", (store) => store.getAllKeys());
    for (const old of ids.slice(0, -MOST_TABLES)) await inStore("tables", "readwrite", (store) => store.delete(old));
    sessionStorage.setItem(KEY, String(id));
    return "";
  } catch (error) {
    return `this browser does not keep it (${error instanceof Error ? error.message : String(error)})`;
  }
}

/** The table that this tab had, else the newest; null where there is none. */
export async function storedTable(): Promise<Table | null> {
  try {
    const own = Number(sessionStorage.getItem(KEY));
    const table: unknown = own ? await inStore("tables", "readonly", (store) => store.get(own)) : undefined;
    if (isTable(table)) return table;
    const [newest] = (await inStore<unknown[]>("tables", "readonly", (store) => store.getAll())).slice(-1);
    return isTable(newest) ? newest : null;
  } catch {
    return null;
  }
}

/** All of them. */
export async function forgetTables(): Promise<void> {
  sessionStorage.removeItem(KEY);
  await inStore("tables", "readwrite", (store) => store.clear()).catch(() => {});
}

/** What another version of this page has left may look otherwise. */
function isTable(value: unknown): value is Table {
  const table = value as Partial<Table> | undefined;
  return (
    table?.x instanceof Float32Array &&
    (table.y instanceof Int32Array || table.y instanceof Float32Array) &&
    Array.isArray(table.columns) &&
    Array.isArray(table.classes) &&
    table.target !== undefined &&
    table.description !== undefined &&
    table.x.length === table.y.length * table.columns.length
  );
}
