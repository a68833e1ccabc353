import {
  adam,
  binaryCrossEntropy,
  type Dataset,
  type Device,
  dense,
  type Ensemble,
  ensemble,
  type Model,
  sequential,
  sgd,
} from "../../index";
import { preset } from "../config";
import { type DataSet, dataSet, type Rows } from "../training/data-set";
import { gridOf, planeOf } from "../training/plane";
import { score } from "../training/score";
import { Speed } from "../training/speed";
import { BATCH, type ManyConfig, ratesOf, seedsOf } from "./config";
import type { ManyLook, ManyMade, Stopped } from "./messages";

/** Steps of one call at most: a program has room for so many, whatever the call, and none is compiled anew. */
const MOST_STEPS = 256;
/** Of each picture's side: there are dozens of them. */
const CELLS = 32;
/** Rows that are asked for at once: so many as a prediction is compiled for, that none are filled up. */
const ROWS = 256;
/** How long the epochs between two looks should take, in milliseconds. */
const CHUNK_MS = 80;

export function modelOf({ units, activation }: ManyConfig): Model {
  return sequential(2, [dense(units, { activation }), dense(units, { activation }), dense(1)]);
}

export function setOf({ data, rows, noise }: ManyConfig): Promise<DataSet> {
  return dataSet({ ...preset(data), rows, noise, seed: 0 }, null);
}

/** Networks side by side on one device: trained some epochs at a time, and looked at between. */
export class Networks {
  epoch = 0;
  readonly speed = new Speed();
  private chunk = 1;
  private compiled = false;
  private lookedMs = 0;
  private readonly stopped: Stopped[] = [];
  private readonly plane;
  /** The cells of the plane, and behind them the rows that are held back: both are asked for at once. */
  private readonly asked: Float32Array;

  private constructor(
    readonly config: ManyConfig,
    private readonly data: DataSet,
    private readonly many: Ensemble,
    private readonly parameters: number,
  ) {
    const plane = planeOf(data);
    this.plane = plane && { ...plane, cells: CELLS };
    const grid = this.plane ? gridOf(this.plane, data) : new Float32Array();
    this.asked = Float32Array.from([...grid, ...data.heldBack.x]);
  }

  /** Throws DeviceError where the device cannot hold or compile them. */
  static async create(device: Device, config: ManyConfig): Promise<Networks> {
    const model = modelOf(config);
    const rates = ratesOf(config);
    const many = await ensemble(device, model, {
      count: config.count,
      loss: binaryCrossEntropy(),
      optimizer: { sgd, adam }[config.optimizer]({ lr: config.least }),
      batchSize: BATCH,
      seeds: seedsOf(config),
      each: { lr: rates },
    });
    const sizes = Object.values(model.parameters).map((shape) => shape.reduce((product, size) => product * size, 1));
    return new Networks(
      config,
      await setOf(config),
      many,
      sizes.reduce((sum, size) => sum + size, 0),
    );
  }

  get stepsPerEpoch(): number {
    return Math.ceil(this.data.training.y.length / BATCH);
  }

  describe(): Omit<ManyMade, "device"> {
    const { training, heldBack, axes, features, target } = this.data;
    const { config, plane, parameters, stepsPerEpoch } = this;
    const widths = [2, config.units, config.units, 1];
    const drawn = { plane, target, axes, features, inputs: 2, widths, training, heldBack };
    return { ...drawn, rates: ratesOf(config), seeds: seedsOf(config), parameters, stepsPerEpoch };
  }

  /** Trains up to the next look, or to epoch `to`. Throws DeviceError. */
  async train(to = this.config.epochs): Promise<void> {
    const epochs = Math.min(this.chunk, to - this.epoch);
    const began = performance.now();
    await this.take(epochs);
    this.speed.mark(this.epoch * this.stepsPerEpoch * this.config.count);
    if (this.compiled) this.pace(performance.now() - began); // what was compiled in it says nothing of its pace
    this.compiled = true;
  }

  /** Slowly at first, so that the bend of the losses is seen; then as many epochs as a look takes time, and few enough that looks are often. */
  private pace(spentMs: number): void {
    const most = Math.max(1, Math.min(Math.floor(MOST_STEPS / this.stepsPerEpoch), Math.floor(this.epoch / 4)));
    if (spentMs < Math.max(CHUNK_MS / 2, this.lookedMs)) this.chunk = Math.min(most, 2 * this.chunk);
    else if (spentMs > Math.max(2 * CHUNK_MS, 4 * this.lookedMs)) this.chunk = Math.max(1, Math.floor(this.chunk / 2));
  }

  /** The same networks at an epoch, which they have been at before: from their seeds, with the same bits. Throws DeviceError. */
  async goTo(epoch: number): Promise<void> {
    if (epoch > this.epoch) await this.take(epoch - this.epoch);
  }

  private async take(epochs: number): Promise<void> {
    const before = this.epoch * this.stepsPerEpoch;
    const { dropped } = await this.many.fit(datasetOf(this.data.training), { epochs });
    this.epoch += epochs;
    for (const { network, step, tensor } of dropped) this.stopped.push({ network, step: before + step, tensor });
  }

  async look(): Promise<ManyLook> {
    const { data, stopped, speed, epoch } = this;
    const began = performance.now();
    const { each, mean } = await this.said();
    const cells = this.asked.length / 2 - data.heldBack.y.length;
    const scores = each.map((said) => scored(said.subarray(cells), data.heldBack));
    const { loss, share } = scored(mean.subarray(cells), data.heldBack);
    const goesOn = each.filter((_, i) => stopped.every(({ network }) => network !== i));
    const look = {
      epoch,
      each: each.map((said) => said.slice(0, cells)),
      mean: mean.slice(0, cells),
      apart: mean.slice(0, cells).map((middle, cell) => {
        const squares = goesOn.reduce((sum, said) => sum + ((said[cell] as number) - middle) ** 2, 0);
        return Math.sqrt(squares / Math.max(1, goesOn.length));
      }),
      losses: Float32Array.from(scores, ({ loss }) => loss),
      shares: Float32Array.from(scores, ({ share }) => share),
      together: { loss, share },
      stopped: [...stopped],
      stepsPerSecond: speed.stepsPerSecond,
    };
    this.lookedMs = performance.now() - began;
    return look;
  }

  /** What the networks say of all that is asked, and the mean of it. */
  private async said(): Promise<{ each: Float32Array[]; mean: Float32Array }> {
    const rows = this.asked.length / 2;
    const each = Array.from({ length: this.many.count }, () => new Float32Array(rows));
    const mean = new Float32Array(rows);
    for (let from = 0; from < rows; from += ROWS) {
      const part = await this.many.predict(this.asked.subarray(2 * from, 2 * (from + ROWS)));
      part.each.forEach((said, network) => {
        each[network]?.set(said, from);
      });
      mean.set(part.mean, from);
    }
    return { each, mean };
  }

  dispose(): void {
    this.many.dispose();
  }
}

export function datasetOf({ x, y }: Rows): Dataset {
  return { x, y: Float32Array.from(y) };
}

function scored(said: Float32Array, { y }: Rows): { loss: number; share: number } {
  return score("binaryCrossEntropy", said, y, false);
}
