import { askedOf, type Device, open } from "../device";
import { DeviceError, isClosedError } from "../util/errors";

/** How long what a loss brings about may come before the word of it, and the word before the errors of calls, in milliseconds. */
const LOSS_MS = 200;
/** Devices lost one after another without a step done between, after which the CPU is taken, and after which there is no sense in more. */
const TAKES_CPU = 2;
const GIVES_UP = 4;

/** The device that a trainer lives on. The first is the caller's own; one that takes over from it is the trainer's. */
export class Home {
  private own: Device | null = null;
  private left = false;
  /** How often another device took over. */
  moves = 0;
  /** What became of the device before. */
  reason = "";
  /** Where training stood when a device was lost last, and how often it was lost there. */
  private lost = { step: -1, times: 0 };
  private readonly waiting = new Set<(error: DeviceError) => void>();

  constructor(public device: Device) {
    this.watch(device);
  }

  /** `work`, or a DeviceError soon after the device is lost: what it was to answer may never come. */
  unlessLost<T>(work: Promise<T>): Promise<T> {
    work.catch(() => {}); // told below, unless the loss was told before
    return new Promise((resolve, reject) => {
      const settled = () => this.waiting.delete(reject);
      this.waiting.add(reject);
      work.then(resolve, reject).finally(settled);
    });
  }

  /** Whether `error` came of a device that went away by itself. One that was closed is wanted no more, and neither is another. */
  async isLoss(error: unknown, device: Device): Promise<boolean> {
    if (!(error instanceof DeviceError) || isClosedError(error)) return false;
    return Promise.race([
      device.lost.then(() => true),
      new Promise<false>((no) => setTimeout(() => no(false), LOSS_MS)),
    ]);
  }

  /** Another device in place of the one that was lost while training stood at `step`. Throws DeviceError where there is none. */
  async move(step: number): Promise<void> {
    const { device } = this;
    const { reason, message } = await device.lost;
    const told = `${reason}: ${message}`;
    this.lost = { step, times: this.lost.step === step ? this.lost.times + 1 : 1 };
    const { times } = this.lost;
    if (times > GIVES_UP) {
      throw new DeviceError(
        `the device was lost (${told}), ${times} times at step ${step}; save() and weights() have the weights of that step`,
      );
    }
    let next: Device;
    try {
      // A chunk of its own: a page whose device stays does not download it.
      const { reopen } = await import("./reopen");
      next = await reopen(device, times > TAKES_CPU ? "cpu" : device.backend, askedOf(device), open);
    } catch (error) {
      throw new DeviceError(
        `the device was lost (${told}) and no other could be opened (${error instanceof Error ? error.message : error}); save() and weights() have the weights of step ${step}`,
        { cause: error },
      );
    }
    this.own?.close();
    this.own = next;
    if (this.left) next.close();
    this.device = next;
    this.reason = told;
    this.moves++;
    this.watch(next);
  }

  /** The caller's own device stays. */
  dispose(): void {
    this.left = true;
    this.own?.close();
  }

  private watch(device: Device): void {
    void device.lost.then(({ reason, message }) => {
      setTimeout(() => {
        if (this.device !== device) return;
        for (const reject of [...this.waiting]) reject(new DeviceError(`the device is gone (${reason}): ${message}`));
      }, LOSS_MS);
    });
  }
}
