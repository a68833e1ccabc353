import type { Plan } from "./codegen/plan";
import type { Memory } from "./memory";
import { type Steps, stepsFrom } from "./submission";

/** What runs a plan, as far as it is needed to try a step. */
interface Runs {
  readonly device: GPUDevice;
  readonly memory: Memory;
  readonly plan: Plan;
  bufferOf(index: number): GPUBuffer;
  encode(encoder: GPUCommandEncoder, steps: Steps): void;
  readBack(buffers: readonly number[]): Promise<Float32Array[]>;
}

/** Outputs and updates of one step from the current state, which is left as it was. `counted` is told what the device has counted. */
export async function trial(
  runner: Runs,
  counted: (found: ArrayLike<number>, steps: Steps) => void,
): Promise<{ outputs: Record<string, Float32Array>; updates: Record<string, Float32Array> }> {
  const { scalars, outputs, parameters, updates, history, count, records, copies } = runner.plan;
  return restoring(runner, async () => {
    const encoder = runner.device.createCommandEncoder({ label: "trial" });
    const steps = stepsFrom(0, 1, 1, records);
    runner.encode(encoder, steps);
    runner.device.queue.submit([encoder.finish()]);
    const whole = Object.entries(outputs);
    const values = await runner.readBack([
      ...whole.map(([, buffer]) => buffer),
      ...updates.map((name) => parameters[name] as number),
      ...(history === null ? [] : [history]),
      ...(count === null ? [] : [count]),
    ]);
    if (count !== null) counted(values.pop() as Float32Array, steps);
    const record = history === null ? [] : (values[values.length - 1] as Float32Array);
    return {
      outputs: Object.fromEntries([
        ...whole.map(([name], i) => [name, values[i] as Float32Array] as const),
        ...scalars.map(
          (name, i) =>
            [
              name,
              Float32Array.from({ length: copies }, (_, copy) => record[copy * scalars.length + i] as number),
            ] as const,
        ),
      ]),
      updates: Object.fromEntries(updates.map((name, i) => [name, values[whole.length + i] as Float32Array])),
    };
  });
}

/** Runs `task` and puts parameters and outputs back as they were. */
export async function restoring<T>(runner: Runs, task: () => Promise<T>): Promise<T> {
  const { device, memory, plan } = runner;
  const buffers = plan.buffers.flatMap(({ role }, i) =>
    role === "parameter" || role === "output" || role === "count" ? [runner.bufferOf(i)] : [],
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
