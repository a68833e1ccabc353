import type { ParityReport } from "./cpu/parity";
import { checkSteps, checkValues, type Program, type Values } from "./graph/program";
import type { Arrays, KernelTime, Runner } from "./runner";
import { checkCallback, checkOptions, checkSignal } from "./util/checks";
import { DeviceError } from "./util/errors";
import { byName } from "./util/names";
import { stopBy } from "./util/stop";

/** How often a step is run, and who is told of it. */
export interface RunOptions {
  steps?: number;
  every?: number;
  /** Called between submissions, never more than 60 times a second, with what is known so far; of several copies, of the first. */
  onProgress?(progress: { step: number; steps: number; outputs: Record<string, number> }): void;
  /** Stops between submissions; the promise rejects with the signal's reason, parameters as of the last whole step. */
  signal?: AbortSignal;
}

const RUN_OPTIONS = ["steps", "every", "onProgress", "signal"];

/** @internal A run whose state is wanted along with its outputs. */
export interface RunAndRead extends RunOptions {
  /** Parameters that come back beside the outputs, as of the last step. */
  readonly read?: readonly string[];
  /** Told at the start where scalar outputs are written down: what was done is there, also of a run that is stopped. */
  recording?(histories: Record<string, Float32Array>): void;
}

/** A compiled program with its state on the device. Made by `device.compile`; calls on one session run in their order. */
export class Session {
  private last: Promise<unknown> = Promise.resolve();
  private disposed = false;
  /** Calls under way. */
  private busy = 0;

  /** @internal */
  constructor(
    private readonly program: Program,
    private readonly runner: Runner,
    private readonly device: { throwIfGone(): void; disposed(): void },
  ) {}

  /** Sets parameters; wrong name, length or a non-finite value is an error and changes nothing. */
  write(values: Record<string, Values>): void {
    this.throwIfUnusable("write");
    const { parameters, copies: made } = this.program;
    checkValues("write", parameters, values, false, (name) => (made && !made.shared.has(name) ? made.count : 1));
    const copies = copy(this.program.parameters, values);
    void this.queue(async () => this.runner.write(copies)).catch(() => {
      // The next call finds the device gone and says so.
    });
  }

  /** A parameter's current value, or an output of the last step; one copy's after another's. Throws TypeError for an unknown name. */
  async read(name: string): Promise<Float32Array> {
    this.throwIfUnusable("read");
    const { parameters, outputs } = this.program;
    if (!Object.hasOwn(parameters, name) && !Object.hasOwn(outputs, name)) {
      const known = [...Object.keys(parameters), ...Object.keys(outputs)].join(", ");
      throw new TypeError(`read: there is no "${name}"; parameters and outputs are ${known}`);
    }
    const [value] = await this.readAll([name]);
    return value as Float32Array;
  }

  /** @internal Known names, in their order, all as of the same step. */
  async readAll(names: readonly string[]): Promise<Float32Array[]> {
    return this.queue((sent) => this.runner.read(names, sent));
  }

  /**
   * Runs `steps` steps with the same inputs, the parameters staying on the device throughout. Every scalar output comes
   * back as its history, one value a step (one every `every` steps, the first included, where given); any other output
   * comes back as of the last step. Throws TypeError, ShapeError or RangeError for inputs that do not fit, before anything runs.
   */
  async run(inputs: Record<string, Values>, options: RunOptions = {}): Promise<Record<string, Float32Array>> {
    checkOptions("run", options, RUN_OPTIONS);
    return this.runAndRead(inputs, options);
  }

