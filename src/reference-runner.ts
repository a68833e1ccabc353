import { ReferenceSession } from "./cpu/reference";
import { valuesOfCopy } from "./graph/copies";
import type { Numbers } from "./graph/ops";
import { countOf, type Program } from "./graph/program";
import type { Arrays, KernelTime, Runner, RunRequest } from "./runner";
import { TURNS } from "./util/event-loop";
import { sizeOf } from "./util/shape";

/**
 * Where WebAssembly is not to be had: the float64 reference behind a session's calls. Between steps parameters are float32, as
 * everywhere: what is read is all that there is, and written again it goes on with the same bits.
 */
export class ReferenceRunner implements Runner {
  /** One for each copy. */
  private readonly sessions: readonly ReferenceSession[];
  private readonly scalars: readonly string[];
  /** Bytes of what stays between runs: parameters and outputs. */
  readonly sizeBytes: number;
  readonly buffers: number;

  constructor(private readonly program: Program) {
    this.sessions = Array.from({ length: countOf(program) }, () => new ReferenceSession(program, Math.fround));
    this.scalars = Object.keys(program.outputs).filter((name) => sizeOf(program.outputs[name]?.shape ?? []) === 1);
    const resident = [...Object.values(program.parameters), ...Object.values(program.outputs)];
    this.buffers = resident.length;
    this.sizeBytes = 8 * this.sessions.length * resident.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  }

  write(values: Arrays): void {
    this.sessions.forEach((session, copy) => {
      session.write(this.ofCopy(values, copy, (name) => !this.program.copies?.shared.has(name)));
    });
  }

  async read(names: readonly string[]): Promise<Float32Array[]> {
    return names.map((name) => {
      if (this.program.copies?.shared.has(name)) return Float32Array.from(this.sessions[0]?.read(name) ?? []);
      return this.joined((session) => session.read(name));
    });
  }

  /** What each copy has, one after another. */
  private joined(of: (session: ReferenceSession, copy: number) => Numbers): Float32Array {
    return Float32Array.from(this.sessions.flatMap((session, copy) => [...of(session, copy)]));
  }

  private ofCopy(values: Arrays, copy: number, has: (name: string) => boolean): Arrays {
    const each = ([name, array]: [string, Arrays[string]]) =>
      [name, has(name) ? valuesOfCopy(array, copy, this.sessions.length) : array] as const;
    return Object.fromEntries(Object.entries(values).map(each));
  }

  private inputsOf(inputs: Arrays): Arrays[] {
    const { copies } = this.program;
    return this.sessions.map((_, copy) => this.ofCopy(inputs, copy, (name) => copies?.own.has(name) ?? false));
  }

  async run(
    inputs: Arrays,
    { steps, every, signal, progress, state = [], recording }: RunRequest,
  ): Promise<Record<string, Float32Array>> {
    const length = Math.ceil(steps / every);
    const histories = new Map(this.scalars.map((name) => [name, new Float32Array(this.sessions.length * length)]));
    recording?.(Object.fromEntries(histories));
    const each = this.inputsOf(inputs);
    for (let step = 0; step < steps; step++) {
      for (const [copy, session] of this.sessions.entries()) {
        await TURNS.given();
        // All copies are at the same step whenever a run ends.
        if (copy === 0) signal?.throwIfAborted();
        const results = session.run(each[copy] as Arrays);
        if (step % every !== 0) continue;
        for (const [name, history] of histories) history[copy * length + step / every] = results[name]?.[0] as number;
      }
      if (progress && (TURNS.leftMs <= 0 || step + 1 === steps)) {
        const latest = (name: string) => Math.fround(this.sessions[0]?.read(name)[0] as number);
        progress(step + 1, Object.fromEntries(this.scalars.map((name) => [name, latest(name)])));
      }
    }
    const read = async (names: readonly string[]) => {
      const values = await this.read(names);
      return names.map((name, i) => [name, histories.get(name) ?? (values[i] as Float32Array)] as const);
    };
    return Object.fromEntries([...(await read(Object.keys(this.program.outputs))), ...(await read(state))]);
  }

  async trial(
    inputs: Arrays,
  ): Promise<{ outputs: Record<string, Float32Array>; updates: Record<string, Float32Array> }> {
    const each = this.inputsOf(inputs);
    const results = this.sessions.map((session, copy) => session.trial(each[copy] as Arrays));
    const named = (part: "outputs" | "updates") =>
      Object.fromEntries(
        Object.keys(this.program[part] ?? {}).map((name) => [
          name,
          this.joined((_, copy) => results[copy]?.[part][name] as Numbers),
        ]),
      );
    return { outputs: named("outputs"), updates: named("updates") };
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
