// One of the threads that run a program on the CPU, beside the one that opened the device. A file of its own, in plain JavaScript, so that
// Node, Deno, browsers and bundlers take it as it stands. It knows nothing of programs: it runs what the first thread runs, at the same time.
//
// Messages bring what is shared; commands come through shared memory, since a thread that sleeps there wakes at once.

/**
 * Words of the memory through which commands come: how many were given, how many messages were sent; of which program, what, and with which number.
 * @typedef {{ command: number, messages: number, program: number, kernel: number, given: number }} Words
 */

/** @typedef {{ control: Int32Array, words: Words, heard: number }} Beginning */
/** @typedef {{ id: number, module: WebAssembly.Module, memory: WebAssembly.Memory, generation: number, thread: number, threads: number }} Joined */
/** @typedef {{ gone: number }} Gone */

/** @type {{ postMessage(message: unknown): void, onmessage: ((event: MessageEvent) => void) | null }} */
const port = /** @type {any} */ (
  globalThis.process?.getBuiltinModule?.("node:worker_threads")?.parentPort ?? globalThis
);

/** @type {Beginning | null} */
let shared = null;
/** @type {Map<number, Record<string, (given?: number) => void>>} */
const programs = new Map();
let heard = 0;
let done = 0;

/** @param {Beginning | Joined | Gone} message */
function take(message) {
  if ("control" in message) {
    shared = message;
    heard = message.heard;
  } else if ("gone" in message) programs.delete(message.gone);
  else {
    const { id, module, memory, generation, thread, threads } = message;
    const all = new Int32Array(memory.buffer);
    const sleep = (/** @type {number} */ seen) => void Atomics.wait(all, generation, seen);
    const wake = () => void Atomics.notify(all, generation);
    try {
      const { exports } = new WebAssembly.Instance(module, { wgrad: { memory, sleep, wake } });
      const own = /** @type {Record<string, WebAssembly.Global>} */ (exports);
      Object.assign(own.thread ?? {}, { value: thread });
      Object.assign(own.threads ?? {}, { value: threads });
      programs.set(id, /** @type {Record<string, (given?: number) => void>} */ (exports));
      port.postMessage({ ready: id });
    } catch (error) {
      port.postMessage({ failed: String(error) });
    }
  }
}

/**
 * The newest command once it is whole: its number is odd while it is being written.
 * @param {Beginning} shared
 */
function newest({ control, words }) {
  for (;;) {
    const number = Atomics.load(control, words.command);
    const [program, kernel, given] = [words.program, words.kernel, words.given].map((at) => Atomics.load(control, at));
    if (number % 2 === 0 && Atomics.load(control, words.command) === number) return { number, program, kernel, given };
  }
}

/** Does what is commanded, until there is a message to be heard. */
function serve() {
  if (shared === null) return;
  const { control, words } = shared;
  while (Atomics.load(control, words.messages) === heard) {
    Atomics.wait(control, words.command, done);
    const { number, program, kernel = 0, given } = newest(shared);
    const own = number === done ? undefined : programs.get(program ?? 0);
    done = number;
    if (own === undefined) continue;
    try {
      if (kernel < 0) own.step?.(given);
      else own[`k${kernel}`]?.();
      own.barrier?.();
    } catch (error) {
      own.lose?.();
      port.postMessage({ failed: String(error) });
    }
  }
}

port.onmessage = (/** @type {{ data: Beginning | Joined | Gone }} */ { data }) => {
  heard++;
  take(data);
  serve();
};
