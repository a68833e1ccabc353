import type { Runner } from "../cpu/runner";
import type { Program } from "../graph/program";
import { compile, mayRunWhole } from "../plan/compile";
import type { Route, Target } from "../plan/plan";
import { DeviceError } from "../util/errors";
import { Memory } from "./memory";
import { Pipelines } from "./pipelines";
import { GpuRunner } from "./runner";

export interface Adapter {
  gpu?: GPU;
  powerPreference?: GPUPowerPreference;
  route?: Route;
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

/** Opens WebGPU on the best adapter. Throws DeviceError that says what was tried and what to do. */
export async function openWebGpu({ gpu, powerPreference, route }: Adapter): Promise<WebGpuBackend> {
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
    return new WebGpuBackend(
      await adapter.requestDevice({ label: "wgrad", requiredLimits, requiredFeatures: [...features] }),
      adapter.info,
      route ? { route } : {},
    );
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

/** Threads of a subgroup where the adapter has them and always gives as many; else 0. */
function subgroupSizeOf(device: GPUDevice, { subgroupMinSize, subgroupMaxSize }: GPUAdapterInfo): number {
  return device.features.has("subgroups") && subgroupMinSize === subgroupMaxSize ? (subgroupMinSize ?? 0) : 0;
}

export class WebGpuBackend {
  readonly backend = "webgpu";
  readonly info: { vendor: string; architecture: string; description: string; isFallback: boolean };
  readonly lost: Promise<{ reason: string; message: string }>;
  private readonly allocated: Memory;
  private readonly pipelines: Pipelines;
  private readonly target: Target;
  /** An error that the device reported outside of any call; the next call throws it. */
  private reported: DeviceError | null = null;

  constructor(
    private readonly device: GPUDevice,
    info: GPUAdapterInfo,
    /** What plans are made for, where it differs from what the device says of itself. */
    planned: Partial<Target> = {},
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
      subgroupSize: subgroupSizeOf(device, info),
      ...planned,
    };
  }

  memory(): { bytes: number; peakBytes: number; buffers: number } {
    return this.allocated.usage();
  }

  async compile(program: Program): Promise<Runner> {
    const whole = mayRunWhole(program, this.target) ? (await import("../plan/persistent")).lowerPersistent : null;
    const plan = compile(program, this.target, whole);
    return GpuRunner.create(this.device, this.allocated, this.pipelines, plan, () => {
      const error = this.reported;
      this.reported = null;
      if (error) throw error;
    });
  }

  close(): void {
    this.device.destroy();
  }
}
