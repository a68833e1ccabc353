import type { Program } from "../graph/program";
import type { Runner } from "../runner";
import { DeviceError } from "../util/errors";
import { planning } from "./codegen/compile";
import { KINDS, loadKernels, productsOf } from "./codegen/load-kernels";
import type { Route, Target, Tuned } from "./codegen/plan";
import { Guard } from "./guard";
import { Memory } from "./memory";
import { Pipelines, STEP_ARGUMENT_BYTES } from "./pipelines";
import { GpuRunner } from "./runner";
import { readFrom, type TuningStore, writeTo } from "./store";
import { keepsSubgroup, promisedSubgroup } from "./subgroups";
import type { TuneOptions, TuningReport } from "./tune";
import { turnsOf } from "./turns";

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

/** Features that are asked for where the adapter has them. */
const FEATURES = ["timestamp-query", "subgroups"] as const;

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
  let adapter: GPUAdapter | null;
  try {
    adapter = await entry.requestAdapter({ powerPreference: powerPreference ?? "high-performance" });
  } catch (error) {
    throw new DeviceError(`open: WebGPU gave no adapter: ${String(error)}; reload the page or use backend: "cpu"`, {
      cause: error,
    });
  }
  if (adapter === null) {
    throw new DeviceError(
      "open: WebGPU is here but found no adapter. Check the graphics driver and chrome://gpu (on Linux, Chrome may need " +
        '--enable-unsafe-webgpu --enable-features=Vulkan), or use backend: "cpu"',
    );
  }
  const { info } = adapter;
  // Read beside the making of the device: it takes the browser as long.
  const record = tuning && readFrom(tuning, keyOf(info));
  let device: GPUDevice | undefined;
  try {
    const requiredLimits: Record<string, number> = {};
    for (const limit of LIMITS) requiredLimits[limit] = adapter.limits[limit];
    const requiredFeatures = FEATURES.filter((feature) => adapter.features.has(feature));
    device = await adapter.requestDevice({ label: "wgrad", requiredLimits, requiredFeatures });
    // An adapter that is gone gives a device that was lost from the start.
    const lost = await Promise.race([device.lost, null]);
    if (lost) throw new Error(`it was lost at once (${lost.reason}): ${lost.message}`);
    origins.set(device, entry);
    const immediates =
      entry.wgslLanguageFeatures?.has("immediate_address_space") &&
      device.limits.maxImmediateSize >= STEP_ARGUMENT_BYTES;
    const subgroupSize = promisedSubgroup(adapter);
    const planned = { subgroupSize, immediates: immediates ?? false, ...(route && { route }) };
    return new WebGpuBackend(device, info, planned, tuning, { corrections: corrections(device, subgroupSize), record });
  } catch (error) {
    device?.destroy();
    throw new DeviceError(
      `open: the adapter ${info.description} gave no device: ${String(error)}; reload the page or use backend: "cpu"`,
      { cause: error },
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

/** Names an adapter and a browser in a store. */
function keyOf({ vendor, architecture, device, description }: GPUAdapterInfo): string {
  const agent = typeof navigator === "undefined" ? "" : navigator.userAgent;
  return ["wgrad", vendor, architecture, device, description, agent].join("|");
}

/** Where an adapter is not what plans take it for: it keeps no promise of its subgroups, or ends a thread's loops early. Never rejects. */
async function corrections(device: GPUDevice, subgroupSize: number): Promise<Partial<Target>> {
  const [kept, maxTurns] = await Promise.all([
    subgroupSize === 0 || keepsSubgroup(device, subgroupSize),
    turnsOf(device),
  ]);
  return { ...(!kept && { subgroupSize: 0 }), ...(maxTurns < Number.POSITIVE_INFINITY && { maxTurns }) };
}

/** What is still being found out when a device opens. Neither rejects. */
interface Findings {
  /** What plans have to be made for instead. */
  readonly corrections: Promise<Partial<Target>>;
  /** The text of the record of what was measured here before. */
  readonly record: Promise<string | null> | null;
}

export class WebGpuBackend {
  readonly backend = "webgpu";
  readonly info: { vendor: string; architecture: string; description: string; isFallback: boolean };
  readonly lost: Promise<{ reason: string; message: string }>;
  private readonly allocated: Memory;
  private readonly pipelines: Pipelines;
  private readonly guard: Guard;
  private target: Target;
  /** What was measured here: read from the store as soon as there is an adapter, and added to by `tune`. Never rejects. */
  private tuned: Promise<Recalled>;
  private readonly key: string;
  private readonly corrected: Promise<void>;

  constructor(
    private readonly device: GPUDevice,
    info: GPUAdapterInfo,
    /** What plans are made for, where it differs from what the device says of itself. */
    planned: Partial<Target> = {},
    private readonly store: TuningStore | null = null,
    { corrections, record }: Findings = { corrections: Promise.resolve({}), record: null },
  ) {
    this.info = {
      vendor: info.vendor,
      architecture: info.architecture,
      description: info.description || info.device,
      isFallback: isSoftware(info),
    };
    this.guard = new Guard(device);
    this.allocated = new Memory(device);
    this.lost = device.lost.then(({ reason, message }) => {
      this.allocated.close();
      return { reason, message };
    });
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
    this.key = keyOf(info);
    this.tuned = this.recall(record);
    this.corrected = corrections.then((found) => {
      if (Object.keys(found).length === 0) return;
      this.target = { ...this.target, ...found };
      this.tuned = this.recall(record);
    });
  }

  memory(): { bytes: number; peakBytes: number; buffers: number } {
    return this.allocated.usage();
  }

  throwIfGone(): void {
    this.guard.throwIfGone();
  }

  async compile(program: Program): Promise<Runner> {
    let made: Runner | null = null;
    try {
      return await this.guard.during(async () => {
        made = await this.tried(program);
        return this.guard.runner(made);
      });
    } catch (error) {
      (made as Runner | null)?.dispose();
      throw error;
    }
  }

  async tune(program: Program, options: TuneOptions): Promise<TuningReport> {
    return this.guard.during(() => this.measure(program, options), options.signal);
  }

  close(): void {
    this.guard.close();
    this.allocated.close();
    this.device.destroy();
  }

  /** A program planned while the adapter is still being tried: nearly all are what they seem. Else made anew. */
  private async tried(program: Program): Promise<Runner> {
    const { target } = this;
    const made = this.planned(program);
    made.catch(() => {});
    await this.corrected;
    if (this.target === target) return made;
    await made.then(
      (runner) => runner.dispose(),
      () => {},
    );
    return this.planned(program);
  }

  /** A program by what was measured; by default where that cannot be: no record keeps a program from running. */
  private async planned(program: Program): Promise<Runner> {
    const { target } = this;
    try {
      return await this.make(program, target, this.tuned);
    } catch (error) {
      const { tilings, routes } = await this.tuned;
      if (Object.keys(tilings).length + Object.keys(routes).length === 0) throw error;
      this.throwIfGone();
      return this.make(program, target);
    }
  }

  private async make(program: Program, base: Target, tuned?: Promise<Tuned>): Promise<GpuRunner> {
    const planned = planning(program, base, (kernel) => {
      this.pipelines.get(kernel).catch(() => {}); // told when the plan is allocated
    });
    let at = planned.next();
    while (!at.done) {
      // The kernels of this kind of adapter are on the way while the record is read.
      const usual = loadKernels(program, at.value, base);
      usual.catch(() => {});
      const target: Target = { ...base, ...(await tuned) };
      const kinds = Object.values(target.tilings ?? {}).map(({ kind }) => kind);
      const kernels = kinds.length > 0 ? await loadKernels(program, at.value, target, kinds) : await usual;
      at = planned.next({ kernels, target });
    }
    return GpuRunner.create(this.device, this.allocated, this.pipelines, at.value, base.software);
  }

  private async measure(program: Program, options: TuneOptions): Promise<TuningReport> {
    await this.corrected;
    // A chunk of its own: a page that does not tune does not download it.
    const [{ tune }, { writeRecord }, products] = await Promise.all([
      import("./tune"),
      import("./codegen/tuning-file"),
      productsOf(KINDS),
    ]);
    const { device, allocated: memory, target, store, key } = this;
    // Another page may have written since.
    const [recalled, known] = await Promise.all([this.recall(store && readFrom(store, key)), this.tuned]);
    const before = {
      tilings: { ...recalled.tilings, ...known.tilings },
      routes: { ...recalled.routes, ...known.routes },
    };
    const { tuned, report } = await tune({ device, memory, target, tuned: before }, program, options);
    this.throwIfGone();
    this.tuned = Promise.resolve({ ...tuned, ignored: false });
    const kept = store !== null && (await writeTo(store, key, writeRecord(key, tuned, products)));
    return { ...report, kept, ignored: recalled.ignored };
  }

  /** What a record says, where it is of these kernels. */
  private async recall(record: Promise<string | null> | null): Promise<Recalled> {
    const { key, target } = this;
    const none = { tilings: { ...target.tilings }, routes: {} };
    try {
      const text = await record;
      if (text === null) return { ...none, ignored: false };
      const [{ readRecord }, products] = await Promise.all([import("./codegen/tuning-file"), productsOf(KINDS)]);
      const found = readRecord(text, key, target, products);
      return { ...(found ?? none), ignored: found === null };
    } catch {
      // What cannot be read, for want of a chunk, is none.
      return { ...none, ignored: false };
    }
  }
}
