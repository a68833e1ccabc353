import { type Device, DeviceError, open } from "../../index";
import type { Config } from "../config";
import type { DeviceFacts } from "./messages";

/**
 * "auto" is the GPU where there is one, else the CPU. That the CPU is the faster one for networks of this size, wherever
 * WebGPU is software, is known from the benchmarks; open() would measure it anew, in more time than the first steps take.
 */
export async function openDevice(backend: Config["backend"]): Promise<Device> {
  if (backend !== "auto") return open({ backend });
  // What says that it is software is not opened: its kernels need not be downloaded.
  const adapter = await globalThis.navigator?.gpu?.requestAdapter().catch(() => null);
  if (!adapter || adapter.info.isFallbackAdapter) return open({ backend: "cpu" });
  const device = await open({ backend: "webgpu" }).catch((error: unknown) => {
    if (error instanceof DeviceError) return null;
    throw error;
  });
  if (device && !device.info.isFallback) return device;
  device?.close();
  return open({ backend: "cpu" });
}

export function factsOf({ backend, info }: Device): DeviceFacts {
  const names = [info.vendor, info.architecture, info.description].filter(Boolean).join(" ");
  return { backend, name: names || "unnamed adapter", isFallback: info.isFallback };
}

/** Why the CPU trains where a GPU was hoped for, and what would bring it. */
export async function whyNoGpu(): Promise<string> {
  if (!("gpu" in navigator)) {
    return isSecureContext
      ? "This browser has no WebGPU; Chrome and Edge from 113, Firefox from 141 and Safari from 26 have it."
      : "WebGPU is there only on pages served by https or from localhost.";
  }
  const adapter = await navigator.gpu.requestAdapter().catch(() => null);
  return adapter
    ? "WebGPU is here as software only, and the CPU is faster than that; a graphics driver that the browser accepts would enable the GPU."
    : "WebGPU found no adapter: update the graphics driver. In Chrome, chrome://gpu says why; on Linux it may need --enable-unsafe-webgpu.";
}
