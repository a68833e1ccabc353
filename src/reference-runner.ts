import { ReferenceSession } from "./cpu/reference";
import type { Numbers } from "./graph/ops";
import type { Program } from "./graph/program";
import type { Arrays, KernelTime, Runner, RunRequest } from "./runner";
import { TURNS } from "./util/event-loop";
import { sizeOf } from "./util/shape";

/**
 * Where WebAssembly is not to be had: the float64 reference behind a session's calls. Between steps parameters are float32, as
 * everywhere: what is read is all that there is, and written again it goes on with the same bits.
 */
export class ReferenceRunner implements Runner {
  private readonly session: ReferenceSession;
  private readonly scalars: readonly string[];
  /** Bytes of what stays between runs: parameters and outputs. */
  readonly sizeBytes: number;
  readonly buffers: number;

  constructor(private readonly program: Program) {
    this.session = new ReferenceSession(program, Math.fround);
    this.scalars = Object.keys(program.outputs).filter((name) => sizeOf(program.outputs[name]?.shape ?? []) === 1);
    const resident = [...Object.values(program.parameters), ...Object.values(program.outputs)];
    this.buffers = resident.length;
    this.sizeBytes = 8 * resident.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  }

  write(values: Arrays): void {
    this.session.write(values);
  }

  async read(names: readonly string[]): Promise<Float32Array[]> {
    return names.map((name) => Float32Array.from(this.session.read(name)));
  }

  async run(
    inputs: Arrays,
    { steps, every, signal, progress, state = [], recording }: RunRequest,
  ): Promise<Record<string, Float32Array>> {
    const histories = new Map(this.scalars.map((name) => [name, new Float32Array(Math.ceil(steps / every))]));
    recording?.(Object.fromEntries(histories));
    let results: Record<string, Float64Array> = {};
    for (let step = 0; step < steps; step++) {
      await TURNS.given();
      signal?.throwIfAborted();
      results = this.session.run(inputs);
      if (step % every === 0) {
        for (const [name, history] of histories) history[step / every] = results[name]?.[0] as number;
      }
      if (progress && (TURNS.leftMs <= 0 || step + 1 === steps)) {
        progress(
          step + 1,
          Object.fromEntries(this.scalars.map((name) => [name, Math.fround(results[name]?.[0] as number)])),
        );
      }
    }
    return Object.fromEntries([
      ...Object.entries(results).map(
        ([name, value]) => [name, histories.get(name) ?? Float32Array.from(value)] as const,
      ),
      ...state.map((name) => [name, Float32Array.from(this.session.read(name))] as const),
    ]);
  }

  async trial(
    inputs: Arrays,
  ): Promise<{ outputs: Record<string, Float32Array>; updates: Record<string, Float32Array> }> {
    const { outputs, updates } = this.session.trial(inputs);
    const float32 = (values: Record<string, Numbers>) =>
      Object.fromEntries(Object.entries(values).map(([name, value]) => [name, Float32Array.from(value)]));
    return { outputs: float32(outputs), updates: float32(updates) };
  }

  explain(): string {
    const { outputs, updates = {} } = this.program;
    return `route: cpu, float64, one loop an operation\noutputs: ${Object.keys(outputs).join(", ")}\nupdates: ${Object.keys(updates).join(", ") || "none"}`;
  }

  async profile(inputs: Arrays, steps: number): Promise<KernelTime[]> {
    const start = performance.now();
    for (let step = 0; step < steps; step++) await this.trial(inputs);
    const nanoseconds = ((performance.now() - start) * 1e6) / steps;
    return [
      {
        kernel: "step in float64",
        output: Object.keys(this.program.outputs).join(", "),
        nanoseconds,
        flops: 0,
        bytes: 0,
      },
    ];
  }

  dispose(): void {}
}
