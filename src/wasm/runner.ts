import type { Program } from "../graph/program";
import type { Arrays, KernelTime, Runner, RunRequest } from "../runner";
import { DeviceError } from "../util/errors";
import { StepsInSlice, TURNS } from "../util/event-loop";
import { type Compiled, compile } from "./compile";
import type { Cores } from "./cores";
import { encodeModule, pagesOf } from "./encoder";
import { explain } from "./explain";
import { GRAIN, type Grain } from "./grain";
import { type Buffer, sizeBytesOf } from "./layout";
import { DROP, F_MADD, V_CONST } from "./opcodes";
import { FunctionBody } from "./scope";
import type { Shared, Threads } from "./threads";

/** What runs a program in more than one thread: a chunk of its own. */
export interface ThreadsHere extends Cores {
  /** Those of the device, once a program wants them. */
  threads(): Promise<Threads>;
  /** By which it is judged whether a program wants them. */
  readonly grain?: Grain;
}

const ONE_THREAD: ThreadsHere = {
  most: 1,
  alone: null,
  threads: () => Promise.reject(new Error("internal: threads where there is one")),
};

/** A program compiled to WebAssembly: whole steps in one call, nothing between them but memory. */
export class WasmRunner implements Runner {
  sizeBytes: number;
  readonly buffers: number;
  /** Copies of the program. */
  protected readonly copies: number = 1;
  /** The module's functions and memory; null when it is gone. */
  private instance: WebAssembly.Exports | null;
  /** The scalar outputs of the last step, of each copy. */
  protected readonly lastScalars = new Map<string, Float32Array>();
  private readonly slice = new StepsInSlice(TURNS);
  private ran = false;

  constructor(
    protected readonly compiled: Compiled,
    exports: WebAssembly.Exports,
    private readonly relaxed: boolean,
    _program: Program,
    private readonly crew: Shared | null = null,
    /** Why it has one thread. */
    private readonly alone: () => string | null = () => null,
  ) {
    this.instance = exports;
    this.sizeBytes = this.memory.byteLength;
    this.buffers = compiled.buffers.length;
    for (const { buffer, values } of compiled.constants) this.view(buffer).set(values);
  }

  /** Whether there is WebAssembly with SIMD here, and a page's Content Security Policy lets it compile. */
  static async runsHere(): Promise<boolean> {
    try {
      // What validates may still be refused: only compiling tells.
      return validates(false) && (await WebAssembly.compile(probe(false))) !== null;
    } catch {
      return false;
    }
  }

  /** Throws DeviceError for a program that needs more memory than it is given, or where WebAssembly is barred. */
  static async create(
    program: Program,
    Made: new (...made: ConstructorParameters<typeof WasmRunner>) => WasmRunner = WasmRunner,
    here: ThreadsHere = ONE_THREAD,
  ): Promise<WasmRunner> {
    const relaxed = validates(true);
    // Copies run one after another, and are small.
    const most = program.copies ? 1 : here.most;
    const compiled = await compile(program, relaxed, most, here.grain ?? GRAIN);
    try {
      if (compiled.team !== null) {
        const threads = await here.threads();
        const shared = await threads.join(compiled.bytes, pagesOf(compiled.sizeBytes), compiled.team);
        return new Made(compiled, shared.exports, relaxed, program, shared, () => threads.alone);
      }
      const { instance } = await WebAssembly.instantiate(compiled.bytes, {});
      const alone =
        here.alone ?? (program.copies ? "copies run one after another" : "a step has too little work for more");
      return new Made(compiled, instance.exports, relaxed, program, null, () => (here === ONE_THREAD ? null : alone));
    } catch (error) {
      if (error instanceof WebAssembly.CompileError)
        throw new DeviceError(`compile: WebAssembly is barred here, open() a device again: ${error.message}`);
      if (!(error instanceof RangeError)) throw error;
      throw new DeviceError(
        `compile: the program needs ${compiled.sizeBytes} bytes, more than WebAssembly is given here (${error.message}); use smaller batches or layers`,
      );
    }
  }

  write(values: Arrays): void {
    this.set(this.compiled.parameters, values);
  }

  async read(names: readonly string[]): Promise<Float32Array[]> {
    const { parameters, outputs } = this.compiled;
    return names.map((name) => {
      const parameter = parameters.get(name);
      if (parameter) return this.get(parameter);
      if (!this.ran) throw new TypeError(`read: output "${name}" has no value before the first run`);
      const output = outputs.get(name);
      return output ? this.get(output) : (this.lastScalars.get(name) as Float32Array).slice();
    });
  }

  async run(
    inputs: Arrays,
    { steps, every, signal, progress, state = [], recording }: RunRequest,
  ): Promise<Record<string, Float32Array>> {
    const { scalars, outputs, parameters, records } = this.compiled;
    this.setInputs(inputs);
    const length = Math.ceil(steps / every);
    const histories = scalars.map(() => new Float32Array(this.copies * length));
    recording?.(Object.fromEntries(scalars.map((name, i) => [name, histories[i] as Float32Array])));
    const record = (copy: number, done: number, count: number) => {
      const history = this.view(this.compiled.history);
      scalars.forEach((name, i) => {
        const values = histories[i] as Float32Array;
        for (let step = Math.ceil(done / every) * every; step < done + count; step += every) {
          values[copy * length + step / every] = history[(step - done) * scalars.length + i] as number;
        }
        const last = this.lastScalars.get(name) ?? new Float32Array(this.copies);
        last[copy] = history[(count - 1) * scalars.length + i] as number;
        this.lastScalars.set(name, last);
      });
    };
    for (let done = 0; done < steps; ) {
      await TURNS.given();
      signal?.throwIfAborted();
      const count = Math.min(steps - done, this.slice.fitting, records);
      this.slice.took(count, await this.advance(count, (copy) => record(copy, done, count)));
      this.ran = true;
      done += count;
      progress?.(done, Object.fromEntries([...this.lastScalars].map(([name, [value]]) => [name, value as number])));
    }
    const results = scalars.map((name, i) => [name, histories[i] as Float32Array] as const);
    return Object.fromEntries([
      ...results,
      ...[...outputs].map(([name, buffer]) => [name, this.get(buffer)] as const),
      ...state.map((name) => [name, this.get(parameters.get(name) as Buffer)] as const),
    ]);
  }

