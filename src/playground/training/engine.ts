import type { Device } from "../../index";
import { type Config, DATA, type DataName, preset } from "../config";
import { dataSet, type Rows, type Table } from "./data-set";
import { factsOf, openDevice, whyNoGpu } from "./device";
import type { Message, Standing } from "./messages";
import { type Live, Run } from "./run";
import type { ReadTable, TableChoice, TableFacts } from "./table";

/** How often a checkpoint is taken, in milliseconds. */
const KEEP_MS = 700;

export interface MakeOptions {
  /** Weights of the same shapes stay. */
  keep?: boolean;
  /** Training goes on from there. */
  from?: Standing;
  table?: Table;
  /** Begins to train at once: the first steps come before the first look. */
  train?: boolean;
}

/** Trains one network after another, in a worker; tells what happens through `tell`. Calls wait for one another. */
export class Engine {
  private device: Device | null = null;
  private opened: Config["backend"] | null = null;
  /** What became of the device that was lost last. */
  private lost = "";
  private run: Run | null = null;
  private table: Table | null = null;
  private training = false;
  /** Counts calls of train, so that an old one ends where a new one has begun. */
  private turn = 0;
  private standing: Standing | null = null;
  private keptAt = 0;
  private queue: Promise<unknown> = Promise.resolve();
  /** Said before anybody listened. */
  private readonly unheard: Message[] = [];
  private tell: (message: Message) => void = (message) => this.unheard.push(message);

  listen(tell: (message: Message) => void): void {
    this.tell = tell;
    for (const message of this.unheard.splice(0)) tell(message);
  }

  /** Opens a device ahead of the first `make`, which says so where it fails. */
  ready(backend: Config["backend"]): void {
    void this.after(() => this.open(backend)).catch(() => {});
  }

  /** Replaces the network; tells of it, and then trains it or shows it as it stands. */
  make(config: Config, options: MakeOptions = {}): Promise<void> {
    this.training = false;
    return this.after(async () => {
      if (options.table) this.table = options.table;
      const before = options.keep && this.run ? await state(this.run) : null;
      const device = await this.open(config.backend);
      const run = await Run.create(device, config, await dataSet(config, this.table));
      this.release();
      this.run = run;
      const from = options.from ?? before?.standing;
      const kept = restore(run, from, before?.weights);
      this.standing = (kept && from) || null;
      this.tell({ kind: "made", made: { ...run.describe(), device: factsOf(device), kept } });
      if (options.train) void this.train();
      else await this.showLook();
    });
  }

  /** Takes effect with the next step. */
  change(live: Live): void {
    if (this.run) Object.assign(this.run.live, live);
  }

  async train(): Promise<void> {
    if (this.training) return;
    this.training = true;
    const turn = ++this.turn;
    this.run?.speed.restart();
    const goesOn = () => this.training && this.turn === turn;
    this.tell({ kind: "state", state: "training" });
    while (goesOn()) {
      await this.after(async () => {
        if (goesOn()) await this.steps(this.run?.chunk ?? 1);
      });
    }
  }

  /** Resolves when no step runs any more. */
  pause(): Promise<void> {
    const trained = this.training;
    this.training = false;
    return this.after(async () => {
      if (trained && !this.training) this.tell({ kind: "state", state: "paused" });
      await this.keep(true);
    });
  }

  step(): Promise<void> {
    this.training = false;
    return this.after(async () => {
      await this.steps(1);
      this.tell({ kind: "state", state: "paused" });
    });
  }

  /** Activations of the output for one row, such as a digit that was drawn. */
  read(x: Float32Array): Promise<Float32Array> {
    return this.after(() => this.known().trainer.predict(x));
  }

  save(): Promise<Uint8Array> {
    return this.after(() => this.known().trainer.save());
  }

  load(file: Uint8Array): Promise<void> {
    this.training = false;
    return this.after(async () => {
      this.known().trainer.load(file);
      this.tell({ kind: "state", state: "paused" });
      await this.showLook();
    });
  }

  onnx(): Promise<Uint8Array> {
    return this.after(() => this.known().onnx());
  }

  /** Small pictures of the sets that are points of a plane. */
  thumbnails(): Promise<Partial<Record<DataName, Rows>>> {
    return this.after(async () => {
      const pictures: Partial<Record<DataName, Rows>> = {};
      for (const name of DATA) {
        if (name === "digits" || name === "csv") continue;
        const { training, axes, features } = await dataSet({ ...preset(name), rows: 100, seed: 0 }, null);
        const take = (axis: number) => (row: number) => training.x[row * features.length + axis] as number;
        const points = [...training.y.keys()].flatMap((row) => axes.map((axis) => take(axis)(row)));
        pictures[name] = { x: Float32Array.from(points), y: training.y };
      }
      return pictures;
    });
  }

