import type { Standing } from "../training/messages";
import type { Curves } from "./curves";

/** What a reload goes on from; in the tab's own storage, and gone with it. */
export interface Kept {
  query: string;
  training: boolean;
  checkpoint: string;
  epoch: number;
  curves: Curves;
}

const KEY = "wgrad";
const MOST_CHARACTERS = 3e6;

export function keep(query: string, training: boolean, { checkpoint, epoch }: Standing, curves: Curves): void {
  const kept: Kept = { query, training, checkpoint: base64(checkpoint), epoch, curves };
  const text = JSON.stringify(kept);
  try {
    if (text.length <= MOST_CHARACTERS) sessionStorage.setItem(KEY, text);
    else sessionStorage.removeItem(KEY);
  } catch {
    // Full, or not allowed here: a reload begins anew.
  }
}

/** What was kept for this configuration; null where that is nothing. */
export function kept(query: string): { training: boolean; standing: Standing; curves: Curves } | null {
  try {
    const found: Partial<Kept> | null = JSON.parse(sessionStorage.getItem(KEY) ?? "null");
    if (!found?.checkpoint || !found.curves || found.query !== query) return null;
    const standing = { checkpoint: bytes(found.checkpoint), epoch: Number(found.epoch) || 0 };
    return { training: found.training === true, standing, curves: found.curves };
  } catch {
    return null;
  }
}

function base64(data: Uint8Array): string {
  let text = "";
  for (let at = 0; at < data.length; at += 0x8000) text += String.fromCharCode(...data.subarray(at, at + 0x8000));
  return btoa(text);
}

function bytes(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