  async trial(
    inputs: Arrays,
  ): Promise<{ outputs: Record<string, Float32Array>; updates: Record<string, Float32Array> }> {
    this.setInputs(inputs);
    return this.restoring(() => {
      this.steps(1);
      const { scalars, outputs, parameters } = this.compiled;
      const history = this.view(this.compiled.history);
      const all = (buffers: ReadonlyMap<string, Buffer>) =>
        Object.fromEntries([...buffers].map(([name, buffer]) => [name, this.get(buffer)]));
      return {
        outputs: {
          ...all(outputs),
          ...Object.fromEntries(scalars.map((name, i) => [name, Float32Array.of(history[i] as number)])),
        },
        updates: all(parameters),
      };
    });
  }

  explain(): string {
    const { compiled, relaxed } = this;
    const alone = this.alone();
    const count = alone === null ? (compiled.team?.threads ?? 1) : 1;
    const route = `cpu, wasm simd, float32${relaxed ? ", relaxed multiply-add" : ""}`;
    return explain(compiled, route, { count, alone });
  }

  async profile(inputs: Arrays, steps: number): Promise<KernelTime[]> {
    this.setInputs(inputs);
    return this.restoring(() => {
      const { kernels } = this.compiled;
      const times = kernels.map(() => 0);
      this.steps(1);
      for (let step = 0; step < steps; step++) {
        let before = performance.now();
        kernels.forEach((_, i) => {
          this.kernel(i);
          const now = performance.now();
          times[i] = (times[i] as number) + now - before;
          before = now;
        });
      }
      return kernels.map(({ kind, reads, writes, records, flops }, i) => ({
        kernel: kind,
        output: [...writes.map(({ name }) => name), ...records].pop() ?? "a number",
        nanoseconds: ((times[i] as number) * 1e6) / steps,
        flops,
        bytes: [...reads, ...writes].reduce((sum, buffer) => sum + sizeBytesOf(buffer), 0),
      }));
    });
  }

  dispose(): void {
    this.instance = null;
    this.crew?.dispose();
  }

  /** So many steps, of which `record` is told; milliseconds that they took. */
  protected advance(count: number, record: (copy: number) => void): number | Promise<number> {
    const start = performance.now();
    this.steps(count);
    record(0);
    return performance.now() - start;
  }

  protected setInputs(inputs: Arrays): void {
    this.set(this.compiled.inputs, inputs);
  }

  /** So many whole steps. */
  protected steps(count: number): void {
    const { step } = this.exports as { step: (count: number) => void };
    if (this.crew === null) step(count);
    else this.crew.call(null, count);
  }

  private kernel(index: number): void {
    const { [`k${index}`]: kernel } = this.exports as Record<string, () => void>;
    if (this.crew === null) kernel?.();
    else this.crew.call(index, 1);
  }

  private get exports(): WebAssembly.Exports {
    if (this.instance === null) throw new Error("internal: a call after dispose()");
    return this.instance;
  }

  protected get memory(): ArrayBufferLike {
    return (this.exports.memory as WebAssembly.Memory).buffer;
  }

  protected view({ address, elements, dtype }: Buffer): Float32Array | Int32Array {
    return dtype === "int32"
      ? new Int32Array(this.memory, address, elements)
      : new Float32Array(this.memory, address, elements);
  }

  protected get(buffer: Buffer): Float32Array {
    return new Float32Array(this.view(buffer));
  }

  private set(buffers: ReadonlyMap<string, Buffer>, values: Arrays): void {
    for (const [name, array] of Object.entries(values)) {
      const buffer = buffers.get(name);
      if (buffer) this.view(buffer).set(array);
    }
  }

  /** Runs `task` and puts parameters and outputs back as they were. */
  private restoring<T>(task: () => T): T {
    const kept = this.compiled.buffers
      .filter(({ role }) => role === "parameter" || role === "output")
      .map((buffer) => ({ view: this.view(buffer), values: this.view(buffer).slice() }));
    const result = task();
    for (const { view, values } of kept) view.set(values);
    return result;
  }
}

/** Whether this machine takes a module with a vector in it, or with a relaxed instruction. */
function validates(relaxed: boolean): boolean {
  return typeof WebAssembly === "object" && WebAssembly.validate(probe(relaxed));
}

function probe(relaxed: boolean): Uint8Array<ArrayBuffer> {
  const f = new FunctionBody(0, relaxed);
  f.root.put(V_CONST, ...new Array<number>(16).fill(0)).put(DROP);
  if (relaxed) f.op(F_MADD, f.float(0), f.float(0), f.float(0));
  return encodeModule(1, 0, [{ parameters: 0, locals: f.locals, bytes: f.root.bytes, name: "probe" }]);
}
