import type { CsvPeek } from "../../files/csv";
import { type Config, DATA, type DataName, preset } from "../config";
import { dataSet, type Rows, type Table } from "./data-set";
import { factsOf } from "./device";
import type { PlaygroundMessage, Standing } from "./messages";
import type { Held } from "./plane";
import { type Live, Run } from "./run";
import type { ReadTable, TableChoice } from "./table";
import { Training } from "./training";

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

/** Trains one network after another, in a worker. */
export class Engine extends Training<PlaygroundMessage> {
  private run: Run | null = null;
  private table: Table | null = null;
  private standing: Standing | null = null;
  private keptAt = 0;

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
      if (config.axes) run.show(config.axes, {});
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

  /** Shows other features on the plane, the rest held at these values. */
  show(axes: readonly [number, number], at: Held): Promise<void> {
    return this.after(async () => {
      const viewed = this.known().show(axes, at);
      if (!viewed) return;
      this.tell({ kind: "viewed", ...viewed });
      if (!this.training) await this.showLook();
    });
  }

  /** What the network says of one row, its fields as a person writes them. */
  say(fields: readonly string[]): Promise<number[]> {
    return this.after(() => this.known().say(fields));
  }

  async peekTable(text: string, choice: Pick<TableChoice, "header" | "delimiter">): Promise<CsvPeek> {
    return (await import("./table")).peekTable(text, choice);
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

  protected advance(): Promise<void> {
    return this.steps(this.run?.pace.chunk ?? 1);
  }

  protected override started(): void {
    this.run?.speed.restart();
  }

  protected override paused(): Promise<void> {
    return this.keep(true);
  }

  /** A trainer finds another device at its next call, which may be a look. */
  protected outlive(): void {
    if (this.run?.recovers) {
      if (!this.training) void this.after(() => this.showLook());
      return;
    }
    // Nothing has been trained on it: what there is is made anew, on another.
    this.opened = null;
    if (this.run)
      void this.make({ ...this.run.config, ...this.run.live }, this.standing ? { from: this.standing } : {});
  }

  protected release(): void {
    this.run?.dispose();
    this.run = null;
  }

  private async steps(steps: number): Promise<void> {
    await this.guarded(async () => {
      const run = this.known();
      const left = steps === 1 ? 1 : run.live.steps - run.trainer.steps;
      if (left <= 0) return this.finish();
      const { recovered } = await run.train(Math.min(steps, left));
      this.moved(run.trainer.device, recovered?.at(-1)?.step ?? run.trainer.steps);
      const finished = steps > 1 && run.trainer.steps >= run.live.steps;
      await this.keep(finished || steps === 1);
      this.tell({ kind: "look", look: await run.look() });
      this.moved(run.trainer.device, run.trainer.steps);
      if (finished) this.finish();
    });
  }

  private async showLook(): Promise<void> {
    await this.guarded(async () => {
      const run = this.known();
      this.tell({ kind: "look", look: await run.look() });
      this.moved(run.trainer.device, run.trainer.steps);
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
