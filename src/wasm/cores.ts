/** Threads of a program at most: beyond these a step's barriers and memory weigh more than what another core does. */
const MOST = 16;

/** How many threads a program may have here, and why it is one. */
export interface Cores {
  readonly most: number;
  readonly alone: string | null;
}

/** `asked`: as many as were asked for; else as many as there are cores. */
export function coresHere(asked: number | undefined): Cores {
  const alone = (why: string): Cores => ({ most: 1, alone: why });
  if (asked === 1) return alone("as asked");
  // A page that is not cross-origin isolated may have the class, but cannot share.
  if (typeof SharedArrayBuffer !== "function" || globalThis.crossOriginIsolated === false)
    return alone("threads share no memory in a page that is not cross-origin isolated");
  if (!mayWait()) return alone("a page's main thread may not wait for others; open the device in a worker");
  const most = Math.min(asked ?? coreCount(), MOST);
  return most > 1 ? { most, alone: null } : alone("this machine has one core");
}

/** Whether this thread may sleep until another wakes it. */
function mayWait(): boolean {
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 1, 0);
    return true;
  } catch {
    return false;
  }
}

function coreCount(): number {
  const { hardwareConcurrency } = globalThis.navigator ?? {};
  return hardwareConcurrency ?? globalThis.process?.getBuiltinModule?.("node:os").availableParallelism() ?? 1;
}
