import { hostname } from "node:os";
import { DeviceError } from "../index";
import type { SweepData, Work, WorkOptions } from "../sweep/index";
import type { Json } from "../sweep/json";
import { takeTrials } from "../sweep/queue";
import { openInChrome } from "./chrome";
import { Interrupted } from "./fail";
import { openHere, type Trainer } from "./here";
import { checkReference, readReference, sweepTable } from "./sweep-data";

export interface WorkerCommand {
  redis: string;
  /** The folder that data are below. */
  data: string;
  device: "auto" | "cpu" | "webgpu" | "chrome";
  say(line: string): void;
  signal: AbortSignal;
  lostSeconds?: number;
  everySeconds?: number;
}

/** Takes trials from a queue until the signal. */
export async function worker({ redis, data, device, say, signal, ...seconds }: WorkerCommand): Promise<void> {
  const open = () => (device === "chrome" ? openInChrome() : openHere(device));
  let trainer: Trainer | null = await open();
  say(`${hostname()}: takes trials on ${trainer.title}; Ctrl-C leaves what it is at to others`);
  const tables = new Map<string, SweepData>();
  try {
    await takeTrials({
      ...{ redis, say, signal, ...seconds },
      async data(reference: Json) {
        const key = JSON.stringify(reference);
        const known = tables.get(key);
        if (known) return known;
        const checked = checkReference("entry.data", reference);
        const { text } = await readReference(data, checked);
        const table = sweepTable(text, checked);
        tables.clear(); // one sweep's at a time
        tables.set(key, table);
        return table;
      },
      async train(data: SweepData, work: Work, options: WorkOptions) {
        trainer ??= await open();
        try {
          return await trainer.train(data, work, options);
        } catch (error) {
          if (error instanceof DeviceError) {
            // Lost: the next is trained on another.
            const gone = trainer;
            trainer = null;
            await gone.close();
          }
          throw error;
        }
      },
    });
  } finally {
    await trainer?.close();
  }
  throw new Interrupted("stopped; what it was at goes on elsewhere.");
}
