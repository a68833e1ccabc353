import {
  adam,
  cosineDecay,
  type Device,
  dense,
  gru,
  type History,
  type Model,
  type OpenFit,
  sequential,
  squaredError,
  type Trainer,
  trainer,
} from "../../index";
import { Pace } from "../training/pace";
import { Speed } from "../training/speed";
import type { SeriesLook } from "./messages";
import { type ForecastOptions, rootMeanSquare, type SeriesData } from "./series";

export const BATCH = 32;

export function modelOf({ seen, units }: ForecastOptions): Model {
  return sequential([seen, 1], [gru(units), dense(1)]);
}

export function trainingOf(data: SeriesData, { epochs }: ForecastOptions) {
  const stepsPerEpoch = Math.ceil(data.training.y.length / BATCH);
  const steps = epochs * stepsPerEpoch;
  return {
    steps,
    stepsPerEpoch,
    optimizer: adam({ lr: cosineDecay(0.01, steps) }),
    loss: squaredError(),
    batchSize: BATCH,
  };
}

/** A GRU on one series: trained some steps at a time, and asked between for what is held back. */
export class Forecaster {
  readonly pace = new Pace(4, 120);
  readonly speed = new Speed();
  private fit: Promise<OpenFit> | null = null;
  /** The mean loss of the steps since the last look. */
  private loss: number | null = null;

  private constructor(
    readonly options: ForecastOptions,
    readonly data: SeriesData,
    readonly trainer: Trainer,
    readonly steps: number,
    private readonly stepsPerEpoch: number,
  ) {}

  /** Throws DeviceError where the device cannot hold or compile it. */
  static async create(device: Device, data: SeriesData, options: ForecastOptions): Promise<Forecaster> {
    const { steps, stepsPerEpoch, ...using } = trainingOf(data, options);
    return new Forecaster(options, data, await trainer(device, modelOf(options), using), steps, stepsPerEpoch);
  }

  get step(): number {
    return this.trainer.steps;
  }

  get recovers(): boolean {
    return this.fit !== null;
  }

  async train(): Promise<History> {
    const { trainer, data, pace } = this;
    const compiled = this.fit !== null;
    this.fit ??= trainer.begin(data.training, { recover: true });
    const fit = await this.fit;
    const steps = Math.min(pace.chunk, this.steps - this.step);
    const began = performance.now();
    const history = await fit.advance(steps);
    if (compiled && steps === pace.chunk) pace.took(performance.now() - began, this.step);
    this.speed.mark(this.step);
    this.loss = history.loss.reduce((sum, loss) => sum + loss, 0) / history.loss.length;
    return history;
  }

  async look(): Promise<SeriesLook> {
    const { data, trainer, loss, step, steps } = this;
    const { mean, deviation, heldBack, truth } = data;
    const forecast = (await trainer.predict(heldBack.x)).map((value) => value * deviation + mean);
    return {
      ...{ step, steps, forecast, epoch: step / this.stepsPerEpoch },
      error: rootMeanSquare(forecast, truth),
      trainingError: loss === null ? null : Math.sqrt(loss) * deviation,
      forecastsPerSecond: this.speed.stepsPerSecond * BATCH,
    };
  }

  dispose(): void {
    this.trainer.dispose();
  }
}
