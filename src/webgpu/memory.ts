import { DeviceError } from "../util/errors";

/** Creates buffers and counts what they take, over all sessions of a device. */
export class Memory {
  private bytes = 0;
  private peakBytes = 0;
  private buffers = 0;

  constructor(private readonly device: GPUDevice) {}

  usage(): { bytes: number; peakBytes: number; buffers: number } {
    return { bytes: this.bytes, peakBytes: this.peakBytes, buffers: this.buffers };
  }

  /** A zeroed buffer. Throws DeviceError, with both numbers, where it is larger than the device allows. */
  create(label: string, sizeBytes: number, usage: number): GPUBuffer {
    const size = Math.max(4, Math.ceil(sizeBytes / 4) * 4);
    const { maxBufferSize } = this.device.limits;
    if (size > maxBufferSize) {
      throw new DeviceError(
        `memory: "${label}" needs ${size} bytes, a buffer of this device has at most ${maxBufferSize}`,
      );
    }
    const buffer = this.device.createBuffer({ label, size, usage });
    this.bytes += size;
    this.buffers++;
    this.peakBytes = Math.max(this.peakBytes, this.bytes);
    return buffer;
  }

  destroy(buffer: GPUBuffer): void {
    buffer.destroy();
    this.bytes -= buffer.size;
    this.buffers--;
  }
}
