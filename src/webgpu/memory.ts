import { DeviceError } from "../util/errors";

/** Creates buffers and counts what they take, over all sessions of a device. */
export class Memory {
  private bytes = 0;
  private peakBytes = 0;
  /** What there is; null once the device is gone. */
  private buffers: Set<GPUBuffer> | null = new Set();

  constructor(private readonly device: GPUDevice) {}

  usage(): { bytes: number; peakBytes: number; buffers: number } {
    return { bytes: this.bytes, peakBytes: this.peakBytes, buffers: this.buffers?.size ?? 0 };
  }

  /** A zeroed buffer. Throws DeviceError, with both numbers, where it is larger than the device allows; and where that is gone. */
  create(label: string, sizeBytes: number, usage: number): GPUBuffer {
    if (this.buffers === null) throw new DeviceError(`memory: the device is gone, and "${label}" has no place`);
    const size = Math.max(4, Math.ceil(sizeBytes / 4) * 4);
    const { maxBufferSize } = this.device.limits;
    if (size > maxBufferSize) {
      throw new DeviceError(
        `memory: "${label}" needs ${size} bytes, a buffer of this device has at most ${maxBufferSize}`,
      );
    }
    const buffer = this.device.createBuffer({ label, size, usage });
    this.buffers.add(buffer);
    this.bytes += size;
    this.peakBytes = Math.max(this.peakBytes, this.bytes);
    return buffer;
  }

  destroy(buffer: GPUBuffer): void {
    if (!this.buffers?.delete(buffer)) return;
    buffer.destroy();
    this.bytes -= buffer.size;
  }

  /** The device is gone, or goes: so is all that it held, whoever else would still free it. */
  close(): void {
    for (const buffer of this.buffers ?? []) buffer.destroy();
    this.buffers = null;
    this.bytes = 0;
  }
}
