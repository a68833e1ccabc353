import { bytesOf } from "../graph/ops";
import type { Arrays, KernelTime, Runner, RunRequest } from "../runner";
import { DeviceError } from "../util/errors";
import { explain } from "./codegen/explain";
import { type Plan, sizeBytesOf } from "./codegen/plan";
import type { Memory } from "./memory";
import { estimateMs, Pace } from "./pace";
import { encode, type Pipelines, type Recorded, STEP_ARGUMENT_BYTES } from "./pipelines";
import { allocate, arrayOf, type Resources, release, sizeOf } from "./resources";
import { type Steps, stepsFrom } from "./submission";

/** Steps on their way, and what comes back of them. */
interface Submission {
  readonly steps: Steps;
  readonly sentMs: number;
  /** A record of the scalars for each step that is recorded. */
  readonly done: Promise<Float32Array>;
}

/** A plan on a GPU: buffers, pipelines and bind groups are made here once; a run only records, submits and reads back. */
export class GpuRunner implements Runner {
  private readonly pace: Pace;
  /** The scalar outputs of the last step that was done, in each copy, once the runs up to here are answered. Never rejects. */
  private latest: Promise<ReadonlyMap<string, Float32Array>> = Promise.resolve(new Map());
  /** Steps that the device must have counted, where its kernel counts them. */
  private counted = 0;
  /** Why nothing that is on the device can be believed any more. */
  private fault: DeviceError | null = null;
  /** Read-back buffers that are in use. */
  private readonly mapped = new Set<GPUBuffer>();
  /** Submissions of all runs that are not answered yet. None of these rejects. */
  private readonly unanswered = new Set<Promise<unknown>>();
  private ran = false;

  private constructor(
    readonly device: GPUDevice,
    readonly memory: Memory,
    readonly plan: Plan,
    private readonly resources: Resources,
    software: boolean,
  ) {
    this.pace = new Pace(estimateMs(plan, software));
  }

  static async create(
    device: GPUDevice,
    memory: Memory,
    pipelines: Pipelines,
    plan: Plan,
    software: boolean,
  ): Promise<GpuRunner> {
    const resources = await allocate(device, memory, pipelines, plan);
    return new GpuRunner(device, memory, plan, resources, software);
  }

  write(values: Arrays): void {
    this.upload(this.plan.parameters, values);
  }

  async read(names: readonly string[], sent?: () => void): Promise<Float32Array[]> {
    this.throwIfAtFault();
    const { parameters, scalars } = this.plan;
    const unknown = names.find((name) => !Object.hasOwn(parameters, name));
    if (unknown !== undefined && !this.ran)
      throw new TypeError(`read: output "${unknown}" has no value before the first run`);
    const inRecord = (name: string) => !Object.hasOwn(parameters, name) && scalars.includes(name);
    const { latest } = this;
    const whole = names.filter((name) => !inRecord(name));
    const values = whole.length > 0 ? this.readBack(whole.map((name) => this.bufferNamed(name))) : [];
    sent?.();
    const [read, record] = await Promise.all([values, names.some(inRecord) ? latest : new Map<string, Float32Array>()]);
    this.throwIfAtFault();
    let next = 0;
    return names.map((name) =>
      inRecord(name) ? (record.get(name) as Float32Array).slice() : (read[next++] as Float32Array),
    );
  }

  async run(inputs: Arrays, request: RunRequest): Promise<Record<string, Float32Array>> {
    this.throwIfAtFault();
    this.upload(this.plan.inputs, inputs);
    const before = this.latest;
    const scalars = new Map<string, Float32Array>();
    const running = this.steps(request, scalars);
    // What has run before still counts for what this run did not come to.
    this.latest = running.then(
      () => scalars,
      async () => new Map([...(await before), ...scalars]),
    );
    return running;
  }

