import { type Device, type History, type Model, type OpenFit, type Trainer, trainer } from "../../index";
import type { Config } from "../config";
import { Beside } from "./beside";
import type { DataSet, Rows } from "./data-set";
import { type Look, type Made, type Plane, SCORED, type Standing } from "./messages";
import { lossOf, modelOf, optimizerOf, rateOf, targetsOf, viewProgram, weightNames } from "./network";
import { Pace } from "./pace";
import { firstUnits, gridOf, type Held, planeOf } from "./plane";
import { type Score, score } from "./score";
import { Speed } from "./speed";

/** What may change while training goes on. */
export type Live = Pick<Config, "rate" | "schedule" | "steps">;

/** One network on one device: trained some steps at a time, and looked at between. */
export class Run {
  readonly pace = new Pace();
  readonly speed = new Speed();
  private fit: Promise<OpenFit> | null = null;
  /** Where the batches that are counted here began. */
  private began = { step: 0, epoch: 0 };
  private plane: Plane | null;
  private grid: Float32Array;
  /** The network over the cells of the plane. */
  private readonly view: Beside | null;

  private constructor(
    readonly config: Config,
    readonly live: Live,
    readonly trainer: Trainer,
    private data: DataSet,
    private readonly model: Model,
  ) {
    this.plane = planeOf(data);
    this.grid = this.plane ? gridOf(this.plane, data) : new Float32Array(0);
    this.view = this.plane && new Beside(trainer, viewProgram(config, model, this.plane.cells ** 2), model.inputs);
  }

  /** Throws DeviceError where the device cannot hold or compile it. */
  static async create(device: Device, asked: Config, data: DataSet): Promise<Run> {
    const config: Config = data.target ? { ...asked, loss: "squaredError" } : asked;
    const { rate, schedule, steps, batch } = config;
    const live = { rate, schedule, steps };
    const model = modelOf(config, data);
    const made = await trainer(device, model, {
      loss: lossOf(config),
      optimizer: optimizerOf(config, live),
      ...(batch > 0 && batch < data.training.y.length && { batchSize: batch }),
    });
    return new Run(config, live, made, data, model);
  }

  /** Passes over the data. */
  get epoch(): number {
    const rows = this.data.training.y.length;
    const { step, epoch } = this.began;
    return epoch + (this.trainer.steps - step) / Math.ceil(rows / (this.config.batch || rows));
  }

  /** Whether it has begun to train: then it finds another device by itself where its own goes away. */
  get recovers(): boolean {
    return this.fit !== null;
  }

  /** Goes on from there. Throws where that is of another network or optimizer. */
  resume({ checkpoint, epoch }: Standing): void {
    this.trainer.resume(checkpoint);
    this.began = { step: this.trainer.steps, epoch };
  }

  get widths(): number[] {
    return [this.model.inputs, ...this.config.layers.map(({ units }) => units), this.model.outputs];
  }

  describe(): Pick<Made, Exclude<keyof Made, "device" | "kept">> {
    const { data, model, plane, widths } = this;
    const size = (shape: readonly number[]) => shape.reduce((product, length) => product * length, 1);
    return {
      inputs: model.inputs,
      features: data.features,
      classes: data.classes,
      target: data.target,
      image: data.image,
      axes: data.axes,
      mean: data.mean,
      deviation: data.deviation,
      description: data.description,
      widths,
      parameters: Object.values(model.parameters).reduce((sum, shape) => sum + size(shape), 0),
      training: data.training,
      heldBack: data.heldBack,
      plane,
    };
  }

  /** Trains for `steps` steps, on another device where its own goes away: what the history says. */
  async train(steps: number): Promise<History> {
    const began = performance.now();
    const compiled = this.fit !== null;
    const training = this.begun().then((fit) => fit.advance(steps));
    void this.view?.session().catch(() => {}); // compiled while the first steps are; whoever looks is told what went wrong
    const history = await training;
    this.speed.mark(this.trainer.steps);
    if (compiled && steps === this.pace.chunk) this.pace.took(performance.now() - began, this.trainer.steps);
    return history;
  }

  /** One fit for all steps, so that each epoch sees every row once, and the data go to the device once. */
  private begun(): Promise<OpenFit> {
    const { config, data, trainer } = this;
    const begin = (takeUp: boolean) =>
      trainer.begin(targetsOf(config, data.training, data.classes.length), {
        seed: config.seed,
        takeUp,
        recover: true,
      });
    this.fit ??= begin(true).catch((error: unknown) => {
      // A checkpoint of other batches: weights and optimizer go on, in an order of their own.
      if (error instanceof RangeError) return begin(false);
      throw error;
    });
    return this.fit;
  }

