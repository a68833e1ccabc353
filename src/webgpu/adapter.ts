import { DeviceError } from "../util/errors";

export interface Adapter {
  gpu?: GPU;
  powerPreference?: GPUPowerPreference;
}

export async function openWebGpu(_adapter: Adapter): Promise<never> {
  throw new DeviceError("internal: not there yet");
}
