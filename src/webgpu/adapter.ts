import type { Runner } from "../cpu/runner";
import type { Program } from "../graph/program";
import { compile, mayRunWhole } from "../plan/compile";
import type { Route, Target, Tuned } from "../plan/plan";
import { DeviceError } from "../util/errors";
import { Memory } from "./memory";
import { Pipelines, SLOT_BYTES } from "./pipelines";
import { GpuRunner } from "./runner";
import type { TuningStore } from "./store";
import { subgroupSizeOf } from "./subgroups";
import type { TuneOptions, TuningReport } from "./tune";

export interface Adapter {
  gpu?: GPU;
  powerPreference?: GPUPowerPreference;
  route?: Route;
  /** Where the tuner's records are; null for nowhere. */
  tuning: TuningStore | null;
}

/** Limits that are asked for as high as the adapter gives them: large buffers, many bindings, large workgroups. */
const LIMITS = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
] as const;

/** Keeps what a device came from for as long as the device: the package `webgpu` ends the process where it is collected before. */
const origins = new WeakMap<GPUDevice, GPU>();

/** Opens WebGPU on the best adapter. Throws DeviceError that says what was tried and what to do. */
export async function openWebGpu({ gpu, powerPreference, route, tuning }: Adapter): Promise<WebGpuBackend> {
  const entry = gpu ?? (typeof navigator === "undefined" ? undefined : navigator.gpu);
  if (!entry) {
    throw new DeviceError(
      "open: there is no WebGPU here: navigator.gpu is missing. Use a browser with WebGPU on a page served by https or localhost, " +
        'give gpu: create([]) of the package "webgpu" in Node, or backend: "cpu"',
    );
  }
  const adapter = await entry.requestAdapter({ powerPreference: powerPreference ?? "high-performance" });
  if (adapter === null) {
    throw new DeviceError(
      "open: WebGPU is here but found no adapter. Check the graphics driver and chrome://gpu (on Linux, Chrome may need " +
        '--enable-unsafe-webgpu --enable-features=Vulkan), or use backend: "cpu"',
    );
  }
  const requiredLimits: Record<string, number> = {};
  for (const limit of LIMITS) requiredLimits[limit] = adapter.limits[limit];
  const features = (["timestamp-query", "subgroups"] as const).filter((feature) => adapter.features.has(feature));
  try {
    const device = await adapter.requestDevice({ label: "wgrad", requiredLimits, requiredFeatures: [...features] });
    origins.set(device, entry);
    const immediates =
      entry.wgslLanguageFeatures?.has("immediate_address_space") && device.limits.maxImmediateSize >= SLOT_BYTES;
    const planned = {
      subgroupSize: await subgroupSizeOf(device, adapter.info),
      immediates: immediates ?? false,
      ...(route && { route }),
    };
    return new WebGpuBackend(device, adapter.info, planned, tuning);
  } catch (error) {
    throw new DeviceError(
      `open: the adapter ${adapter.info.description} gave no device: ${String(error)}; reload the page or use backend: "cpu"`,
    );
  }
}

/** Software adapters say so, or have these names. */
function isSoftware(info: GPUAdapterInfo): boolean {
  const named = /swiftshader|llvmpipe|lavapipe|softpipe|basic render/i;
  return (
    info.isFallbackAdapter ||
    [info.vendor, info.architecture, info.device, info.description].some((text) => named.test(text ?? ""))
  );
}

/** What is known of an adapter, and whether there was a record that could not be trusted. */
interface Recalled extends Tuned {
  readonly ignored: boolean;
}

/** How long a store may keep the first compile() waiting, in milliseconds. */
const RECALL_MS = 1000;

export class WebGpuBackend {
  readonly backend = "webgpu";
  readonly info: { vendor: string; architecture: string; description: string; isFallback: boolean };
  readonly lost: Promise<{ reason: string; message: string }>;
  private readonly allocated: Memory;
  private readonly pipelines: Pipelines;
  private readonly target: Target;
  /** An error that the device reported outside of any call; the next call throws it. */
  private reported: DeviceError | null = null;
  /** What was measured here: read from the store as soon as the device is there, and added to by `tune`. Never rejects. */
  private tuned: Promise<Recalled>;
  private readonly key: string;

