import { type Remote, wrap } from "comlink";
import { byId } from "../page/dom";
import { Status } from "../page/status";
import type { Part } from "./part";
import type { Studio } from "./studio";

// The worker is on its way before the page's own code is.
const studio: Remote<Studio> = wrap<Studio>(new Worker(new URL("./worker.ts", import.meta.url), { type: "module" }));
const status = new Status();

const parts = {
  digits: async () => new (await import("./digits-part")).DigitsPart(await studio.digits(), status),
  classes: async () => new (await import("./classes-part")).ClassesPart(await studio.classes(), status),
  autoencoder: async () => new (await import("./autoencoder-part")).AutoencoderPart(await studio.autoencoder(), status),
} satisfies Record<string, () => Promise<Part>>;
type Name = keyof typeof parts;

const made = new Map<Name, Promise<Part>>();
let current: Name | null = null;

function show(name: Name): void {
  if (current === name) return;
  const before = current;
  current = name;
  for (const each of Object.keys(parts)) {
    byId(each, HTMLElement).hidden = each !== name;
    const link = byId(`to-${each}`, HTMLAnchorElement);
    if (each === name) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
  if (before) void made.get(before)?.then((part) => part.left());
  const part = made.get(name) ?? parts[name]();
  made.set(name, part);
  part.then(
    (shown) => {
      if (current === name) shown.shown();
    },
    (error: unknown) => {
      made.delete(name);
      status.notify(error instanceof Error ? error.message : String(error));
    },
  );
}

function asked(): Name {
  const name = location.hash.slice(1);
  return Object.hasOwn(parts, name) ? (name as Name) : "digits";
}
window.addEventListener("hashchange", () => show(asked()));
show(asked());