  /** The steps of a run: submissions go ahead while news of earlier ones is under way, and what is read at the end goes with the last. */
  private async steps(
    { steps, every, signal, progress, state = [], recording, sent }: RunRequest,
    latest: Map<string, Float32Array>,
  ): Promise<Record<string, Float32Array>> {
    const { scalars, outputs, records, copies } = this.plan;
    const length = Math.ceil(steps / every);
    const histories = scalars.map(() => new Float32Array(copies * length));
    recording?.(Object.fromEntries(scalars.map((name, i) => [name, histories[i] as Float32Array])));
    const names = [...Object.keys(outputs), ...state];
    let values: Promise<Float32Array[]> | null = null;
    let submitted = 0;
    let done = 0;
    const flying: Submission[] = [];
    while (done < steps) {
      while (submitted < steps && this.pace.takes(flying.length) && !signal?.aborted) {
        if (!this.mayReadBack()) {
          // Those of the run before have all read-back buffers.
          if (flying.length === 0) await Promise.race(this.unanswered);
          if (!this.mayReadBack()) break;
          continue;
        }
        const most = Math.min(this.pace.next(steps - submitted), this.plan.maxSteps);
        const submission = this.submit(stepsFrom(submitted, most, every, records));
        submitted += submission.steps.records.length;
        flying.push(submission);
      }
      if (submitted === steps && values === null) {
        values = names.length > 0 ? this.readBack(names.map((name) => this.bufferNamed(name))) : Promise.resolve([]);
        values.catch(() => {}); // told below
        sent?.();
      }
      const first = flying.shift();
      if (first === undefined) {
        if (signal?.aborted) break;
        continue;
      }
      const read = await first.done;
      this.pace.answered(first.sentMs, first.steps.records.length, performance.now());
      done += first.steps.records.length;
      first.steps.recorded.forEach((step, record) => {
        scalars.forEach((name, i) => {
          const values = new Float32Array(copies);
          for (let copy = 0; copy < copies; copy++) {
            const value = read[(record * copies + copy) * scalars.length + i] as number;
            if (step % every === 0) (histories[i] as Float32Array)[copy * length + step / every] = value;
            values[copy] = value;
          }
          latest.set(name, values);
        });
      });
      this.throwIfAtFault();
      if (progress && (done < steps || !signal?.aborted)) progress(done, firstOf(latest));
    }
    if (values === null) throw signal?.reason;
    const read = await values;
    this.throwIfAtFault();
    const results = [
      ...scalars.map((name, i) => [name, histories[i] as Float32Array] as const),
      ...names.map((name, i) => [name, read[i] as Float32Array] as const),
    ];
    return Object.fromEntries(results);
  }

  private throwIfAtFault(): void {
    if (this.fault) throw this.fault;
  }

  /** The buffer of a parameter, or of an output that is not in the record. */
  private bufferNamed(name: string): number {
    const { parameters, outputs } = this.plan;
    return (Object.hasOwn(parameters, name) ? parameters[name] : outputs[name]) as number;
  }

  async trial(
    inputs: Arrays,
  ): Promise<{ outputs: Record<string, Float32Array>; updates: Record<string, Float32Array> }> {
    this.throwIfAtFault();
    this.upload(this.plan.inputs, inputs);
    // A chunk of its own: a page that only trains does not download it.
    const { trial } = await import("./trial");
    const result = await trial(this, (found, steps) =>
      this.compareCount(found, afterSteps(this.counted, steps), steps),
    );
    this.throwIfAtFault();
    return result;
  }

  explain(): string {
    return explain(this.plan);
  }

  async profile(inputs: Arrays, steps: number): Promise<KernelTime[]> {
    this.throwIfAtFault();
    this.upload(this.plan.inputs, inputs);
    // A chunk of its own: a page that only trains does not download it.
    const [{ profile }, { restoring }] = await Promise.all([import("./profile"), import("./trial")]);
    const one = this.plan.route === "persistent" ? this.told(1, 0, 1) : new Uint32Array(STEP_ARGUMENT_BYTES / 4);
    const times = await restoring(this, () => profile(this.device, this.memory, this.resources.step, one, steps));
    this.throwIfAtFault();
    return times;
  }

  dispose(): void {
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
    return this.resources.allocations[(this.plan.buffers[index] as Plan["buffers"][number]).allocation] as GPUBuffer;
  }

  /** Records steps, each into its record, and what the deferred kernel makes of the records that are used. */
  encode(encoder: GPUCommandEncoder, { first, every, records, recorded }: Steps): void {
    const pass = encoder.beginComputePass({ label: "steps" });
    if (this.plan.route === "persistent") {
      encode(pass, this.resources.step[0] as Recorded, this.told(records.length, first, every), 0);
      pass.end();
      return;
    }
    const pitch = this.device.limits.minUniformBufferOffsetAlignment;
    const numbers = new Uint32Array(STEP_ARGUMENT_BYTES / 4);
    for (const record of records) {
      numbers[0] = record;
      for (const kernel of this.resources.step) encode(pass, kernel, numbers, record * pitch);
    }
    if (this.resources.deferred !== null) {
      pass.setPipeline(this.resources.deferred.pipeline);
      pass.setBindGroup(0, this.resources.deferred.bindGroup);
      pass.dispatchWorkgroups(recorded.length, 1, this.plan.copies);
    }
    pass.end();
  }

  /** What a persistent kernel is told, written where it reads that from a buffer. */
  private told(steps: number, first: number, every: number): Uint32Array<ArrayBuffer> {
    // The last step of all is recorded, asked for or not.
    const numbers = Uint32Array.of(steps, first, every, first + steps);
    if (this.resources.records !== null) this.device.queue.writeBuffer(this.resources.records, 0, numbers);
    return numbers;
  }

