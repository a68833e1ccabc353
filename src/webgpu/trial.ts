import type { Plan } from "../plan/plan";
import type { Memory } from "./memory";

/** What runs a plan, as far as it is needed to try a step. */
interface Runs {
  readonly device: GPUDevice;
  readonly memory: Memory;
  readonly plan: Plan;
  bufferOf(index: number): GPUBuffer;
  encode(
    encoder: GPUCommandEncoder,
    steps: { first: number; total: number; every: number; records: readonly number[]; used: number },
  ): void;
  readBack(buffers: readonly number[]): Promise<Float32Array[]>;
}

/** Outputs and updates of one step from the current state, which is left as it was. */
export async function trial(
  runner: Runs,
): Promise<{ outputs: Record<string, Float32Array>; updates: Record<string, Float32Array> }> {
  const { scalars, outputs, parameters, updates, history } = runner.plan;
  return restoring(runner, async () => {
    const encoder = runner.device.createCommandEncoder({ label: "trial" });
    runner.encode(encoder, { first: 0, records: [0], used: 1, every: 1, total: 1 });
    runner.device.queue.submit([encoder.finish()]);
    const whole = Object.entries(outputs);
    const values = await runner.readBack([
      ...whole.map(([, buffer]) => buffer),
      ...updates.map((name) => parameters[name] as number),
      ...(history === null ? [] : [history]),
    ]);
    const record = history === null ? [] : (values[values.length - 1] as Float32Array);
    return {
      outputs: Object.fromEntries([
        ...whole.map(([name], i) => [name, values[i] as Float32Array] as const),
        ...scalars.map((name, i) => [name, Float32Array.of(record[i] as number)] as const),
      ]),
      updates: Object.fromEntries(updates.map((name, i) => [name, values[whole.length + i] as Float32Array])),
    };
  });
}

/** Runs `task` and puts parameters and outputs back as they were. */
export async function restoring<T>(runner: Runs, task: () => Promise<T>): Promise<T> {
  const { device, memory, plan } = runner;
  const buffers = plan.buffers.flatMap(({ role }, i) =>
    role === "parameter" || role === "output" ? [runner.bufferOf(i)] : [],
  );
  // One may hold several of them.
  const originals = [...new Set(buffers)];
  const copies = originals.map((buffer) =>
    memory.create(`copy of ${buffer.label}`, buffer.size, GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST),
  );
  const copy = (from: readonly GPUBuffer[], to: readonly GPUBuffer[]) => {
    const encoder = device.createCommandEncoder({ label: "copy" });
    from.forEach((buffer, i) => {
      encoder.copyBufferToBuffer(buffer, 0, to[i] as GPUBuffer, 0, buffer.size);
    });
    device.queue.submit([encoder.finish()]);
  };
  try {
    copy(originals, copies);
    return await task();
  } finally {
    copy(copies, originals);
    for (const buffer of copies) memory.destroy(buffer);
  }
}