  async inspectTable(text: string): Promise<TableFacts> {
    return (await import("./table")).inspectTable(text);
  }

  async readTable(text: string, choice: TableChoice): Promise<ReadTable> {
    return (await import("./table")).readTable(text, choice);
  }

  explain(): Promise<string> {
    return this.after(async () => this.known().trainer.session.explain());
  }

  private known(): Run {
    if (!this.run) throw new Error("There is no network yet.");
    return this.run;
  }

  private after<T>(task: () => Promise<T>): Promise<T> {
    const result = this.queue.then(task);
    this.queue = result.catch(() => {});
    return result;
  }

  private async open(backend: Config["backend"]): Promise<Device> {
    if (this.device && this.opened === backend) return this.device;
    this.release();
    this.device?.close();
    this.device = null;
    const device = await openDevice(backend);
    this.opened = backend;
    this.watch(device);
    if (device.backend === "cpu" && backend !== "cpu") {
      void whyNoGpu().then((hint) => this.tell({ kind: "hint", hint }));
    }
    return device;
  }

  /** Works on this device from now on, and looks after it: a trainer finds another at its next call, which may be this look. */
  private watch(device: Device): void {
    this.device = device;
    void device.lost.then(({ reason, message }) => {
      this.lost = `${reason}: ${message}`;
      if (this.device !== device) return;
      if (this.run?.recovers) {
        if (!this.training) void this.after(() => this.showLook());
        return;
      }
      // Nothing has been trained on it: what there is is made anew, on another.
      this.opened = null;
      if (this.run)
        void this.make({ ...this.run.config, ...this.run.live }, this.standing ? { from: this.standing } : {});
    });
  }

  /** Tells of a device that took over. It is the trainer's: the next network opens one of its own. */
  private moved(run: Run, step = run.trainer.steps): void {
    const { device } = run.trainer;
    if (device === this.device) return;
    this.watch(device);
    this.opened = null;
    this.tell({ kind: "lost", reason: this.lost, device: factsOf(device), step });
  }

  private async steps(steps: number): Promise<void> {
    await this.guarded(async (run) => {
      const left = steps === 1 ? 1 : run.live.steps - run.trainer.steps;
      if (left <= 0) return this.finish();
      const { recovered } = await run.train(Math.min(steps, left));
      this.moved(run, recovered?.at(-1)?.step);
      const finished = steps > 1 && run.trainer.steps >= run.live.steps;
      await this.keep(finished || steps === 1);
      this.tell({ kind: "look", look: await run.look() });
      this.moved(run);
      if (finished) this.finish();
    });
  }

  private finish(): void {
    this.training = false;
    this.tell({ kind: "state", state: "finished" });
  }

  private async showLook(): Promise<void> {
    await this.guarded(async (run) => {
      this.tell({ kind: "look", look: await run.look() });
      this.moved(run);
    });
  }

  private async keep(now: boolean): Promise<void> {
    if (!this.run || (!now && performance.now() - this.keptAt < KEEP_MS)) return;
    this.keptAt = performance.now();
    try {
      this.standing = await standingOf(this.run);
      this.tell({ kind: "kept", standing: this.standing });
    } catch {
      // The device is gone; the last one stands.
    }
  }

  /** Errors are told, and end training. */
  private async guarded(task: (run: Run) => Promise<void>): Promise<void> {
    try {
      await task(this.known());
    } catch (error) {
      this.fail(error);
    }
  }

  private fail(error: unknown): void {
    this.training = false;
    this.tell({ kind: "state", state: "paused" });
    this.tell({ kind: "failed", message: error instanceof Error ? error.message : String(error) });
  }

  private release(): void {
    this.run?.dispose();
    this.run = null;
  }
}

async function standingOf({ trainer, epoch }: Run): Promise<Standing> {
  return { checkpoint: await trainer.checkpoint(), epoch };
}

/** What another network may go on from; null where its device is gone. */
async function state(run: Run): Promise<{ standing: Standing; weights: Record<string, Float32Array> } | null> {
  try {
    return { standing: await standingOf(run), weights: await run.trainer.weights() };
  } catch {
    return null;
  }
}

/** A checkpoint where it fits, else the weights alone; false where neither does. */
function restore(run: Run, standing?: Standing, weights?: Record<string, Float32Array>): boolean {
  try {
    if (standing) {
      run.resume(standing);
      return true;
    }
  } catch {
    // Of another optimizer or another network.
  }
  try {
    if (weights) {
      run.trainer.setWeights(weights);
      return true;
    }
  } catch {
    // Of other shapes: it begins anew.
  }
  return false;
}
