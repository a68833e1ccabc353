import type { Program } from "./graph/program";
import type { Runner } from "./runner";
import { closedError, DeviceError } from "./util/errors";
import { coresHere } from "./wasm/cores";
import type { Threads } from "./wasm/threads";
import type { TuningReport } from "./webgpu/tune";

/** What runs programs on the CPU, and its name. Each is a chunk of its own. */
interface Kind {
  description(): string;
  create(program: Program): Promise<Runner & { readonly sizeBytes: number; readonly buffers: number }>;
  close(): void;
}

/**
 * WebAssembly where it is to be had; where there is no SIMD or a page's Content Security Policy bars it, plain JavaScript. `threads`: at
 * most so many; by default as many as there are cores.
 */
export async function openCpuBackend(threads?: number): Promise<CpuBackend> {
  const { WasmRunner } = await import("./wasm/runner");
  if (!(await WasmRunner.runsHere())) {
    const { ReferenceRunner } = await import("./reference-runner");
    return new CpuBackend(() => ({
      description: () => "CPU, JavaScript in float64, many times slower: WebAssembly with SIMD is not to be had here",
      create: async (program) => new ReferenceRunner(program),
      close: () => {},
    }));
  }
  const cores = coresHere(threads);
  return new CpuBackend((lost) => {
    let made: Promise<Threads> | null = null;
    let alone = () => cores.alone;
    let closed = false;
    // A chunk of its own, as copies are: a page whose networks are small, and that has one of each, does not download it.
    const make = async () => {
      const { Threads } = await import("./wasm/threads");
      const threads = new Threads(lost);
      if (closed) threads.close();
      alone = () => threads.alone;
      return threads;
    };
    const here = { ...cores, threads: () => (made ??= make()) };
    return {
      description() {
        const why = alone();
        return `CPU, WebAssembly, ${why === null ? `up to ${cores.most} threads` : `one thread: ${why}`}`;
      },
      create: async (program) =>
        WasmRunner.create(program, program.copies && (await import("./wasm/copies")).WasmCopies, here),
      close() {
        closed = true;
        void made?.then((threads) => threads.close());
      },
    };
  });
}

/** The fallback device. */
export class CpuBackend {
  readonly backend = "cpu";
  readonly lost: Promise<{ reason: string; message: string }>;
  private gone: DeviceError | null = null;
  private readonly runners = new Set<{ readonly sizeBytes: number; readonly buffers: number }>();
  private peakBytes = 0;
  private lose: (info: { reason: string; message: string }) => void = () => {};

  private readonly kind: Kind;

  constructor(kindOf: (lost: (message: string) => void) => Kind) {
    this.kind = kindOf((message) => this.end(new DeviceError(message), "unknown", message));
    this.lost = new Promise((resolve) => {
      this.lose = resolve;
    });
  }

  get info(): { vendor: string; architecture: string; description: string; isFallback: boolean } {
    return { vendor: "", architecture: "", description: this.kind.description(), isFallback: true };
  }

  memory(): { bytes: number; peakBytes: number; buffers: number } {
    const { peakBytes, runners } = this;
    const total = (count: "sizeBytes" | "buffers") => [...runners].reduce((sum, runner) => sum + runner[count], 0);
    return { bytes: total("sizeBytes"), peakBytes, buffers: total("buffers") };
  }

  throwIfGone(): void {
    if (this.gone) throw this.gone;
  }

  async compile(program: Program): Promise<Runner> {
    const runner = await this.kind.create(program);
    this.throwIfGone();
    this.runners.add(runner);
    this.peakBytes = Math.max(this.peakBytes, this.memory().bytes);
    const dispose = runner.dispose.bind(runner);
    runner.dispose = () => {
      dispose();
      this.runners.delete(runner);
    };
    return runner;
  }

  async tune(): Promise<TuningReport> {
    return { products: [], route: null, complete: true, kept: false, ignored: false };
  }

  close(): void {
    this.end(closedError(), "destroyed", "close() was called");
  }

  private end(gone: DeviceError, reason: string, message: string): void {
    this.gone ??= gone;
    this.runners.clear();
    this.kind.close();
    this.lose({ reason, message });
  }
}
