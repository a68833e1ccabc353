import { checkProgram, type Program } from "./graph/program";
import type { Runner } from "./runner";
import { Session } from "./session";
import { checkCallback, checkOptions, checkSignal, shown } from "./util/checks";
import { DeviceError } from "./util/errors";
import type { Adapter } from "./webgpu/adapter";
import type { Route } from "./webgpu/codegen/plan";
import { browserStore, type TuningStore } from "./webgpu/store";
import type { TuneOptions, TuningReport } from "./webgpu/tune";

/** Which device `open` looks for, and how it runs programs. */
export interface OpenOptions {
  /**
   * "auto" (default): WebGPU on a hardware adapter; where there is none, or only a software one, what runs
   * faster here, the CPU included. `device.backend` says which it became.
   */
  backend?: "auto" | "webgpu" | "cpu";
  /** Where to look for WebGPU; default `navigator.gpu`. In Node: `create([])` of the package `webgpu`. */
  gpu?: GPU;
  powerPreference?: "low-power" | "high-performance";
  /**
   * Threads that a program on the CPU runs on at most, from 1 on; default as many as there are cores, where its step has enough to do for
   * them. Bits are the same on any number. They share memory: in a page that wants cross-origin isolation, and a worker that opens the
   * device. `device.info.description` and `explain()` say how many there are, and why no more.
   */
  threads?: number;
  /** How WebGPU runs programs: by default what is faster. "persistent" is taken wherever a program fits it. For measuring. */
  route?: Route;
  /** Where `tune` keeps its records; default the browser's IndexedDB, in Node none (see wgrad/files/tuning). Null for none. */
  tuning?: TuningStore | null;
}

/** How many of a program run in one session, and what each of them has for itself. */
export interface CompileOptions {
  /**
   * So many of the program side by side in one session, each with parameters of its own; default 1. Arrays of `write`, `read` and
   * `run` hold one copy's values after another's; the history of a scalar output is all records of copy 0, then of copy 1, ...
   * A copy has the bits that the program alone has on the same route.
   */
  copies?: number;
  /** Names of inputs that each copy has for itself; the others are shared by all. */
  own?: readonly string[];
  /** @internal Names of parameters that no step changes, and that all copies share. */
  shared?: readonly string[];
}

/** What is known of the adapter; empty texts where the browser does not say. */
export interface DeviceInfo {
  vendor: string;
  architecture: string;
  description: string;
  /** True for a software adapter: correct, and far slower than a GPU. */
  isFallback: boolean;
}

/**
 * What programs are compiled for and run on: a GPU, or the CPU. Made by `open`; it holds memory until it is closed.
 */
export interface Device {
  readonly backend: "webgpu" | "cpu";
  readonly info: DeviceInfo;
  /** Resolves when the device is gone, with the reason; sessions then reject with DeviceError. */
  readonly lost: Promise<{ reason: string; message: string }>;
  /** Bytes now and at the highest, on the device, over all sessions. */
  memory(): { bytes: number; peakBytes: number; buffers: number };
  /**
   * Makes a program ready to run. Throws TypeError or ShapeError for one that cannot, RangeError for a number of copies that is none,
   * DeviceError where the device cannot hold or compile it.
   */
  compile(program: Program, options?: CompileOptions): Promise<Session>;
  /**
   * Measures on this adapter how the program's products are best cut up and which route is faster, milliseconds each, and keeps
   * the answer: later calls of `compile`, here and after a later `open`, plan by it; sessions that are there stay as they are.
   * Takes seconds, and wants the device for itself. Calls run one after another. On the CPU there is nothing to choose.
   * Throws as `compile` does, and RangeError for a budget that is no number above 0.
   */
  tune(program: Program, options?: TuneOptions): Promise<TuningReport>;
  /** Frees all that the device holds, its sessions' memory too. Calls under way and later ones reject with DeviceError. */
  close(): void;
}

/** What a device offers to the sessions above it, whatever runs them. */
export interface Backend {
  readonly backend: "webgpu" | "cpu";
  readonly info: DeviceInfo;
  readonly lost: Promise<{ reason: string; message: string }>;
  memory(): { bytes: number; peakBytes: number; buffers: number };
  /** Throws DeviceError once the device was closed or lost, with what to do. */
  throwIfGone(): void;
  compile(program: Program): Promise<Runner>;
  tune(program: Program, options: TuneOptions): Promise<TuningReport>;
  close(): void;
}

/**
 * Opens a device. Throws DeviceError, with what was tried and what to do, when "webgpu" is asked for and absent.
 * "auto" never throws: its last resort is the CPU.
 */
