import { type Outcome, type SweepData, trainWork, type Work, type WorkOptions } from "../sweep/index";
import { deviceLine, openDevice } from "./device";

/** Where trials are trained. */
export interface Trainer {
  readonly title: string;
  train(data: SweepData, work: Work, options: WorkOptions): Promise<Outcome[]>;
  close(): Promise<void> | void;
}

/** On a device of this process. */
export async function openHere(wanted: "auto" | "cpu" | "webgpu"): Promise<Trainer> {
  const device = await openDevice(wanted);
  return {
    title: deviceLine(device),
    train: (data, work, options) => trainWork(device, data, work, options),
    close: () => device.close(),
  };
}
