import { type Device, DeviceError, open } from "../../index";
import type { Config } from "../config";
import type { DeviceFacts } from "./messages";

/** How often a lost device is asked for again before the CPU takes over, and how long apart. */
const REOPENINGS = 6;
const REOPEN_MS = 350;

/**
 * "auto" is the GPU where there is one, else the CPU. That the CPU is the faster one for networks of this size, wherever
 * WebGPU is software, is known from the benchmarks; open() would measure it anew, in more time than the first steps take.
 */
export async function openDevice(backend: Config["backend"]): Promise<Device> {
  if (backend !== "auto") return open({ backend });
  const device = await open({ backend: "webgpu" }).catch((error: unknown) => {
    if (error instanceof DeviceError) return null;
    throw error;
  });
  if (device && !device.info.isFallback) return device;
  device?.close();
  return open({ backend: "cpu" });
}

/** A device in place of one that went away: a driver may need a moment to come back; where it does not, the CPU. */
export async function reopenDevice(backend: Config["backend"]): Promise<Device> {
  for (let attempt = 0; attempt < REOPENINGS; attempt++) {
    await new Promise((resolve) => setTimeout(resolve, REOPEN_MS));
    const device = await open({ backend: backend === "cpu" ? "cpu" : "webgpu" }).catch(() => null);
    if (device) return device;
  }
  return open({ backend: "cpu" });
}

/** Whether the device is gone, or goes within a moment: an error of its calls may come before the word of its loss. */
export async function isGone(device: Device): Promise<boolean> {
  return Promise.race([device.lost.then(() => true), new Promise<false>((no) => setTimeout(() => no(false), 200))]);
}

/** `work`, or a DeviceError as soon as the device is lost: what it was to answer may never come. */
export function unlessLost<T>(device: Device, work: Promise<T>): Promise<T> {
  const gone = device.lost.then(({ message }): never => {
    throw new DeviceError(`the device is gone: ${message}`);
  });
  return Promise.race([work, gone]);
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
