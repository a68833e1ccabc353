import type { Program } from "../../src/index";
import { Session } from "../../src/session";
import { WebGpuBackend } from "../../src/webgpu/adapter";
import type { Target } from "../../src/webgpu/codegen/plan";
import type { GpuRunner } from "../../src/webgpu/runner";
import { keepsSubgroup, promisedSubgroup } from "../../src/webgpu/subgroups";
import { turnsOf } from "../../src/webgpu/turns";

export interface OtherDevice {
  compile(program: Program): Promise<Session>;
  /** The same without what a session checks, and with the plan. */
  runner(program: Program): Promise<GpuRunner>;
  close(): void;
}

/**
 * The adapter of this machine planned for as another one: a software adapter as if it were a GPU, and a GPU as if it were
 * software. Each has kernels of its own (tiles in workgroup memory, lanes that share a row), which this machine would never try
 * else. With the least limits that WebGPU promises, too.
 */
export async function openOther(planned: Partial<Target>): Promise<OtherDevice> {
  const adapter = await navigator.gpu.requestAdapter();
  if (adapter === null) throw new Error("there is no WebGPU adapter");
  const requiredFeatures = (["subgroups"] as const).filter((feature) => adapter.features.has(feature));
  const device = await adapter.requestDevice({ requiredFeatures });
  const { isFallback } = new WebGpuBackend(device, adapter.info).info;
  const promised = promisedSubgroup(adapter);
  const subgroupSize = promised > 0 && (await keepsSubgroup(device, promised)) ? promised : 0;
  const maxTurns = await turnsOf(device);
  const backend = new WebGpuBackend(device, adapter.info, {
    software: !isFallback,
    subgroupSize,
    maxTurns,
    ...planned,
  });
  const owner = { throwIfGone() {}, disposed() {} };
  return {
    compile: async (program) => new Session(program, await backend.compile(program), owner),
    runner: async (program) => (await backend.compile(program)) as GpuRunner,
    close: () => backend.close(),
  };
}
