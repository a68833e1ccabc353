import type { Runner } from "../runner";
import { closedError, DeviceError } from "../util/errors";
import { type Stop, stopBy } from "../util/stop";

/** How long after a call failed the loss of the device may still be told, in milliseconds. */
const LOSS_MS = 500;

/** A call under way, and what the device reported meanwhile that belongs to no call. */
interface Call {
  reported: DeviceError | null;
}

/**
 * Stands between a device and those who ask it. What goes wrong with the device reaches every call under way as a DeviceError
 * that says what to do, and no result of a device that is gone is believed.
 */
export class Guard {
  private gone: DeviceError | null = null;
  private readonly calls = new Set<Call>();
  /** For the next call, where none was under way. */
  private reported: DeviceError | null = null;

  constructor(private readonly device: GPUDevice) {
    void device.lost.then(({ reason, message }) => {
      this.gone ??= new DeviceError(
        `the device is gone (${reason}): ${message}; open() a new one, compile again and write the last values that were read`,
      );
    });
    device.addEventListener("uncapturederror", ({ error }) => {
      const reported = new DeviceError(
        `the device reported an error that no call was waiting for: ${error.message}; what it computed meanwhile may be wrong`,
      );
      if (this.calls.size === 0) this.reported ??= reported;
      for (const call of this.calls) call.reported ??= reported;
    });
  }

  /** What comes after is refused, and so is what is under way. */
  close(): void {
    this.gone ??= closedError();
  }

  throwIfGone(): void {
    if (this.gone) throw this.gone;
  }

  /** The result of a call. A call that its signal stopped rejects with the signal's reason. */
  async during<T>(ask: (call: Call) => Promise<T>, signal?: Stop): Promise<T> {
    this.throwIfGone();
    const { reported } = this;
    this.reported = null;
    if (reported) throw reported;
    const call: Call = { reported: null };
    this.calls.add(call);
    try {
      const result = await ask(call);
      this.throwIfGone();
      if (call.reported) throw call.reported;
      return result;
    } catch (error) {
      if (error !== call.reported) this.reported ??= call.reported;
      throw signal?.aborted && error === signal.reason ? error : await this.causeOf(error);
    } finally {
      this.calls.delete(call);
    }
  }

  /** Guards the calls of a runner. */
  runner<R extends Runner>(runner: R): R {
    const [read, run] = [runner.read.bind(runner), runner.run.bind(runner)];
    const [trial, profile] = [runner.trial.bind(runner), runner.profile.bind(runner)];
    runner.read = (...given) => this.during(() => read(...given));
    runner.run = (inputs, request) =>
      this.during(
        (call) => run(inputs, { ...request, signal: stopBy(request.signal, () => call.reported) }),
        request.signal,
      );
    runner.trial = (...given) => this.during(() => trial(...given));
    runner.profile = (...given) => this.during(() => profile(...given));
    return runner;
  }

  /** What a call that failed is told: that the device is gone, where it is; a browser's own exceptions never. */
  private async causeOf(error: unknown): Promise<unknown> {
    const exception = error instanceof DeviceError ? error.cause : error;
    const fromDevice = exception instanceof DOMException && EXCEPTIONS.has(exception.name);
    // The calls that a loss makes fail are told before the loss.
    if (fromDevice && this.gone === null) {
      await Promise.race([this.device.lost, new Promise((resolve) => setTimeout(resolve, LOSS_MS))]);
    }
    if (this.gone !== null) return this.gone;
    if (!fromDevice || error instanceof DeviceError) return error;
    const text = `the device gave no result: ${exception.message}; call again, or open() a new device and compile there`;
    return new DeviceError(text, { cause: error });
  }
}

/** What WebGPU rejects with, by name. */
const EXCEPTIONS = new Set(["OperationError", "AbortError", "GPUPipelineError"]);