  private submit(steps: Steps): Submission {
    const encoder = this.device.createCommandEncoder({ label: "steps" });
    this.encode(encoder, steps);
    const { count, history, scalars, buffers, copies } = this.plan;
    const staging = this.resources.ring.find((buffer) => !this.mapped.has(buffer)) ?? null;
    const recordBytes = steps.recorded.length * copies * scalars.length * bytesOf("float32");
    const countBytes = count === null ? 0 : bytesOf("int32") * copies;
    if (staging !== null && count !== null)
      encoder.copyBufferToBuffer(this.bufferOf(count), buffers[count]?.offset ?? 0, staging, 0, countBytes);
    if (staging !== null && history !== null)
      encoder.copyBufferToBuffer(this.bufferOf(history), 0, staging, countBytes, recordBytes);
    this.device.queue.submit([encoder.finish()]);
    const sentMs = performance.now();
    this.ran = true;
    this.counted = afterSteps(this.counted, steps);
    const { counted } = this;
    const done = (async () => {
      if (staging === null) {
        await this.device.queue.onSubmittedWorkDone();
        return new Float32Array(0);
      }
      const bytes = await this.mappedBytes(staging, countBytes + recordBytes, (mapped) => mapped.slice(0));
      if (count !== null) this.compareCount(new Uint32Array(bytes, 0, copies), counted, steps);
      return new Float32Array(bytes, countBytes);
    })();
    const answered = done.then(
      () => {},
      // An error is told to whoever waits; where nobody does any more, it must not end the program.
      () => {},
    );
    this.unanswered.add(answered);
    void answered.then(() => this.unanswered.delete(answered));
    return { steps, sentMs, done };
  }

  private mayReadBack(): boolean {
    const { ring } = this.resources;
    return ring.length === 0 || ring.some((buffer) => !this.mapped.has(buffer));
  }

  /** What `copy` takes of a read-back buffer's first bytes, which are gone once it returns. */
  private async mappedBytes<T>(buffer: GPUBuffer, sizeBytes: number, copy: (bytes: ArrayBuffer) => T): Promise<T> {
    this.mapped.add(buffer);
    try {
      await buffer.mapAsync(GPUMapMode.READ, 0, sizeBytes);
      const copied = copy(buffer.getMappedRange(0, sizeBytes));
      buffer.unmap();
      return copied;
    } finally {
      this.mapped.delete(buffer);
    }
  }

  /** Nothing is believed of a kernel that did not do all of its steps: adapters may end its loops early, and say nothing. */
  private compareCount(found: ArrayLike<number>, counted: number, { first, records }: Steps): void {
    if (Array.from(found).every((each) => each === counted)) return;
    this.fault ??= new DeviceError(
      `the adapter ended a kernel before it was done: the ${records.length} steps from step ${first} on were not counted to their end, ` +
        'so that nothing on the device is to be believed. Compile again on a device from open({ route: "recorded" }), whose kernels are short, and write the values again',
    );
    throw this.fault;
  }

  /** Copies of buffers on the host, int32 as numbers; through the buffer that is kept for outputs, or through one made for it. */
  async readBack(buffers: readonly number[]): Promise<Float32Array[]> {
    const { staging: forOutputs } = this.resources;
    const sizeBytes = sizeOf(this.plan, buffers);
    const kept =
      forOutputs !== null && forOutputs.size >= sizeBytes && !this.mapped.has(forOutputs) ? forOutputs : null;
    const specs = buffers.map((index) => this.plan.buffers[index] as Plan["buffers"][number]);
    const staging =
      kept ?? this.memory.create("read-back", sizeBytes, GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST);
    try {
      const encoder = this.device.createCommandEncoder({ label: "read-back" });
      let end = 0;
      specs.forEach((spec, i) => {
        const size = sizeBytesOf(spec);
        encoder.copyBufferToBuffer(this.bufferOf(buffers[i] as number), spec.offset, staging, end, size);
        end += size;
      });
      this.device.queue.submit([encoder.finish()]);
      return await this.mappedBytes(staging, end, (bytes) => {
        end = 0;
        return specs.map((spec) => {
          const { elements, dtype } = spec;
          const at = end;
          end += sizeBytesOf(spec);
          return dtype === "int32"
            ? Float32Array.from(new Int32Array(bytes, at, elements))
            : new Float32Array(bytes, at, elements).slice();
        });
      });
    } finally {
      if (staging !== kept) this.memory.destroy(staging);
    }
  }
}

/** What each scalar has in the first copy. */
function firstOf(scalars: ReadonlyMap<string, Float32Array>): Record<string, number> {
  return Object.fromEntries([...scalars].map(([name, values]) => [name, values[0] as number]));
}

/** The count of a kernel that counts its steps, after some more: the integers that a float32 holds, from 0 on again after the last. */
function afterSteps(counted: number, { records }: Steps): number {
  return (counted + records.length) & 0xffffff;
}
