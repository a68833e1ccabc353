import type { Program } from "./graph/program";
import type { Runner } from "./runner";
import { closedError, type DeviceError } from "./util/errors";
import type { TuningReport } from "./webgpu/tune";

/** What runs programs on the CPU, and its name. Each is a chunk of its own. */
interface Kind {
  readonly description: string;
  create(program: Program): Promise<Runner & { readonly sizeBytes: number; readonly buffers: number }>;
}

/** WebAssembly where it is to be had; where there is no SIMD or a page's Content Security Policy bars it, plain JavaScript. */
export async function openCpuBackend(): Promise<CpuBackend> {
  const { WasmRunner } = await import("./wasm/runner");
  if (await WasmRunner.runsHere()) {
    // Copies are a chunk of their own: a page that has one network does not download it.
    const create = async (program: Program) =>
      WasmRunner.create(program, program.copies && (await import("./wasm/copies")).WasmCopies);
    return new CpuBackend({ description: "CPU, WebAssembly", create });
  }
  const { ReferenceRunner } = await import("./reference-runner");
  return new CpuBackend({
    description: "CPU, JavaScript in float64, many times slower: WebAssembly with SIMD is not to be had here",
    create: async (program) => new ReferenceRunner(program),
  });
}

/** The fallback device. */
export class CpuBackend {
  readonly backend = "cpu";
  readonly info: { vendor: string; architecture: string; description: string; isFallback: boolean };
  readonly lost: Promise<{ reason: string; message: string }>;
  private gone: DeviceError | null = null;
  private readonly runners = new Set<{ readonly sizeBytes: number; readonly buffers: number }>();
  private peakBytes = 0;
  private lose: (info: { reason: string; message: string }) => void = () => {};

  constructor(private readonly kind: Kind) {
    this.info = { vendor: "", architecture: "", description: kind.description, isFallback: true };
    this.lost = new Promise((resolve) => {
      this.lose = resolve;
    });
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
    this.gone ??= closedError();
    this.runners.clear();
    this.lose({ reason: "destroyed", message: "close() was called" });
  }
}
