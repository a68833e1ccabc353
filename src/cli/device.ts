import { type Device, open } from "../index";
import { UsageError } from "./fail";

/** WebGPU in Node: that of the package `webgpu`, which is optional; null where it is not installed. */
export async function dawn(): Promise<GPU | null> {
  try {
    const { create, globals } = await import("webgpu");
    Object.assign(globalThis, globals);
    return create([]);
  } catch {
    return null;
  }
}

export const NO_DAWN = "WebGPU in Node is the package webgpu, which is not installed here (npm install webgpu)";

/** "auto": WebGPU on a GPU, where there is one and the package; else the CPU. */
export async function openDevice(backend: "auto" | "cpu" | "webgpu"): Promise<Device> {
  if (backend === "cpu") return open({ backend });
  const gpu = await dawn();
  if (backend === "auto") return gpu === null ? open({ backend: "cpu" }) : open({ backend, gpu });
  if (gpu === null) throw new UsageError(`${NO_DAWN}; without it, --device cpu.`);
  return open({ backend, gpu });
}

/** Of what is drawn in a report and said at a terminal. */
export function deviceLine({ backend, info }: Device): string {
  if (backend === "cpu") return "CPU";
  return ["WebGPU on", info.vendor, info.architecture, info.description].filter(Boolean).join(" ");
}
