import type { Runner } from "./cpu/runner";
import type { Program } from "./graph/program";
import type { TuningReport } from "./webgpu/tune";

/** The fallback device. */
export class CpuBackend {
  readonly backend = "cpu";
  readonly info = { vendor: "", architecture: "", description: "CPU, WebAssembly", isFallback: true };
  readonly lost: Promise<{ reason: string; message: string }>;
  private bytes = 0;
  private peakBytes = 0;
  private buffers = 0;
  private lose: (info: { reason: string; message: string }) => void = () => {};

  constructor() {
    this.lost = new Promise((resolve) => {
      this.lose = resolve;
    });
  }

  memory(): { bytes: number; peakBytes: number; buffers: number } {
    return { bytes: this.bytes, peakBytes: this.peakBytes, buffers: this.buffers };
  }

  async compile(program: Program): Promise<Runner> {
    const { WasmRunner } = await import("./wasm/runner");
    const runner = (await WasmRunner.create(program)) ?? new (await import("./cpu/runner")).CpuRunner(program);
    const { sizeBytes, buffers } = runner;
    this.bytes += sizeBytes;
    this.buffers += buffers;
    this.peakBytes = Math.max(this.peakBytes, this.bytes);
    const dispose = runner.dispose.bind(runner);
    runner.dispose = () => {
      dispose();
      this.bytes -= sizeBytes;
      this.buffers -= buffers;
    };
    return runner;
  }

  async tune(): Promise<TuningReport> {
    return { products: [], route: null, complete: true, kept: false, ignored: false };
  }

  close(): void {
    this.lose({ reason: "destroyed", message: "close() was called" });
  }
}
