import { mackeyGlass } from "../../../examples/forecast";
import type { Config } from "../config";
import { factsOf } from "../training/device";
import { Training } from "../training/training";
import { Forecaster, modelOf } from "./forecaster";
import type { SeriesMessage } from "./messages";
import { type ForecastOptions, MOST_VALUES, rootMeanSquare, seriesData } from "./series";

/** A series of a person's own, and where it comes from; null: the one that comes with the page. */
export interface SeriesSource {
  name: string;
  values: ArrayLike<number>;
  leftOut: number;
}

/** Forecasts a series, in a worker. */
export class SeriesEngine extends Training<SeriesMessage> {
  private run: Forecaster | null = null;
  private again: (() => Promise<void>) | null = null;

  /** A network for this series, in place of the one before. Throws RangeError for a series that cannot be learnt, and then changes nothing. */
  make(
    source: SeriesSource | null,
    options: ForecastOptions,
    backend: Config["backend"],
    train: boolean,
  ): Promise<void> {
    const trained = this.training;
    this.training = false;
    return this.after(async () => {
      if (trained) this.tell({ kind: "state", state: "paused" });
      const own = source ?? { name: "Mackey–Glass", values: mackeyGlass(3000), leftOut: 0 };
      const values = Float32Array.from(own.values).slice(-MOST_VALUES);
      const data = seriesData(values, options);
      const device = await this.open(backend);
      const run = await Forecaster.create(device, data, options);
      this.release();
      this.run = run;
      this.again = () => this.make(source, options, backend, false);
      const sizes = Object.values(modelOf(options).parameters).map((shape) => shape.reduce((a, b) => a * b, 1));
      this.tell({
        kind: "made",
        made: {
          ...{ device: factsOf(device), name: own.name, leftOut: own.leftOut, values, options },
          ...{ first: data.first, truth: data.truth, naive: data.naive },
          naiveError: rootMeanSquare(data.naive, data.truth),
          parameters: sizes.reduce((sum, size) => sum + size, 0),
          learnsFrom: data.training.y.length,
        },
      });
      await this.looked();
      if (train) void this.train();
    });
  }

  /** The columns of numbers in a table. Throws FormatError. */
  async columns(text: string): Promise<string[]> {
    const { readCsv } = await import("../../files/csv");
    const { description } = readCsv(text, { missing: "drop", oneHot: true });
    return description.features.flatMap(({ kind, name }) => (kind === "number" ? [name] : []));
  }

  /** One of them, its rows in order of the file; those without a value are left out. Throws FormatError. */
  async column(text: string, name: string): Promise<SeriesSource> {
    const { readCsv } = await import("../../files/csv");
    const { x, droppedRows } = readCsv(text, { features: [name], missing: "drop" });
    return { name, values: x, leftOut: droppedRows.length };
  }

  protected advance(): Promise<void> {
    return this.guarded(async () => {
      const run = this.known();
      if (run.step < run.steps) {
        const { recovered } = await run.train();
        this.moved(run.trainer.device, recovered?.at(-1)?.step ?? run.step);
        await this.looked();
      }
      if (run.step >= run.steps) this.finish();
    });
  }

  protected override started(): void {
    this.run?.speed.restart();
  }

  protected release(): void {
    this.run?.dispose();
    this.run = null;
  }

  /** A trainer finds another device at its next call; what was not trained is made anew. */
  protected outlive(): void {
    if (this.training || !this.run) return;
    if (this.run.recovers) return void this.after(() => this.looked());
    this.opened = null;
    void this.again?.();
  }

  private looked(): Promise<void> {
    return this.guarded(async () => {
      const run = this.known();
      this.tell({ kind: "look", look: await run.look() });
      this.moved(run.trainer.device, run.step);
    });
  }

  private known(): Forecaster {
    if (!this.run) throw new Error("There is no network yet.");
    return this.run;
  }
}
