import { type Arrays, CpuRunner, type RunRequest } from "../../src/cpu/runner";
import { type Device, Session } from "../../src/device";
import { checkProgram, type Program } from "../../src/graph/program";

/**
 * The CPU with its parameters kept in float32 between steps, as a GPU keeps them: what is read and written back is then
 * the same to the bit. Also counts what sessions do.
 */
export function float32Device(): Device & { readonly sessions: Session[]; writtenBytes: Record<string, number> } {
  const sessions: Session[] = [];
  const writtenBytes: Record<string, number> = {};
  return {
    backend: "cpu",
    info: { vendor: "", architecture: "", description: "CPU, parameters in float32", isFallback: true },
    lost: new Promise(() => {}),
    memory: () => ({ bytes: 0, peakBytes: 0, buffers: 0 }),
    sessions,
    writtenBytes,
    async compile(program) {
      checkProgram(program);
      const runner = new Float32Runner(program, writtenBytes);
      const session = new Session(program, runner, { throwIfGone() {}, disposed() {} });
      sessions.push(session);
      return session;
    },
    close() {},
  };
}

class Float32Runner extends CpuRunner {
  constructor(
    private readonly own: Program,
    private readonly writtenBytes: Record<string, number>,
  ) {
    super(own);
  }

  override write(values: Arrays): void {
    for (const [name, { byteLength }] of Object.entries(values)) {
      this.writtenBytes[name] = (this.writtenBytes[name] ?? 0) + byteLength;
    }
    super.write(values);
  }

  override async run(inputs: Arrays, request: RunRequest): Promise<Record<string, Float32Array>> {
    const histories: Record<string, Float32Array[]> = {};
    let last: Record<string, Float32Array> = {};
    for (let step = 0; step < request.steps; step++) {
      if (step > 0 && step % 16 === 0) await new Promise<void>((resolve) => setTimeout(resolve));
      request.signal?.throwIfAborted();
      last = await super.run(inputs, { steps: 1, every: 1 });
      for (const name of Object.keys(this.own.updates ?? {})) {
        const values = await this.read(name);
        // What is not finite cannot be written; it reads as it should all the same.
        if (values.every(Number.isFinite)) super.write({ [name]: values });
      }
      for (const [name, values] of Object.entries(last)) {
        if (step % request.every === 0) histories[name] = [...(histories[name] ?? []), values];
      }
      const latest = Object.entries(last).map(([name, values]) => [name, values[0] as number]);
      request.progress?.(step + 1, Object.fromEntries(latest));
    }
    return Object.fromEntries(
      Object.entries(last).map(([name, values]) => [
        name,
        values.length === 1 ? Float32Array.from(histories[name] ?? [], (each) => each[0] as number) : values,
      ]),
    );
  }
}
