import type { Dataset, DataValues, Device } from "../index";
import { checkCallback, checkCount, checkOptions, checkSignal, isNumbers, shown } from "../util/checks";
import { type Conducted, conduct, fingerprint, type Runner, type SweepProgress, type SweepStore } from "./conduct";
import { BY, type By, type SweepResults } from "./results";
import type { Space } from "./space";
import { planOf, type Strategy } from "./strategy";
import { type Given, type Trial, type TrialTemplate, trialAt } from "./trial";
import { rowsOf, type SweepData, trainWork } from "./work";

/** What is tried, and how. */
export interface SweepDescription {
  readonly space: Space;
  /** A description of a network with "$name" where a value of a point belongs, or a function that gives one of a point. */
  readonly trial: TrialTemplate;
  /** Default "grid". */
  readonly strategy?: Strategy;
  /** Default "validationLoss", or "loss" where nothing is held back. */
  readonly by?: By;
  /** At most so many trials of one shape at once; default 256. */
  readonly together?: number;
}

/** A sweep on a device of this thread. */
export interface SweepOptions extends SweepDescription {
  readonly device: Device;
  readonly data: Dataset<DataValues>;
  /** Held back: what trials are judged by. */
  readonly validation?: Dataset<DataValues>;
  /** Of an example, where a description does not say it and x is not nested. */
  readonly inputs?: number | readonly number[];
  /** Classes, or numbers to be predicted: "$outputs" in a description. */
  readonly outputs?: number;
  /** Where the sweep keeps what it goes on from: started again with it, it does, and no trial runs or counts twice. Left out: in memory. */
  readonly store?: SweepStore;
  /** Stops within a second or so, or an epoch where that takes longer; what was done is in the store. */
  readonly signal?: AbortSignal;
  /** Told a few times a second, and whenever a trial ends. */
  onProgress?(progress: SweepProgress): void;
}

const OPTIONS = ["space", "trial", "strategy", "by", "together"];

/**
 * Trains a network for each point of a space and ranks them. Those that differ in seed, learning rate and weight decay alone train side by
 * side, as an ensemble does; others one after another. A trial that fails has its reason in the table, and the sweep goes on. Throws
 * TypeError, RangeError or ShapeError, with the path, for what is no description, before anything is trained; rejects with the signal's
 * reason, and with DeviceError where the device is lost.
 */
export async function sweep(options: SweepOptions): Promise<SweepResults> {
  const own = ["device", "data", "validation", "inputs", "outputs", "store", "signal", "onProgress"];
  checkOptions("sweep", options, [...OPTIONS, ...own]);
  const { device, data, validation = null, store = new Map(), signal, onProgress } = options;
  if (typeof device !== "object" || device === null || typeof device.compile !== "function")
    throw new TypeError(`sweep: the device is ${shown(device)}; it must come from open().`);
  checkSignal("sweep", signal);
  checkCallback("sweep", "onProgress", onProgress);
  const sets = { data, validation };
  return conduct(
    { ...conductedOf(options, sets), store, signal, ...(onProgress && { onProgress }) },
    onDevice(device, sets, store),
  );
}

/** All that a sweep is, but for how it is run. Throws TypeError, RangeError or ShapeError. */
export function conductedOf(
  {
    space,
    trial,
    strategy = "grid",
    by,
    together = 256,
    inputs,
    outputs,
  }: SweepDescription & Pick<SweepOptions, "inputs" | "outputs">,
  { data, validation }: SweepData,
): Omit<Conducted, "store"> {
  for (const [name, values] of Object.entries({ "data.x": data?.x, "data.y": data?.y }))
    if (!isNumbers(values)) throw new TypeError(`sweep: ${name} is ${shown(values)}; it must be an array of numbers.`);
  const example = inputs ?? nestedShape(data.x);
  const given: Given = {
    rows: example === undefined ? data.x.length : rowsOf(data.x, example),
    ...(example !== undefined && { inputs: example }),
    ...(outputs !== undefined && { outputs }),
  };
  const hasValidation = validation !== null;
  const plan = planOf(space, strategy);
  const compared = by ?? (hasValidation ? "validationLoss" : "loss");
  if (!BY.includes(compared)) throw new TypeError(`by is ${shown(compared)}; it must be one of ${BY.join(", ")}.`);
  if (!hasValidation && compared.startsWith("validation"))
    throw new TypeError(`by is "${compared}", and nothing is held back; give validation data, or compare by "loss".`);
  checkCount("sweep", "together", together);
  const trials = plan.points.map((point): Trial => {
    try {
      return trialAt(trial, point, given);
    } catch (error) {
      if (error instanceof Error && plan.points.length > 1) error.message += ` (at ${JSON.stringify(point)})`;
      throw error;
    }
  });
  if (compared.endsWith("ccuracy")) {
    const counted = ["softmaxCrossEntropy", "binaryCrossEntropy"];
    const other = trials.find(({ loss }) => !counted.includes(typeof loss === "string" ? loss : loss.name));
    if (other !== undefined)
      throw new TypeError(`by is "${compared}", which only ${counted.join(" and ")} have; compare by a loss.`);
  }
  return { plan, trials, by: compared, together, data: dataPrint(data, validation) };
}

/** Works one after another on a device of this thread. */
function onDevice(device: Device, data: SweepData, store: SweepStore): Runner {
  const key = (id: number) => `checkpoint ${id}`;
  return {
    async run(works, told, signal) {
      for (const work of works) {
        const checkpoints = new Map<number, Uint8Array>();
        for (const { id } of work.trials) {
          const file = await store.get(key(id));
          if (file) checkpoints.set(id, file);
        }
        const outcomes = await trainWork(device, data, work, {
          checkpoints,
          ...(signal && { signal }),
          progress: (epochs) => told.progress(work, epochs),
          async checkpointed(files) {
            for (const [id, file] of files) await store.set(key(id), file);
          },
        });
        await told.ended(work, outcomes);
      }
    },
    async forget(ids) {
      for (const id of ids) await store.delete(key(id));
    },
  };
}

/** Of an example, where rows are arrays of their own. */
function nestedShape(x: DataValues): readonly number[] | undefined {
  const shape: number[] = [];
  for (let row: unknown = x[0]; isNumbers(row); row = row[0]) shape.push(row.length);
  return shape.length > 0 ? shape : undefined;
}

/** What tells data from other data. */
export function dataPrint(...sets: readonly (Dataset<DataValues> | null)[]): string {
  const flat = (values: DataValues): ArrayLike<number> =>
    isNumbers(values[0])
      ? Array.from(values as readonly DataValues[]).flatMap((row) => Array.from(flat(row)))
      : (values as ArrayLike<number>);
  const of = (values: DataValues) => fingerprint(new Uint8Array(Float32Array.from(flat(values)).buffer));
  return sets.map((set) => (set === null ? "none" : `${of(set.x)} ${of(set.y)}`)).join(" ");
}
