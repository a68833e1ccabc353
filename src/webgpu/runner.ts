import type { Arrays, KernelTime, Runner, RunRequest } from "../cpu/runner";
import { explain } from "../plan/explain";
import type { Plan } from "../plan/plan";
import { DeviceError } from "../util/errors";
import type { Memory } from "./memory";
import { Pace } from "./pace";
import { encode, type Pipelines, type Recorded, SLOT_BYTES } from "./pipelines";
import { allocate, arrayOf, IN_FLIGHT, type Resources, release, sizeOf } from "./resources";

/** How long after a failed read-back the loss of the device may still be told. */
const LOSS_MS = 200;

/** Steps of one submission. */
interface Steps {
  /** The first step's number in the run, and how many the run has. */
  readonly first: number;
  readonly total: number;
  readonly every: number;
  /** The record of each step. */
  readonly records: readonly number[];
  readonly used: number;
}

interface Submission {
  readonly steps: number;
  /** Steps whose scalars are recorded, in the order of the records. */
  readonly recorded: readonly number[];
  readonly done: Promise<Float32Array>;
}

/** A plan on a GPU: buffers, pipelines and bind groups are made here once; a run only records, submits and reads back. */
export class GpuRunner implements Runner {
  private readonly pace = new Pace();
  private readonly lastScalars = new Map<string, number>();
  private disposed = false;
  private freed = false;
  private busy = 0;
  private ran = false;

  private constructor(
    readonly device: GPUDevice,
    readonly memory: Memory,
    readonly plan: Plan,
    private readonly resources: Resources,
    private readonly throwReported: () => void,
  ) {}

  static async create(
    device: GPUDevice,
    memory: Memory,
    pipelines: Pipelines,
    plan: Plan,
    throwReported: () => void,
  ): Promise<GpuRunner> {
    throwReported();
    return new GpuRunner(device, memory, plan, await allocate(device, memory, pipelines, plan), throwReported);
  }

  write(values: Arrays): void {
    this.upload(this.plan.parameters, values);
  }

  async read(name: string): Promise<Float32Array> {
    this.throwReported();
    if (!Object.hasOwn(this.plan.parameters, name) && !this.ran)
      throw new TypeError(`read: output "${name}" has no value before the first run`);
    const scalar = this.lastScalars.get(name);
    if (scalar !== undefined) return Float32Array.of(scalar);
    const values = await this.use(() =>
      this.readBack([this.plan.parameters[name] ?? (this.plan.outputs[name] as number)]),
    );
    this.throwReported();
    return values[0] as Float32Array;
  }

  async run(inputs: Arrays, { steps, every, signal, progress }: RunRequest): Promise<Record<string, Float32Array>> {
    this.throwReported();
    this.upload(this.plan.inputs, inputs);
    const { scalars } = this.plan;
    const histories = scalars.map(() => new Float32Array(Math.ceil(steps / every)));
    let submitted = 0;
    let done = 0;
    let turn = 0;
    const flying: Submission[] = [];
    await this.use(async () => {
      let since = performance.now();
      while (done < steps) {
        while (flying.length < IN_FLIGHT && submitted < steps && !signal?.aborted) {
          const submission = this.submit(submitted, this.pace.next(steps - submitted), { steps, every }, turn);
          turn = (turn + 1) % IN_FLIGHT;
          submitted += submission.steps;
          flying.push(submission);
        }
        const first = flying.shift();
        if (first === undefined) break;
        const values = await first.done;
        const now = performance.now();
        this.pace.took(first.steps, now - since);
        since = now;
        done += first.steps;
        first.recorded.forEach((step, record) => {
          scalars.forEach((name, i) => {
            const value = values[record * scalars.length + i] as number;
            if (step % every === 0) (histories[i] as Float32Array)[step / every] = value;
            this.lastScalars.set(name, value);
          });
        });
        this.ran = true;
        this.throwReported();
        if (progress && (done < steps || !signal?.aborted)) progress(done, Object.fromEntries(this.lastScalars));
      }
    });
    if (done < steps) signal?.throwIfAborted();
    const whole = Object.entries(this.plan.outputs);
    const read =
      whole.length > 0
        ? await this.use(() =>
            this.readBack(
              whole.map(([, buffer]) => buffer),
              this.resources.staging,
            ),
          )
        : [];
    this.throwReported();
    const results = [
      ...scalars.map((name, i) => [name, histories[i]] as const),
      ...whole.map(([name], i) => [name, read[i]] as const),
    ];
    return Object.fromEntries(results as [string, Float32Array][]);
  }

  async trial(
    inputs: Arrays,
  ): Promise<{ outputs: Record<string, Float32Array>; updates: Record<string, Float32Array> }> {
    this.throwReported();
    this.upload(this.plan.inputs, inputs);
    // A chunk of its own: a page that only trains does not download it.
    const { trial } = await import("./trial");
    const result = await this.use(() => trial(this));
    this.throwReported();
    return result;
  }

  explain(): string {
    return explain(this.plan);
  }

  async profile(inputs: Arrays, steps: number): Promise<KernelTime[]> {
    this.throwReported();
    this.upload(this.plan.inputs, inputs);
    // A chunk of its own: a page that only trains does not download it.
    const [{ profile }, { restoring }] = await Promise.all([import("./profile"), import("./trial")]);
    const one = this.plan.route === "persistent" ? this.told(1, 0, 1, 1) : new Uint32Array(SLOT_BYTES / 4);
    const times = await this.use(() =>
      restoring(this, () => profile(this.device, this.memory, this.resources.step, one, steps)),
    );
    this.throwReported();
    return times;
  }

  dispose(): void {
    this.disposed = true;
    this.freeWhenIdle();
  }

