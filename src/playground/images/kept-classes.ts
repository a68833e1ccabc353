import { inStore } from "../page/store";
import { PICTURE_SIZE } from "./backbone";
import type { PictureClass } from "./messages";

/** What a visitor has gathered, and the network that has learnt it. */
export interface KeptClasses {
  classes: PictureClass[];
  file: Uint8Array | null;
}

const KEY = "own";

/** Keeps them in this browser, for a reload. Says why not, where it cannot; an empty text where it can. */
export async function keepClasses(kept: KeptClasses): Promise<string> {
  try {
    await inStore("classes", "readwrite", (store) => store.put(kept, KEY));
    return "";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Null where there are none. */
export async function keptClasses(): Promise<KeptClasses | null> {
  try {
    const kept: unknown = await inStore("classes", "readonly", (store) => store.get(KEY));
    return isKept(kept) ? kept : null;
  } catch {
    return null;
  }
}

/** What another version of this page has left may look otherwise. */
function isKept(value: unknown): value is KeptClasses {
  const kept = value as Partial<KeptClasses> | undefined;
  return (
    Array.isArray(kept?.classes) &&
    kept.classes.every(
      ({ name, pictures }: Partial<PictureClass>) =>
        typeof name === "string" &&
        Array.isArray(pictures) &&
        pictures.every((picture) => picture instanceof Uint8Array && picture.length === PICTURE_SIZE),
    ) &&
    (kept.file === null || kept.file instanceof Uint8Array)
  );
}