  constructor(
    private readonly device: GPUDevice,
    info: GPUAdapterInfo,
    /** What plans are made for, where it differs from what the device says of itself. */
    planned: Partial<Target> = {},
    private readonly store: TuningStore | null = null,
  ) {
    this.info = {
      vendor: info.vendor,
      architecture: info.architecture,
      description: info.description || info.device,
      isFallback: isSoftware(info),
    };
    this.lost = device.lost.then(({ reason, message }) => ({ reason, message }));
    device.addEventListener("uncapturederror", ({ error }) => {
      this.reported ??= new DeviceError(`the device reported an error that no call was waiting for: ${error.message}`);
    });
    this.allocated = new Memory(device);
    this.pipelines = new Pipelines(device);
    const { limits } = device;
    this.target = {
      software: this.info.isFallback,
      maxStorageBuffers: limits.maxStorageBuffersPerShaderStage,
      maxBindingBytes: Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize),
      maxWorkgroupSize: Math.min(limits.maxComputeInvocationsPerWorkgroup, limits.maxComputeWorkgroupSizeX),
      maxWorkgroupBytes: limits.maxComputeWorkgroupStorageSize,
      subgroupSize: 0,
      immediates: false,
      ...planned,
    };
    const agent = typeof navigator === "undefined" ? "" : navigator.userAgent;
    this.key = ["wgrad", info.vendor, info.architecture, info.device, info.description, agent].join("|");
    this.tuned = this.recall();
  }

  memory(): { bytes: number; peakBytes: number; buffers: number } {
    return this.allocated.usage();
  }

  async compile(program: Program): Promise<Runner> {
    const whole = mayRunWhole(program, this.target) ? (await import("../plan/persistent")).lowerPersistent : null;
    const { tilings, routes } = await this.tuned;
    const plan = compile(program, { ...this.target, tilings, routes }, whole);
    return GpuRunner.create(this.device, this.allocated, this.pipelines, plan, () => {
      const error = this.reported;
      this.reported = null;
      if (error) throw error;
    });
  }

  async tune(program: Program, options: TuneOptions): Promise<TuningReport> {
    // A chunk of its own: a page that does not tune does not download it.
    const [{ tune }, { writeRecord }] = await Promise.all([import("./tune"), import("../plan/record")]);
    const { device, allocated: memory, target, store, key } = this;
    // Another page may have written since.
    const [recalled, known] = await Promise.all([this.recall(), this.tuned]);
    const before = {
      tilings: { ...recalled.tilings, ...known.tilings },
      routes: { ...recalled.routes, ...known.routes },
    };
    const { tuned, report } = await tune({ device, memory, target, tuned: before }, program, options);
    this.tuned = Promise.resolve({ ...tuned, ignored: false });
    let kept = store !== null;
    try {
      await store?.write(key, writeRecord(key, tuned));
    } catch {
      kept = false;
    }
    return { ...report, kept, ignored: recalled.ignored };
  }

  close(): void {
    this.device.destroy();
  }

  /** The record of this adapter and browser, where there is one and it is of these kernels. */
  private async recall(): Promise<Recalled> {
    const none = { tilings: { ...this.target.tilings }, routes: {} };
    const { store, key, target } = this;
    if (store === null) return { ...none, ignored: false };
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<null>((resolve) => {
      timer = setTimeout(() => resolve(null), RECALL_MS);
    });
    try {
      const text = await Promise.race([store.read(key), late]);
      if (text === null) return { ...none, ignored: false };
      const { readRecord } = await import("../plan/record");
      const record = readRecord(text, key, target);
      return { ...(record ?? none), ignored: record === null };
    } catch {
      // Where storage is forbidden or broken there is no record.
      return { ...none, ignored: false };
    } finally {
      clearTimeout(timer);
    }
  }
}
