import type { KernelTime } from "../runner";
import type { Memory } from "./memory";
import { encode, type Recorded } from "./pipelines";

/** The median time of each kernel over `steps` steps, each kernel in a pass of its own between two timestamps. */
export async function profile(
  device: GPUDevice,
  memory: Memory,
  step: readonly Recorded[],
  /** What kernels are told. */
  numbers: Uint32Array<ArrayBuffer>,
  steps: number,
): Promise<KernelTime[]> {
  const able = device.features.has("timestamp-query");
  const about = step.map(({ dispatch }) => ({
    kernel: dispatch.kernel,
    output: dispatch.output,
    flops: dispatch.flops,
    bytes: dispatch.bytes,
  }));
  if (!able || step.length === 0) return about.map((row) => ({ ...row, nanoseconds: null }));
  // A query set holds at most 4096: kernels are timed in as many rounds as that takes.
  const perRound = 2048;
  const nanoseconds: number[][] = step.map(() => []);
  for (let i = 0; i < steps; i++) {
    for (let first = 0; first < step.length; first += perRound) {
      const kernels = step.slice(first, first + perRound);
      const times = await timed(device, memory, kernels, numbers);
      times.forEach((time, k) => {
        (nanoseconds[first + k] as number[]).push(time);
      });
    }
  }
  return about.map((row, i) => ({ ...row, nanoseconds: median(nanoseconds[i] as number[]) }));
}

async function timed(
  device: GPUDevice,
  memory: Memory,
  kernels: readonly Recorded[],
  numbers: Uint32Array<ArrayBuffer>,
): Promise<number[]> {
  const count = kernels.length * 2;
  const querySet = device.createQuerySet({ label: "profile", type: "timestamp", count });
  const resolved = memory.create("timestamps", count * 8, GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC);
  const staging = memory.create("timestamps read-back", count * 8, GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST);
  try {
    const encoder = device.createCommandEncoder({ label: "profile" });
    kernels.forEach((kernel, i) => {
      const pass = encoder.beginComputePass({
        label: kernel.dispatch.label,
        timestampWrites: { querySet, beginningOfPassWriteIndex: 2 * i, endOfPassWriteIndex: 2 * i + 1 },
      });
      encode(pass, kernel, numbers, 0);
      pass.end();
    });
    encoder.resolveQuerySet(querySet, 0, count, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, staging, 0, count * 8);
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    const stamps = new BigUint64Array(staging.getMappedRange());
    return kernels.map((_, i) => Number((stamps[2 * i + 1] as bigint) - (stamps[2 * i] as bigint)));
  } finally {
    querySet.destroy();
    memory.destroy(resolved);
    memory.destroy(staging);
  }
}

export function median(values: number[]): number {
  const sorted = values.sort((a, b) => a - b);
  return sorted[sorted.length >> 1] as number;
}
