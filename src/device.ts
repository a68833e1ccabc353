import type { Runner } from "./cpu/runner";
import { checkProgram, type Program } from "./graph/program";
import type { Route } from "./plan/plan";
import { Session } from "./session";
import { DeviceError } from "./util/errors";
import { type Adapter, openWebGpu } from "./webgpu/adapter";

export interface OpenOptions {
  /**
   * "auto" (default): WebGPU on a hardware adapter; where there is none, or only a software one, what runs
   * faster here, the CPU included. `device.backend` says which it became.
   */
  backend?: "auto" | "webgpu" | "cpu";
  /** Where to look for WebGPU; default `navigator.gpu`. In Node: `create([])` of the package `webgpu`. */
  gpu?: GPU;
  powerPreference?: GPUPowerPreference;
  /** How WebGPU runs programs: by default what is faster. "persistent" is taken wherever a program fits it. For measuring. */
  route?: Route;
}

export interface DeviceInfo {
  vendor: string;
  architecture: string;
  description: string;
  /** True for a software adapter: correct, and far slower than a GPU. */
  isFallback: boolean;
}

export interface Device {
  readonly backend: "webgpu" | "cpu";
  readonly info: DeviceInfo;
  /** Resolves when the device is gone, with the reason; sessions then reject with DeviceError. */
  readonly lost: Promise<{ reason: string; message: string }>;
  /** Bytes now and at the highest, on the device, over all sessions. */
  memory(): { bytes: number; peakBytes: number; buffers: number };
  /** Throws TypeError or ShapeError for a program that cannot run, DeviceError where the device cannot hold or compile it. */
  compile(program: Program): Promise<Session>;
  close(): void;
}

/** What a device offers to the sessions above it, whatever runs them. */
export interface Backend {
  readonly backend: "webgpu" | "cpu";
  readonly info: DeviceInfo;
  readonly lost: Promise<{ reason: string; message: string }>;
  memory(): { bytes: number; peakBytes: number; buffers: number };
  compile(program: Program): Promise<Runner>;
  close(): void;
}

/**
 * Opens a device. Throws DeviceError, with what was tried and what to do, when "webgpu" is asked for and absent.
 * "auto" never throws: its last resort is the CPU.
 */
export async function open(options: OpenOptions = {}): Promise<Device> {
  const { backend = "auto", gpu, powerPreference, route } = options;
  if (backend !== "auto" && backend !== "webgpu" && backend !== "cpu") {
    throw new TypeError(`open: backend is ${String(backend)}; it must be "auto", "webgpu" or "cpu"`);
  }
  if (route !== undefined && route !== "recorded" && route !== "persistent") {
    throw new TypeError(`open: route is ${String(route)}; it must be "recorded" or "persistent", or left out`);
  }
  if (backend === "cpu") return new OpenDevice(new CpuBackend());
  const adapter: Adapter = {
    ...(gpu && { gpu }),
    ...(powerPreference && { powerPreference }),
    ...(route && { route }),
  };
  if (backend === "webgpu") return new OpenDevice(await openWebGpu(adapter));
  const cpu = () => new OpenDevice(new CpuBackend());
  let found: Device;
  try {
    found = new OpenDevice(await openWebGpu(adapter));
  } catch (error) {
    if (error instanceof DeviceError) return cpu();
    throw error;
  }
  if (!found.info.isFallback) return found;
  // A chunk of its own: a page on a GPU does not download it.
  const { faster } = await import("./faster");
  return faster(found, cpu());
}

class OpenDevice implements Device {
  private readonly sessions = new Set<Session>();
  private gone: DeviceError | null = null;

  constructor(private readonly runs: Backend) {
    void runs.lost.then(({ reason, message }) => {
      this.gone ??= new DeviceError(
        `the device is gone (${reason}): ${message}; open() a new one, compile again and write the last values that were read`,
      );
    });
  }

  get backend(): "webgpu" | "cpu" {
    return this.runs.backend;
  }
  get info(): DeviceInfo {
    return this.runs.info;
  }
  get lost(): Promise<{ reason: string; message: string }> {
    return this.runs.lost;
  }

  memory(): { bytes: number; peakBytes: number; buffers: number } {
    return this.runs.memory();
  }

  async compile(program: Program): Promise<Session> {
    checkProgram(program);
    const own: Program = {
      inputs: { ...program.inputs },
      parameters: { ...program.parameters },
      outputs: { ...program.outputs },
      updates: { ...program.updates },
    };
    this.throwIfGone();
    const runner = await this.runs.compile(own);
    const session: Session = new Session(own, runner, {
      throwIfGone: () => this.throwIfGone(),
      disposed: () => this.sessions.delete(session),
    });
    this.sessions.add(session);
    return session;
  }

  close(): void {
    this.gone ??= new DeviceError("the device was closed; open() gives a new one");
    for (const session of this.sessions) session.dispose();
    this.runs.close();
  }

  private throwIfGone(): void {
    if (this.gone) throw this.gone;
  }
}

/** The fallback device. */
class CpuBackend implements Backend {
  readonly backend = "cpu";
  readonly info: DeviceInfo = { vendor: "", architecture: "", description: "CPU, WebAssembly", isFallback: true };
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
    // A chunk of its own: a page that has a GPU does not download it.
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

  close(): void {
    this.lose({ reason: "destroyed", message: "close() was called" });
  }
}
