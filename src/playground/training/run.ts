import { type Device, type Model, type Session, type Trainer, trainer } from "../../index";
import type { Config } from "../config";
import type { DataSet, Rows } from "./data-set";
import { unlessLost } from "./device";
import type { Look, Made, Plane } from "./messages";
import { lossOf, modelOf, optimizerOf, rateOf, targetsOf, viewProgram, weightNames } from "./network";
import { firstUnits, gridOf, planeOf } from "./plane";
import { type Score, score } from "./score";

/** How long the steps between two looks should take, in milliseconds: about a dozen pictures a second. */
const CHUNK_MS = 70;
/** Rows that figures are told of, the first of each part: all of them but for large tables. */
const SCORED = 1536;

/** What may change while training goes on. */
export type Live = Pick<Config, "rate" | "schedule" | "steps">;

/** One network on one device: trained some steps at a time, and looked at between. */
export class Run {
  /** Steps to take before the next look; a power of four. */
  chunk = 16;
  private stepsPerSecond = 0;
  /** Whether the last call had the chunk that this one has. */
  private measures = false;
  private viewed: Promise<Session> | null = null;
  private readonly plane: Plane | null;
  private readonly grid: Float32Array;

  private constructor(
    readonly config: Config,
    readonly live: Live,
    readonly trainer: Trainer,
    private readonly device: Device,
    private readonly data: DataSet,
    private readonly model: Model,
  ) {
    this.plane = planeOf(data);
    this.grid = this.plane ? gridOf(this.plane, data) : new Float32Array(0);
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
    return new Run(config, live, made, device, data, model);
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
      widths,
      parameters: Object.values(model.parameters).reduce((sum, shape) => sum + size(shape), 0),
      training: data.training,
      heldBack: data.heldBack,
      plane,
    };
  }

  /** Trains for `steps` steps; the loss of each one's batch. Rejects with DeviceError when the device goes away meanwhile. */
  async train(steps: number): Promise<Float32Array> {
    const { config, data, trainer } = this;
    const from = trainer.steps;
    const began = performance.now();
    const training = trainer.fit(targetsOf(config, data.training, data.classes.length), {
      steps,
      // Each call orders its epochs anew.
      seed: (config.seed * 7919 + from) % 2 ** 32,
    });
    void this.view().catch(() => {}); // compiled while the first steps are; whoever looks is told what went wrong
    const { loss } = await unlessLost(this.device, training);
    if (steps > 1) this.took(steps, performance.now() - began);
    return loss;
  }

  async look(): Promise<Look> {
    const { data, model, trainer, grid } = this;
    const weights = await trainer.weights();
    const training = await this.scored(data.training);
    const heldBack = await this.scored(data.heldBack);
    const view = await this.view();
    let layers: Float32Array[] = [];
    if (view && this.plane) {
      const cells = this.plane.cells ** 2;
      view.write(weights);
      const seen = await view.run({ x: grid });
      layers = weightNames(model).map((_, layer) => firstUnits(seen[`layer${layer}`] as Float32Array, cells));
    }
    const rows = data.training.y.length;
    return {
      step: trainer.steps,
      epoch: trainer.steps / Math.ceil(rows / (this.config.batch || rows)),
      training: { share: training.share, loss: training.loss },
      heldBack: { share: heldBack.share, loss: heldBack.loss },
      stepsPerSecond: this.stepsPerSecond,
      route: /^route: (.*)$/m.exec(trainer.session.explain())?.[1] ?? "",
      bytes: this.device.memory().bytes,
      rate: rateOf(this.live)(trainer.steps),
      weights,
      layers,
      said: data.image > 0 ? heldBack.said : null,
      sureness: data.image > 0 ? heldBack.sureness : null,
      predicted: data.target ? { training: training.predictions, heldBack: heldBack.predictions } : null,
    };
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
    void this.viewed?.then(
      (view) => view.dispose(),
      () => {},
    );
  }

  /** The network over the cells of the plane, compiled when first wanted. */
  private async view(): Promise<Session | null> {
    if (!this.plane) return null;
    this.viewed ??= this.device.compile(viewProgram(this.config, this.model, this.plane.cells ** 2));
    return this.viewed;
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

  private took(steps: number, spentMs: number): void {
    // The first of a size may have been compiled on the way, which says nothing of its speed.
    if (!this.measures) {
      this.measures = true;
      return;
    }
    const now = (steps / Math.max(spentMs, 0.01)) * 1000;
    this.stepsPerSecond = this.stepsPerSecond === 0 ? now : 0.8 * this.stepsPerSecond + 0.2 * now;
    const next = nextChunk(this.chunk, spentMs, this.trainer.steps);
    this.measures = next === this.chunk;
    this.chunk = next;
  }
}

/**
 * Small at first, so that the bend of the curves is seen, then four times larger and again, as long as one stays short.
 * Few sizes, since large ones are programs of their own.
 */
function nextChunk(chunk: number, spentMs: number, step: number): number {
  if (spentMs > CHUNK_MS * 2.5 && chunk > 1) return chunk / 4;
  const most = step < 256 ? 16 : step < 1024 ? 64 : step < 8192 ? 256 : 4096;
  return spentMs < CHUNK_MS / 4 && chunk * 4 <= most ? chunk * 4 : chunk;
}