  /** @internal */
  async runAndRead(inputs: Record<string, Values>, options: RunAndRead): Promise<Record<string, Float32Array>> {
    this.throwIfUnusable("run");
    this.checkInputs("run", inputs);
    const { steps, every } = checkSteps("run", options, [...RUN_OPTIONS, "read", "recording"]);
    const { onProgress, signal, read: state = [], recording } = options;
    checkCallback("run", "onProgress", onProgress);
    checkSignal("run", signal);
    signal?.throwIfAborted();
    const copies = copy(this.program.inputs, inputs);
    let told = Number.NEGATIVE_INFINITY;
    const progress =
      onProgress &&
      ((step: number, outputs: Record<string, number>) => {
        const now = performance.now();
        if (now - told < 1000 / 60 && step < steps) return;
        told = now;
        onProgress({ step, steps, outputs });
      });
    const stop = stopBy(signal, () =>
      this.disposed ? new DeviceError("the session was disposed during the call; compile the program again") : null,
    );
    return this.queue((sent) => {
      stop.throwIfAborted();
      return this.runner.run(copies, { steps, every, signal: stop, progress, state, recording, sent });
    }, signal);
  }

  /** What will run: a line per kernel with its operands, shapes, bytes and FLOPs, and the memory plan. */
  explain(): string {
    return this.runner.explain();
  }

  /** GPU time per kernel in nanoseconds, where the device has timestamp queries; else null times. Changes no parameter. */
  async profile(inputs: Record<string, Values>, steps = 1): Promise<KernelTime[]> {
    this.throwIfUnusable("profile");
    this.checkInputs("profile", inputs);
    checkSteps("profile", { steps });
    const copies = copy(this.program.inputs, inputs);
    return this.queue(() => this.runner.profile(copies, steps));
  }

  /** One step here and in float64 on the CPU from the same state, compared; changes no parameter. Of many copies some are judged, and named. */
  async verify(inputs: Record<string, Values>): Promise<ParityReport> {
    this.throwIfUnusable("verify");
    this.checkInputs("verify", inputs);
    const copies = copy(this.program.inputs, inputs);
    return this.queue(async () => {
      const names = Object.keys(this.program.parameters);
      const values = await this.runner.read(names);
      const state: Arrays = byName(names.map((name, i) => [name, values[i] as Float32Array]));
      const got = await this.runner.trial(copies);
      // The judge is a chunk of its own: a page that only trains does not download it.
      const { judge } = await import("./cpu/judge");
      return judge(this.program, state, copies, got);
    });
  }

  /** Frees what the session holds on the device, when the call under way has ended; runs stop. Calls still queued reject. */
  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    this.device.disposed();
    this.freeWhenIdle();
  }

  private checkInputs(part: string, inputs: Record<string, Values>): void {
    const { copies } = this.program;
    checkValues(part, this.program.inputs, inputs, true, (name) => (copies?.own.has(name) ? copies.count : 1));
  }

  /** Begins a task when those before it are over, or have told `sent`: the device takes them up in this order anyway. */
  private queue<T>(task: (sent: () => void) => Promise<T>, signal?: AbortSignal): Promise<T> {
    let sent: () => void = () => {};
    const isSent = new Promise<void>((resolve) => {
      sent = resolve;
    });
    const result = this.last.then(() => {
      this.throwIfUnusable("the call");
      return this.during(() => task(sent), signal);
    });
    this.last = Promise.race([isSent, result]).catch(() => {});
    return result;
  }

  /** Does a task with what it needs kept alive. Of a device that goes away under it nothing is believed. */
  private async during<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    this.busy++;
    try {
      const result = await task();
      this.device.throwIfGone();
      return result;
    } catch (error) {
      if (!signal?.aborted || error !== signal.reason) this.device.throwIfGone();
      throw error;
    } finally {
      this.busy--;
      this.freeWhenIdle();
    }
  }

  private freeWhenIdle(): void {
    if (this.disposed && this.busy === 0) this.runner.dispose();
  }

  private throwIfUnusable(call: string): void {
    this.device.throwIfGone();
    if (this.disposed) throw new DeviceError(`${call}: the session was disposed; compile the program again`);
  }
}

/** Copies, so that the caller may change the arrays before the queue reaches the call; int32 where the tensor is. */
function copy(tensors: Program["inputs"], values: Record<string, Values>): Arrays {
  return byName(
    Object.entries(values).map(([name, array]) => [
      name,
      tensors[name]?.dtype === "int32" ? new Int32Array(array) : new Float32Array(array),
    ]),
  );
}
