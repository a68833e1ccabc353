import { DeviceError } from "../util/errors";
import type { KernelSet } from "./codegen/compile";
import type { Target } from "./codegen/plan";
import type { Memory } from "./memory";
import type { Pipelines } from "./pipelines";

/** What a tuner measures with. */
export interface Bench {
  readonly device: GPUDevice;
  readonly memory: Memory;
  readonly target: Target;
  readonly kernels: KernelSet;
  /** Its own: what was compiled for nothing but measuring goes when the tuner is done. */
  readonly pipelines: Pipelines;
  readonly clock: Clock;
  readonly signal: AbortSignal | undefined;
  /** Whether there is time left for another measurement; throws where it is to stop. */
  begins(what: string): boolean;
}

/** A measurement lasts about so long: a submission's own cost is a small part of it. */
export const SAMPLE_MS = 20;
export const ROUNDS = 3;

/**
 * Times submissions. A device that goes away is done with all its work at once, so that "done" alone proves nothing: behind the
 * work, in the same command buffer, a number is copied that must come back. It does not where the device was lost or refused them.
 */
export class Clock {
  private given = 0;
  private readonly number: GPUBuffer;
  private readonly staging: GPUBuffer;

  constructor(
    private readonly device: GPUDevice,
    private readonly memory: Memory,
  ) {
    this.number = memory.create("receipt", 4, GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST);
    this.staging = memory.create("receipt read-back", 4, GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST);
  }

  /** Milliseconds of what `record` records, the cost of its submission included. Throws where it was not done. */
  async time(record: (encoder: GPUCommandEncoder) => void = () => {}): Promise<number> {
    const { device, number, staging } = this;
    device.queue.writeBuffer(number, 0, Uint32Array.of(++this.given));
    const encoder = device.createCommandEncoder({ label: "tune" });
    record(encoder);
    encoder.copyBufferToBuffer(number, 0, staging, 0, 4);
    const commands = encoder.finish();
    const start = performance.now();
    device.queue.submit([commands]);
    await staging.mapAsync(GPUMapMode.READ);
    const timeMs = performance.now() - start;
    const [done] = new Uint32Array(staging.getMappedRange());
    staging.unmap();
    if (done !== this.given) {
      throw new DeviceError(
        `tune: the device did not do what it was given: measurement ${this.given} ended with the receipt of ${done}; nothing is kept`,
      );
    }
    return timeMs;
  }

  dispose(): void {
    this.memory.destroy(this.number);
    this.memory.destroy(this.staging);
  }
}
