import { Session } from "../../src/device";
import type { Program } from "../../src/index";
import { WebGpuBackend } from "../../src/webgpu/adapter";

export interface OtherDevice {
  /** What it pretends to be. */
  readonly kind: string;
  compile(program: Program): Promise<Session>;
  close(): void;
}

/**
 * The adapter of this machine under the other name: a software adapter planned for as if it were a GPU, and a GPU as if it were
 * software. Each has kernels of its own (tiles in workgroup memory, lanes that share a row), which this machine would never try
 * else. With the least limits that WebGPU promises, too.
 */
export async function openOther(): Promise<OtherDevice> {
  const adapter = await navigator.gpu.requestAdapter();
  if (adapter === null) throw new Error("there is no WebGPU adapter");
  const { isFallback } = new WebGpuBackend(await adapter.requestDevice(), adapter.info).info;
  const again = await navigator.gpu.requestAdapter();
  if (again === null) throw new Error("there is no second WebGPU adapter");
  const software = !isFallback;
  const info: Omit<GPUAdapterInfo, "__brand"> = {
    vendor: "",
    architecture: "",
    device: "",
    description: "",
    subgroupMinSize: 4,
    subgroupMaxSize: 128,
    isFallbackAdapter: software,
  };
  const backend = new WebGpuBackend(await again.requestDevice(), info as GPUAdapterInfo);
  const owner = { throwIfGone() {}, disposed() {} };
  return {
    kind: software ? "software" : "GPU",
    compile: async (program) => new Session(program, await backend.compile(program), owner),
    close: () => backend.close(),
  };
}