export async function open(options: OpenOptions = {}): Promise<Device> {
  checkOptions("open", options, ["backend", "gpu", "powerPreference", "route", "threads", "tuning"]);
  const { backend = "auto", gpu, powerPreference, route, threads, tuning } = options;
  if (backend !== "auto" && backend !== "webgpu" && backend !== "cpu") {
    throw new TypeError(`open: backend is ${String(backend)}; it must be "auto", "webgpu" or "cpu"`);
  }
  if (route !== undefined && route !== "recorded" && route !== "persistent") {
    throw new TypeError(`open: route is ${String(route)}; it must be "recorded" or "persistent", or left out`);
  }
  if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1))
    throw new RangeError(`open: threads is ${shown(threads)}; it must be a whole number from 1 on, or left out`);
  if (gpu && typeof gpu.requestAdapter !== "function") {
    throw new TypeError(
      `open: gpu is ${shown(gpu)}; it must be navigator.gpu, or in Node create([]) of the package "webgpu"`,
    );
  }
  if (backend === "cpu") return openCpu(options);
  const adapter: Adapter = {
    ...(gpu && { gpu }),
    ...(powerPreference && { powerPreference }),
    ...(route && { route }),
    tuning: tuning === undefined ? browserStore() : tuning,
  };
  if (backend === "webgpu") return await openGpu(adapter, options);
  let found: Device;
  try {
    found = await openGpu(adapter, options);
  } catch (error) {
    if (error instanceof DeviceError) return openCpu(options);
    throw error;
  }
  if (!found.info.isFallback) return found;
  try {
    // A chunk of its own: a page on a GPU does not download it.
    const { faster } = await import("./faster");
    return await faster(found, await openCpu(options));
  } catch (error) {
    found.close();
    throw error;
  }
}

/** A chunk of its own: a page that has no GPU, or asks for none, does not download it. */
async function openGpu(adapter: Adapter, asked: OpenOptions): Promise<Device> {
  const { openWebGpu } = await import("./webgpu/adapter");
  return new OpenDevice(await openWebGpu(adapter), asked);
}

/** A chunk of its own: a page that has a GPU does not download it. */
async function openCpu(asked: OpenOptions): Promise<Device> {
  const { openCpuBackend } = await import("./fallback");
  return new OpenDevice(await openCpuBackend(asked.threads), asked);
}

/** @internal What `open` was asked for when it gave this device; nothing where it comes from elsewhere. */
export function askedOf(device: Device): OpenOptions {
  return device instanceof OpenDevice ? device.asked : {};
}

class OpenDevice implements Device {
  private readonly sessions = new Set<Session>();
  private tuning: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly runs: Backend,
    readonly asked: OpenOptions,
  ) {}

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

  async compile(program: Program, options?: CompileOptions): Promise<Session> {
    const own = this.checked(program);
    if (options !== undefined) {
      // A chunk of its own: a page that has one network does not download it.
      const { checkCopies } = await import("./graph/copies");
      const copies = checkCopies(own, options, this.backend);
      if (copies.count > 1) own.copies = copies;
    }
    const runner = await this.runs.compile(own);
    try {
      this.runs.throwIfGone();
    } catch (error) {
      runner.dispose();
      throw error;
    }
    const session: Session = new Session(own, runner, {
      throwIfGone: () => this.runs.throwIfGone(),
      disposed: () => this.sessions.delete(session),
    });
    this.sessions.add(session);
    return session;
  }

  async tune(program: Program, options: TuneOptions = {}): Promise<TuningReport> {
    const own = this.checked(program);
    checkOptions("tune", options, ["signal", "onProgress", "budgetMs"]);
    const { budgetMs, signal } = options;
    checkSignal("tune", signal);
    checkCallback("tune", "onProgress", options.onProgress);
    if (budgetMs !== undefined && !(typeof budgetMs === "number" && budgetMs > 0))
      throw new RangeError(`tune: budgetMs is ${shown(budgetMs)}; it must be a number of milliseconds above 0`);
    const result = this.tuning.then(async () => {
      this.runs.throwIfGone();
      signal?.throwIfAborted();
      const report = await this.runs.tune(own, options);
      this.runs.throwIfGone();
      return report;
    });
    this.tuning = result.catch(() => {});
    return result;
  }

  close(): void {
    this.runs.close();
    for (const session of this.sessions) session.dispose();
  }

  /** A copy of a program that can run, so that the caller may change theirs. */
  private checked(program: Program): Program {
    checkProgram(program);
    this.runs.throwIfGone();
    return {
      inputs: { ...program.inputs },
      parameters: { ...program.parameters },
      outputs: { ...program.outputs },
      updates: { ...program.updates },
      ...(program.steps !== undefined && { steps: program.steps }),
    };
  }
}