  async look(): Promise<Look> {
    const { data, trainer } = this;
    const weights = await trainer.weights();
    const training = await this.scored(data.training);
    const heldBack = await this.scored(data.heldBack);
    const layers = this.plane ? await this.seenLayers(weights, this.plane.cells ** 2) : [];
    return {
      step: trainer.steps,
      epoch: this.epoch,
      training: { share: training.share, loss: training.loss },
      heldBack: { share: heldBack.share, loss: heldBack.loss },
      stepsPerSecond: this.speed.stepsPerSecond,
      route: /^route: (.*)$/m.exec(trainer.session.explain())?.[1] ?? "",
      bytes: trainer.device.memory().bytes,
      rate: rateOf(this.live)(trainer.steps),
      weights,
      layers,
      said: data.target ? null : heldBack.said,
      sureness: data.image > 0 ? heldBack.sureness : null,
      predicted: data.target ? { training: training.predictions, heldBack: heldBack.predictions } : null,
    };
  }

  /** Shows these two features from now on, the others at their values in `at`. Null where there is no such plane. */
  show(axes: readonly [number, number], at: Held): { axes: [number, number]; plane: Plane } | null {
    const [h, v] = axes;
    const inputs = this.data.features.length;
    if (!this.plane || h === v || h >= inputs || v >= inputs) return null;
    this.data = { ...this.data, axes: [h, v] };
    const plane = planeOf(this.data);
    if (plane) {
      this.plane = plane;
      this.grid = gridOf(plane, this.data, at);
    }
    return plane && { axes: [h, v], plane };
  }

  /**
   * What the network says of one row: the shares of the classes, or the number. `fields` are as a person writes them, in the order of the
   * columns of the file that are learned from, or of the features. Throws FormatError and Error for what is missing or no number.
   */
  async say(fields: readonly string[]): Promise<number[]> {
    const { data, model, trainer } = this;
    const row = await rowOf(fields, data);
    const x = row.map((value, f) => (value - (data.mean[f] as number)) / (data.deviation[f] as number));
    const said = [...(await trainer.predict(x))].slice(0, model.outputs);
    if (data.target) return said.map((value) => value * (data.target?.deviation ?? 1) + (data.target?.mean ?? 0));
    return said.length === 1 ? [1 - (said[0] as number), said[0] as number] : said;
  }

  /** The network as a file that takes rows as they are in the data and, of numbers, gives them as they are there. */
  async onnx(): Promise<Uint8Array> {
    const { config, data, model, trainer } = this;
    const { writeOnnx } = await import("../../files/onnx");
    const layers = config.layers.map(({ units, activation }) => ({ name: "dense" as const, units, activation }));
    const ends = ({ softmaxCrossEntropy: "softmax", binaryCrossEntropy: "sigmoid", squaredError: null } as const)[
      config.loss
    ];
    return writeOnnx(
      { inputs: model.inputs, layers: [...layers, { name: "dense", units: model.outputs }] },
      await trainer.weights(),
      {
        standardize: { mean: data.mean, deviation: data.deviation },
        ...(ends && !data.target && { probabilities: ends }),
        ...(data.target && { restore: { mean: [data.target.mean], deviation: [data.target.deviation] } }),
      },
    );
  }

  dispose(): void {
    this.trainer.dispose();
    this.view?.dispose();
  }

  /** Of each layer its first units over the cells of the plane. */
  private async seenLayers(weights: Record<string, Float32Array>, cells: number): Promise<Float32Array[]> {
    const seen = (await this.view?.run({ x: this.grid }, weights)) ?? {};
    return weightNames(this.model).map((_, layer) => firstUnits(seen[`layer${layer}`] as Float32Array, cells));
  }

  private async scored({ x, y }: Rows): Promise<Score & { predictions: Float32Array }> {
    const rows = { x: x.subarray(0, SCORED * this.model.inputs), y: y.subarray(0, SCORED) };
    const predictions = await this.predict(rows);
    return { ...score(this.config.loss, predictions, rows.y, this.data.target !== null), predictions };
  }

  /** By 256 rows: the program that the trainer has compiled already. */
  private async predict({ x, y }: Rows): Promise<Float32Array> {
    const { model, trainer } = this;
    const all = new Float32Array(y.length * model.outputs);
    for (let row = 0; row < y.length; row += 256) {
      const part = x.subarray(row * model.inputs, (row + 256) * model.inputs);
      const padded = new Float32Array(256 * model.inputs);
      padded.set(part);
      const predicted = await trainer.predict(padded);
      all.set(predicted.subarray(0, (part.length / model.inputs) * model.outputs), row * model.outputs);
    }
    return all;
  }
}

/** As it was in the data, not yet standardised. */
async function rowOf(fields: readonly string[], { features, description }: DataSet): Promise<Float32Array> {
  if (description) {
    const { applyCsv } = await import("../../files/csv");
    const row = new Array<string>(description.width).fill("");
    description.features.forEach(({ at }, i) => {
      row[at] = (fields[i] ?? "").trim();
    });
    return applyCsv(description, [row], { target: false }).x;
  }
  return Float32Array.from(features, (name, i) => {
    const field = (fields[i] ?? "").trim();
    if (field === "" || !Number.isFinite(Math.fround(Number(field)))) throw new Error(`${name} must be a number.`);
    return Number(field);
  });
}
