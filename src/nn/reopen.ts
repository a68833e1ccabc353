import type { Device, OpenOptions } from "../device";
import { DeviceError } from "../util/errors";

/** How often a GPU is asked for again before the CPU takes over, and how long apart: a driver may need a moment to come back. */
const ATTEMPTS = 6;
const APART_MS = 350;

/**
 * A device in place of one that was lost, as that one was asked for by `asked`: of the same kind, or the CPU where there is no such device any more.
 * Throws DeviceError where there is not even that.
 */
export async function reopen(
  lost: Device,
  backend: Device["backend"],
  asked: OpenOptions,
  open: (options: OpenOptions) => Promise<Device>,
): Promise<Device> {
  for (let attempt = 0; backend === "webgpu" && attempt < ATTEMPTS; attempt++) {
    if (attempt > 0) await new Promise((resolve) => setTimeout(resolve, APART_MS));
    try {
      const device = await open({ ...asked, backend });
      // Software in place of a GPU is slower than the CPU, and was not asked for.
      if (!device.info.isFallback || lost.info.isFallback || asked.backend === "webgpu") return device;
      device.close();
    } catch (error) {
      if (!(error instanceof DeviceError)) throw error;
    }
  }
  return open({ ...asked, backend: "cpu" });
}
