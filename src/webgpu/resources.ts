import { bytesOf } from "../graph/ops";
import { DeviceError } from "../util/errors";
import { type Plan, type PlanBuffer, sizeBytesOf } from "./codegen/plan";
import type { Memory } from "./memory";
import { IN_FLIGHT } from "./pace";
import { type Pipelines, type Recorded, STEP_ARGUMENT_BYTES } from "./pipelines";

/** What a plan takes of a device, made once. */
export interface Resources {
  /** An allocation of the plan each. */
  readonly allocations: readonly GPUBuffer[];
  /** The number of each record, at its own offset; or the steps of a persistent kernel. */
  readonly records: GPUBuffer | null;
  /** Where records come back, one buffer a submission under way. */
  readonly ring: readonly GPUBuffer[];
  /** Where outputs that are not scalar come back at the end of a run. */
  readonly staging: GPUBuffer | null;
  readonly step: readonly Recorded[];
  readonly deferred: Recorded | null;
}

/** Buffers, pipelines and bind groups of a plan. Throws DeviceError where the device refuses any; then nothing is kept. */
export async function allocate(
  device: GPUDevice,
  memory: Memory,
  pipelines: Pipelines,
  plan: Plan,
): Promise<Resources> {
  const made: GPUBuffer[] = [];
  const create = (label: string, size: number, usage: GPUBufferUsageFlags) => {
    const buffer = memory.create(label, size, usage);
    made.push(buffer);
    return buffer;
  };
  const dispatches = [...plan.step, ...(plan.deferred ? [plan.deferred] : [])];
  // They take longest, and are begun before anything is waited for.
  const compiling = Promise.all(dispatches.map((dispatch) => pipelines.get(dispatch)));
  compiling.catch(() => {}); // told where it is waited for
  try {
    const labels = plan.allocations.map((_, allocation) =>
      plan.buffers
        .filter((buffer) => buffer.allocation === allocation)
        .map(({ name }) => name)
        .join(", "),
    );
    const persistent = plan.route === "persistent";
    const usesUniform = dispatches.some(({ stepArguments }) => stepArguments === "uniform");
    const readable = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
    const { allocations, records, ring, staging } = await checked(device, () => {
      const allocations = plan.allocations.map((size, allocation) =>
        create(
          labels[allocation] ?? "",
          size,
          GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
        ),
      );
      for (const { allocation, offset, values, dtype } of plan.buffers) {
        if (values) device.queue.writeBuffer(allocations[allocation] as GPUBuffer, offset, arrayOf(dtype, values));
      }
      const records = usesUniform ? recordSlots(device, create, persistent ? 1 : plan.records) : null;
      const recordBytes =
        plan.copies *
        (plan.records * plan.scalars.length * bytesOf("float32") + (plan.count === null ? 0 : bytesOf("int32")));
      const turns = recordBytes === 0 ? 0 : IN_FLIGHT;
      const ring = Array.from({ length: turns }, (_, i) => create(`read-back ${i}`, recordBytes, readable));
      const outputs = Object.values(plan.outputs);
      const staging = outputs.length > 0 ? create("outputs read-back", sizeOf(plan, outputs), readable) : null;
      return { allocations, records, ring, staging };
    });
    const compiled = await compiling;
    const recorded = await checked(device, () =>
      dispatches.map((dispatch, i): Recorded => {
        const { pipeline, layout } = compiled[i] as { pipeline: GPUComputePipeline; layout: GPUBindGroupLayout };
        const entries: GPUBindGroupEntry[] = dispatch.bindings.map(({ buffer }, binding) => {
          const bound = plan.buffers[buffer] as PlanBuffer;
          const { allocation, offset } = bound;
          return {
            binding,
            resource: { buffer: allocations[allocation] as GPUBuffer, offset, size: sizeBytesOf(bound) },
          };
        });
        if (dispatch.stepArguments === "uniform" && records)
          entries.push({ binding: entries.length, resource: { buffer: records, size: STEP_ARGUMENT_BYTES } });
        const label = `${dispatch.kernel} (${dispatch.label})`;
        return { dispatch, pipeline, bindGroup: device.createBindGroup({ label, layout, entries }) };
      }),
    );
    const deferred = plan.deferred ? (recorded.pop() ?? null) : null;
    return { allocations, records, ring, staging, step: recorded, deferred };
  } catch (error) {
    for (const buffer of made) memory.destroy(buffer);
    throw error;
  }
}

/** Frees what a plan took. */
export function release(memory: Memory, { allocations, ring, records, staging }: Resources): void {
  for (const buffer of [...allocations, ...ring, records, staging]) if (buffer) memory.destroy(buffer);
}

/** A uniform buffer that holds each record's number at its own offset. */
function recordSlots(
  device: GPUDevice,
  create: (label: string, size: number, usage: GPUBufferUsageFlags) => GPUBuffer,
  records: number,
): GPUBuffer {
  const pitch = device.limits.minUniformBufferOffsetAlignment / 4;
  const numbers = new Uint32Array(records * pitch);
  for (let record = 0; record < records; record++) numbers[record * pitch] = record;
  const buffer = create("records", numbers.byteLength, GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST);
  device.queue.writeBuffer(buffer, 0, numbers);
  return buffer;
}

/** What `make` creates at once; throws DeviceError where the device refuses any of it. */
async function checked<T>(device: GPUDevice, make: () => T): Promise<T> {
  device.pushErrorScope("out-of-memory");
  device.pushErrorScope("validation");
  // The scopes are a stack of the device's: they are closed before anything is waited for, so that calls cannot mix.
  let made: T;
  let scopes: Promise<GPUError | null>[];
  try {
    made = make();
  } finally {
    scopes = [device.popErrorScope(), device.popErrorScope()];
    for (const scope of scopes) scope.catch(() => {}); // told where it is waited for, if nothing is thrown before
  }
  for (const error of await Promise.all(scopes)) {
    if (error) throw new DeviceError(`compile: the device refused the plan: ${error.message}`);
  }
  return made;
}

/** Bytes of buffers of a plan, one after the other. */
export function sizeOf(plan: Plan, buffers: readonly number[]): number {
  return buffers.reduce((sum, index) => sum + sizeBytesOf(plan.buffers[index] as PlanBuffer), 0);
}

export function arrayOf(
  dtype: "float32" | "int32",
  values: ArrayLike<number>,
): Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer> {
  return dtype === "int32" ? Int32Array.from(values) : Float32Array.from(values);
}