  /** Runs `task` with the buffers kept alive, and names the cause where the device went away under it. */
  private async use<T>(task: () => Promise<T>): Promise<T> {
    this.busy++;
    try {
      return await task();
    } catch (error) {
      if (!(error instanceof DOMException)) throw error;
      // A map that fails is told before the loss that made it fail.
      const late = new Promise<null>((resolve) => setTimeout(() => resolve(null), LOSS_MS));
      const lost = await Promise.race([this.device.lost, late]);
      if (lost) {
        throw new DeviceError(
          `the device was lost (${lost.reason}): ${lost.message}; open() a new one and compile again`,
        );
      }
      throw new DeviceError(
        this.disposed ? "the session was disposed during the call" : `the device gave no result: ${error.message}`,
      );
    } finally {
      this.busy--;
      this.freeWhenIdle();
    }
  }

  private freeWhenIdle(): void {
    if (!this.disposed || this.freed || this.busy > 0) return;
    this.freed = true;
    release(this.memory, this.resources);
  }

  private upload(buffers: Readonly<Record<string, number>>, values: Arrays): void {
    for (const [name, array] of Object.entries(values)) {
      const index = buffers[name] as number;
      const { dtype, offset } = this.plan.buffers[index] as Plan["buffers"][number];
      this.device.queue.writeBuffer(this.bufferOf(index), offset, arrayOf(dtype, array));
    }
  }

  bufferOf(index: number): GPUBuffer {
    return this.resources.slots[(this.plan.buffers[index] as Plan["buffers"][number]).slot] as GPUBuffer;
  }

  /** Records steps, each into its record, and what the tail makes of the records that are used. */
  encode(encoder: GPUCommandEncoder, { first, records, used, every, total }: Steps): void {
    const pass = encoder.beginComputePass({ label: "steps" });
    if (this.plan.route === "persistent") {
      encode(pass, this.resources.step[0] as Recorded, this.told(records.length, first, every, total), 0);
      pass.end();
      return;
    }
    const pitch = this.device.limits.minUniformBufferOffsetAlignment;
    const numbers = new Uint32Array(SLOT_BYTES / 4);
    for (const record of records) {
      numbers[0] = record;
      for (const kernel of this.resources.step) encode(pass, kernel, numbers, record * pitch);
    }
    if (this.resources.tail !== null && used > 0) {
      pass.setPipeline(this.resources.tail.pipeline);
      pass.setBindGroup(0, this.resources.tail.bindGroup);
      pass.dispatchWorkgroups(used);
    }
    pass.end();
  }

  /** What a persistent kernel is told, written where it reads that from a buffer. */
  private told(steps: number, first: number, every: number, total: number): Uint32Array<ArrayBuffer> {
    const numbers = Uint32Array.of(steps, first, every, total);
    if (this.resources.records !== null) this.device.queue.writeBuffer(this.resources.records, 0, numbers);
    return numbers;
  }

  private submit(
    first: number,
    most: number,
    { steps: total, every }: { steps: number; every: number },
    turn: number,
  ): Submission {
    const wanted = (step: number) => step % every === 0 || step === total - 1;
    // The last record takes what nobody asked for.
    const bin = this.plan.records - 1;
    const records: number[] = [];
    const recorded: number[] = [];
    while (records.length < most) {
      const step = first + records.length;
      if (!wanted(step)) records.push(bin);
      else if (recorded.length === bin) break;
      else {
        records.push(recorded.length);
        recorded.push(step);
      }
    }
    const encoder = this.device.createCommandEncoder({ label: "steps" });
    this.encode(encoder, { first, records, used: recorded.length, every, total });
    const staging = this.resources.ring[turn];
    const sizeBytes = recorded.length * this.plan.scalars.length * 4;
    if (staging && this.plan.history !== null && sizeBytes > 0) {
      encoder.copyBufferToBuffer(this.bufferOf(this.plan.history), 0, staging, 0, sizeBytes);
    }
    this.device.queue.submit([encoder.finish()]);
    const done =
      staging && sizeBytes > 0
        ? staging.mapAsync(GPUMapMode.READ, 0, sizeBytes).then(() => {
            const values = new Float32Array(staging.getMappedRange(0, sizeBytes).slice(0));
            staging.unmap();
            return values;
          })
        : this.device.queue.onSubmittedWorkDone().then(() => new Float32Array(0));
    // An error is told to whoever waits; where nobody does any more, it must not end the program.
    done.catch(() => {});
    return { steps: records.length, recorded, done };
  }

  /** Copies of buffers on the host, int32 as numbers; through `kept`, or through a buffer made for it. */
  async readBack(buffers: readonly number[], kept: GPUBuffer | null = null): Promise<Float32Array[]> {
    const specs = buffers.map((index) => this.plan.buffers[index] as Plan["buffers"][number]);
    const staging =
      kept ??
      this.memory.create("read-back", sizeOf(this.plan, buffers), GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST);
    try {
      const encoder = this.device.createCommandEncoder({ label: "read-back" });
      let end = 0;
      specs.forEach(({ elements, offset }, i) => {
        encoder.copyBufferToBuffer(this.bufferOf(buffers[i] as number), offset, staging, end, elements * 4);
        end += elements * 4;
      });
      this.device.queue.submit([encoder.finish()]);
      await staging.mapAsync(GPUMapMode.READ);
      const bytes = staging.getMappedRange();
      end = 0;
      const values = specs.map(({ elements, dtype }) => {
        const at = end;
        end += elements * 4;
        return dtype === "int32"
          ? Float32Array.from(new Int32Array(bytes, at, elements))
          : new Float32Array(bytes, at, elements).slice();
      });
      staging.unmap();
      return values;
    } finally {
      if (staging !== kept) this.memory.destroy(staging);
    }
  }
}
