import { type Remote, wrap } from "comlink";
import type { Engine } from "./engine";

/** An engine in a worker of its own, so that the page is never kept waiting. */
export function startEngine(): Remote<Engine> {
  return wrap<Engine>(new Worker(new URL("./worker.ts", import.meta.url), { type: "module" }));
}
