import { DeviceError } from "../util/errors";
import type { Sharing } from "./compile";
import { GENERATION } from "./pieces";

/** A worker, wherever it runs. */
interface Thread {
  postMessage(message: unknown): void;
  terminate(): unknown;
}
/** Node's are heard in another way, and keep the process alive where they are not told otherwise. */
interface NodeThread extends Thread {
  on(event: "message" | "error" | "exit", listener: (what: unknown) => void): void;
  ref(): void;
  unref(): void;
}

/** Words of the memory through which workers are given commands (thread.js). */
const WORDS = { command: 0, messages: 1, program: 2, kernel: 3, given: 4 };
/** In place of a program's number: there is only a message to be heard. */
const NONE = 0;
/** So long workers may take until they are there. */
const START_MS = 10_000;
/** So long another thread may keep the first waiting. */
const PATIENCE_MS = 60_000;

/** A program that several threads run at once: what the first of them has of it. */
export interface Shared {
  readonly exports: WebAssembly.Exports;
  /** Kernel `kernel`, or with null so many whole steps, by all threads that are there. Throws DeviceError where one is lost under way. */
  call(kernel: number | null, steps: number): void;
  dispose(): void;
}

/** The threads of a device beside the one that opened it. They sleep until there is something to do, and end with the device. */
export class Threads {
  private readonly control = new Int32Array(new SharedArrayBuffer(64));
  private readonly workers: (Worker | NodeThread)[] = [];
  private programs = NONE;
  /** Why there is one thread; null while there are more, or could be. */
  alone: string | null = null;
  /** Ends the wait for workers that are on their way. */
  private arrived: () => void = () => {};
  private awaited = 0;
  /** One program after another is brought to the workers. */
  private before: Promise<void> = Promise.resolve();

  /** `lost` is told where a thread is lost while a program runs: where it has kept the first one waiting for `patienceMs`. */
  constructor(
    private readonly lost: (message: string) => void,
    private readonly patienceMs = PATIENCE_MS,
  ) {}

  /**
   * A program's module, instantiated here and in workers. Where these cannot be had, the program runs in one thread, and `alone` says why.
   * Throws as WebAssembly does where there is not so much memory.
   */
  async join(bytes: Uint8Array<ArrayBuffer>, pages: number, { threads, control }: Sharing): Promise<Shared> {
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    const all = new Int32Array(memory.buffer);
    const generation = (control.address + GENERATION) / 4;
    const sleep = (seen: number) => {
      const end = Atomics.wait(all, generation, seen, this.patienceMs);
      if (end === "timed-out") throw new Error(`it said nothing for ${this.patienceMs} ms`);
    };
    const wake = () => void Atomics.notify(all, generation);
    const compiled = WebAssembly.instantiate(bytes, { wgrad: { memory, sleep, wake } });
    this.start(threads - 1);
    const { module, instance } = await compiled;
    const id = ++this.programs;
    const messageTo = (worker: number) => ({ id, module, memory, generation, thread: worker + 1, threads });
    this.before = this.before.then(() => this.gathered(threads - 1, messageTo, id));
    await this.before;
    const { exports } = instance;
    return {
      exports,
      call: (kernel, steps) => {
        (exports.threads as WebAssembly.Global).value = this.alone === null ? threads : 1;
        this.command(exports, id, kernel, steps);
      },
      dispose: () => this.tell(() => ({ gone: id })),
    };
  }

  /** Ends the workers; what runs on goes on alone. */
  close(why = "the device was closed"): void {
    this.alone ??= why;
    for (const worker of this.workers.splice(0)) void worker.terminate();
    this.arrived();
  }

  /** All threads do the same; whoever is early waits. */
  private command(exports: WebAssembly.Exports, id: number, kernel: number | null, steps: number): void {
    const { step, barrier, lose, [`k${kernel}`]: one } = exports as Record<string, (given?: number) => void>;
    if (this.alone === null) this.wake(id, kernel ?? -1, steps);
    try {
      if (kernel === null) step?.(steps);
      else one?.();
      barrier?.();
    } catch (error) {
      lose?.();
      const message = `a thread of the CPU was lost in the middle of a step (${this.alone ?? error}); open() gives a new device`;
      this.close(message);
      this.lost(message);
      throw new DeviceError(message);
    }
  }

  private wake(program: number, kernel: number, given: number): void {
    const { control } = this;
    Atomics.add(control, WORDS.command, 1);
    Atomics.store(control, WORDS.program, program);
    Atomics.store(control, WORDS.kernel, kernel);
    Atomics.store(control, WORDS.given, given);
    Atomics.add(control, WORDS.command, 1);
    Atomics.notify(control, WORDS.command);
  }

  /** Every worker hears every message, so that one count is enough. */
  private tell(messageTo: (worker: number) => unknown): void {
    this.workers.forEach((worker, i) => {
      worker.postMessage(messageTo(i));
    });
    Atomics.add(this.control, WORDS.messages, 1);
    this.wake(NONE, 0, 0);
  }

  /** Sees to it that there are so many workers, which need not be there yet. */
  private start(count: number): void {
    try {
      while (this.alone === null && this.workers.length < count) {
        const worker = made();
        this.workers.push(worker);
        this.listen(worker);
        const heard = Atomics.load(this.control, WORDS.messages);
        worker.postMessage({ control: this.control, words: WORDS, heard });
      }
    } catch (error) {
      this.close(`a worker could not be made: ${error instanceof Error ? error.message : error}`);
    }
  }

  /** Gives so many workers a program, and waits until they have it. */
  private async gathered(count: number, messageTo: (worker: number) => unknown, id: number): Promise<void> {
    if (this.alone !== null) return;
    const keep = (alive: "ref" | "unref") => {
      for (const worker of this.workers) if (isNodes(worker)) worker[alive]();
    };
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((resolve) => {
      this.awaited = count;
      this.arrived = resolve;
      timer = setTimeout(() => this.close("workers did not start in time"), START_MS);
      // A process that has nothing else to do waits for them here, and at no other time.
      keep("ref");
      this.tell((worker) => (worker < count ? messageTo(worker) : { gone: id }));
    });
    clearTimeout(timer);
    keep("unref");
  }

  private listen(worker: Worker | NodeThread): void {
    const hear = (message: { ready?: number; failed?: string }) => {
      if (message.failed !== undefined) this.close(`a thread failed: ${message.failed}`);
      else if (--this.awaited === 0) this.arrived();
    };
    if (isNodes(worker)) {
      worker.on("message", (message) => hear(message as object));
      worker.on("error", (error) => this.close(`a worker failed: ${error}`));
      worker.on("exit", () => this.close("a worker ended"));
    } else {
      worker.onmessage = ({ data }) => hear(data);
      worker.onerror = (event) => this.close(`a worker could not be run${event.message ? `: ${event.message}` : ""}`);
    }
  }
}

function isNodes(worker: Worker | NodeThread): worker is NodeThread {
  return "ref" in worker;
}

/** A worker with thread.js: of browsers, Deno and Bun, written as bundlers look for it; or of Node, where they are to leave it alone. */
function made(): Worker | NodeThread {
  if (typeof Worker === "function") return new Worker(new URL("./thread.js", import.meta.url), { type: "module" });
  const { Worker: OfNode } = globalThis.process.getBuiltinModule("node:worker_threads");
  return new OfNode(new URL(import.meta.url.replace(/[^/]*$/, "thread.js"))) as NodeThread;
}
