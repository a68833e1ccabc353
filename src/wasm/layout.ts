import { bytesOf, type DType } from "../graph/ops";
import type { Tensor } from "../graph/tensor";
import type { PartialReduction } from "../plan/group";
import { place } from "../plan/place";
import type { Role } from "../webgpu/codegen/plan";

export interface Buffer {
  readonly name: string;
  readonly role: Role | "scratch" | "threads";
  readonly dtype: DType;
  readonly elements: number;
  address: number;
}

/** Bytes of all its elements. */
export function sizeBytesOf({ elements, dtype }: Pick<Buffer, "elements" | "dtype">): number {
  return elements * bytesOf(dtype);
}

/** Buffers start at multiples of a cache line, and memory ends a little later than the last: vectors may read beyond an end. */
const LINE_BYTES = 64;

/** Linear memory under way: what lives how long, then where. Address 0 is nobody's. */
export class Layout {
  readonly buffers: Buffer[] = [];
  private readonly spans = new Map<Buffer, [number, number]>();
  /** The buffer of each value that has one. */
  readonly known = new Map<Tensor | PartialReduction, Buffer>();
  sizeBytes = 0;

  add(name: string, role: Buffer["role"], elements: number, dtype: DType = "float32"): Buffer {
    const made = { name, role, dtype, elements, address: 0 };
    this.buffers.push(made);
    return made;
  }

  assign(value: Tensor | PartialReduction, buffer: Buffer): void {
    this.known.set(value, buffer);
  }

  find(value: Tensor | PartialReduction): Buffer | undefined {
    return this.known.get(value);
  }

  /** Kernel `at` reads or writes the buffer. */
  touch(buffer: Buffer, at: number): void {
    const [first, last] = this.spans.get(buffer) ?? [at, at];
    this.spans.set(buffer, [Math.min(first, at), Math.max(last, at)]);
  }

  /** Gives every buffer its address. */
  settle(): void {
    const lives = (role: Buffer["role"]) => role !== "intermediate" && role !== "scratch" && role !== "partials";
    const { allocationOf, allocations } = place(
      this.buffers.map((buffer) => ({
        bytes: Math.ceil(sizeBytesOf(buffer) / LINE_BYTES) * LINE_BYTES,
        span: lives(buffer.role) ? null : (this.spans.get(buffer) ?? [0, 0]),
      })),
    );
    this.sizeBytes = LINE_BYTES;
    const addresses = allocations.map((bytes) => {
      const address = this.sizeBytes;
      this.sizeBytes += bytes;
      return address;
    });
    this.buffers.forEach((buffer, i) => {
      buffer.address = addresses[allocationOf[i] as number] as number;
    });
    this.sizeBytes += LINE_BYTES;
  }
}
