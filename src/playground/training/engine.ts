import { type Device, DeviceError, type Model, open, type Session, type Trainer, trainer } from "../../index";
import { type Config, DATA, type DataName, preset } from "../config";
import { type DataSet, dataSet, type Rows, type Table } from "./data-set";
import { type DeviceFacts, type Look, type Made, type Message, type Plane, SHOWN_UNITS } from "./messages";
import { lossOf, modelOf, optimizerOf, rateOf, targetsOf, viewProgram, weightNames } from "./network";
import { score } from "./score";
import { inspectTable, type ReadTable, readTable, type TableChoice, type TableFacts } from "./table";

/** How long the steps between two looks should take, in milliseconds: about a dozen pictures a second. */
const CHUNK_MS = 70;
const KEEP_MS = 700;
const CELLS = 48;
/** Rows that accuracy is told of, the first of each part: all of them but for large tables. */
const SCORED = 1536;
/** How often a lost device is asked for again before the CPU takes over, and how long apart. */
const REOPENINGS = 6;
const REOPEN_MS = 350;

interface Run {
  config: Config;
  /** What may change while training goes on. */
  live: Pick<Config, "rate" | "schedule" | "steps">;
  data: DataSet;
  model: Model;
  trainer: Trainer;
  view: Session | null;
  plane: Plane | null;
  grid: Float32Array;
  /** Steps of one call of fit; a power of four. */
  chunk: number;
  /** Whether the last call had the chunk that this one has. */
  measures: boolean;
  stepsPerSecond: number;
}

/** Trains one network after another, in a worker; tells what happens through `tell`. Calls wait for one another. */
export class Engine {
  private device: Device | null = null;
  private facts: DeviceFacts | null = null;
  private opened: Config["backend"] | null = null;
  private run: Run | null = null;
  private table: Table | null = null;
  private training = false;
  /** Counts calls of train, so that an old one ends where a new one has begun. */
  private turn = 0;
  private checkpoint: Uint8Array | null = null;
  private keptAt = 0;
  private queue: Promise<unknown> = Promise.resolve();
  private tell: (message: Message) => void = () => {};

  listen(tell: (message: Message) => void): void {
    this.tell = tell;
  }

  /** Replaces the network. With `keep`, weights of the same shapes stay; with `checkpoint`, training goes on from there. */
  make(config: Config, options: { keep?: boolean; checkpoint?: Uint8Array; table?: Table } = {}): Promise<Made> {
    this.training = false;
    return this.after(async () => {
      if (options.table) this.table = options.table;
      await this.open(config.backend);
      const previous = this.run;
      const before = options.keep && previous ? await this.state(previous) : null;
      const run = await this.build(config);
      this.release();
      this.run = run;
      const kept = this.restore(run, options.checkpoint ?? before?.checkpoint, before?.weights);
      this.checkpoint = null;
      return this.describe(run, kept);
    });
  }

  /** Takes effect with the next step. */
  change(live: Pick<Config, "rate" | "schedule" | "steps">): void {
    if (this.run) Object.assign(this.run.live, live);
  }

  async train(): Promise<void> {
    if (this.training) return;
    this.training = true;
    const turn = ++this.turn;
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
    if (this.training) this.tell({ kind: "state", state: "paused" });
    this.training = false;
    return this.after(async () => {
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

  /** Shows the network as it stands. */
  look(): Promise<void> {
    return this.after(async () => {
      await this.guarded(async (run) => this.tell({ kind: "look", look: await this.lookAt(run) }));
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
    });
  }

  onnx(): Promise<Uint8Array> {
    return this.after(async () => {
      const { config, model, trainer } = this.known();
      const { writeOnnx } = await import("../../files/onnx");
      const layers = config.layers.map(({ units, activation }) => ({ name: "dense" as const, units, activation }));
      const probabilities = {
        softmaxCrossEntropy: "softmax",
        binaryCrossEntropy: "sigmoid",
        squaredError: null,
      } as const;
      const ends = probabilities[config.loss];
      return writeOnnx(
        { inputs: model.inputs, layers: [...layers, { name: "dense", units: model.outputs }] },
        await trainer.weights(),
        ends === null ? {} : { probabilities: ends },
      );
    });
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

  inspectTable(text: string): Promise<TableFacts> {
    return inspectTable(text);
  }

  readTable(text: string, choice: TableChoice): Promise<ReadTable> {
    return readTable(text, choice);
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

  private async open(backend: Config["backend"]): Promise<void> {
    if (this.device && this.opened === backend) return;
    this.release();
    this.device?.close();
    this.device = null;
    await this.openAnew(backend);
  }

  private async openAnew(backend: Config["backend"]): Promise<void> {
    const device = await open({ backend });
    this.device = device;
    this.opened = backend;
    this.facts = factsOf(device);
    if (device.backend === "cpu" && backend !== "cpu") {
      void whyNoGpu().then((hint) => this.tell({ kind: "hint", hint }));
    }
    void device.lost.then(({ reason, message }) => {
      if (this.device !== device) return;
      void this.after(() => this.recover(device, `${reason}: ${message}`));
    });
  }

  private async build(config: Config): Promise<Run> {
    const device = this.device as Device; // open() came before
    const data = await dataSet(config, this.table);
    const model = modelOf(config, data);
    const live = { rate: config.rate, schedule: config.schedule, steps: config.steps };
    const made = await trainer(device, model, {
      loss: lossOf(config),
      optimizer: optimizerOf(config, live),
      ...(config.batch > 0 && config.batch < data.training.y.length && { batchSize: config.batch }),
    });
    const plane = data.image > 0 || data.features.length < 2 ? null : planeOf(data);
    const view = plane ? await device.compile(viewProgram(config, model, CELLS * CELLS)) : null;
    const grid = plane ? gridOf(plane, data) : new Float32Array(0);
    return {
      config,
      live,
      data,
      model,
      trainer: made,
      view,
      plane,
      grid,
      chunk: 16,
      measures: false,
      stepsPerSecond: 0,
    };
  }

  private async state(run: Run): Promise<{ checkpoint: Uint8Array; weights: Record<string, Float32Array> } | null> {
    try {
      return { checkpoint: await run.trainer.checkpoint(), weights: await run.trainer.weights() };
    } catch {
      return null; // its device is gone
    }
  }

  /** A checkpoint where it fits, else the weights alone; false where neither does. */
  private restore(run: Run, checkpoint?: Uint8Array, weights?: Record<string, Float32Array>): boolean {
    try {
      if (checkpoint) {
        run.trainer.resume(checkpoint);
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

  private describe({ data, model, config, plane }: Run, kept: boolean): Made {
    const size = (shape: readonly number[]) => shape.reduce((product, length) => product * length, 1);
    return {
      device: this.facts as DeviceFacts,
      inputs: model.inputs,
      features: data.features,
      classes: data.classes,
      image: data.image,
      axes: data.axes,
      widths: [model.inputs, ...config.layers.map(({ units }) => units), model.outputs],
      parameters: Object.values(model.parameters).reduce((sum, shape) => sum + size(shape), 0),
      training: data.training,
      heldBack: data.heldBack,
      kept,
      plane,
    };
  }

  private async steps(steps: number): Promise<void> {
    await this.guarded(async (run) => {
      const { config, data, live } = run;
      const from = run.trainer.steps;
      const left = steps === 1 ? 1 : live.steps - from;
      if (left <= 0) {
        this.training = false;
        this.tell({ kind: "state", state: "finished" });
        return;
      }
      const taken = Math.min(steps, left);
      const began = performance.now();
      const { loss } = await this.unlessLost(
        run.trainer.fit(targetsOf(config, data.training, data.classes.length), {
          steps: taken,
          // Each call orders its epochs anew.
          seed: (config.seed * 7919 + from) % 2 ** 32,
        }),
      );
      const spent = performance.now() - began;
      const now = (taken / Math.max(spent, 0.01)) * 1000;
      if (steps > 1) {
        // The first of a size may have been compiled on the way, which says nothing of its speed.
        if (run.measures) {
          run.stepsPerSecond = run.stepsPerSecond === 0 ? now : 0.8 * run.stepsPerSecond + 0.2 * now;
          const next = nextChunk(run.chunk, spent, run.trainer.steps);
          run.measures = next === run.chunk;
          run.chunk = next;
        } else run.measures = true;
      }
      const finished = steps > 1 && run.trainer.steps >= live.steps;
      await this.keep(finished || steps === 1);
      this.tell({ kind: "losses", from, losses: loss });
      this.tell({ kind: "look", look: await this.unlessLost(this.lookAt(run)) });
      if (finished) {
        this.training = false;
        this.tell({ kind: "state", state: "finished" });
      }
    });
  }

  private async lookAt(run: Run): Promise<Look> {
    const { config, data, model, trainer: trained, view, grid } = run;
    const weights = await trained.weights();
    const [some, held] = [first(data.training, model.inputs), first(data.heldBack, model.inputs)];
    const training = score(config.loss, await this.predict(run, some), some.y);
    const heldBack = score(config.loss, await this.predict(run, held), held.y);
    let layers: Float32Array[] = [];
    if (view) {
      view.write(weights);
      const seen = await view.run({ x: grid });
      layers = weightNames(model).map((_, layer) => firstUnits(seen[`layer${layer}`] as Float32Array, CELLS * CELLS));
    }
    return {
      step: trained.steps,
      epoch: trained.steps / Math.ceil(data.training.y.length / (config.batch || data.training.y.length)),
      training: { accuracy: training.accuracy, loss: training.loss },
      heldBack: { accuracy: heldBack.accuracy, loss: heldBack.loss },
      stepsPerSecond: run.stepsPerSecond,
      route: routeOf(trained.session.explain()),
      bytes: this.device?.memory().bytes ?? 0,
      rate: rateOf(run.live)(trained.steps),
      weights,
      layers,
      said: data.image > 0 ? heldBack.said : null,
      sureness: data.image > 0 ? heldBack.sureness : null,
    };
  }

  /** By 256 rows: the program that the trainer has compiled already. */
  private async predict({ model, trainer: trained }: Run, { x, y }: Rows): Promise<Float32Array> {
    const all = new Float32Array(y.length * model.outputs);
    for (let row = 0; row < y.length; row += 256) {
      const part = x.subarray(row * model.inputs, (row + 256) * model.inputs);
      const padded = new Float32Array(256 * model.inputs);
      padded.set(part);
      const predicted = await trained.predict(padded);
      all.set(predicted.subarray(0, (part.length / model.inputs) * model.outputs), row * model.outputs);
    }
    return all;
  }

  private async keep(now: boolean): Promise<void> {
    if (!this.run || (!now && performance.now() - this.keptAt < KEEP_MS)) return;
    this.keptAt = performance.now();
    try {
      this.checkpoint = await this.run.trainer.checkpoint();
      this.tell({ kind: "kept", checkpoint: this.checkpoint });
    } catch {
      // The device is gone; the last one stands.
    }
  }

  /** Errors are told, and end training; that of a lost device is left to `recover`. */
  private async guarded(task: (run: Run) => Promise<void>): Promise<void> {
    try {
      await task(this.known());
    } catch (error) {
      if (error instanceof DeviceError && this.device && (await isGone(this.device))) return;
      this.training = false;
      this.tell({ kind: "state", state: "paused" });
      this.tell({ kind: "failed", message: error instanceof Error ? error.message : String(error) });
    }
  }

  private unlessLost<T>(work: Promise<T>): Promise<T> {
    const { device } = this;
    if (!device) return work;
    const gone = device.lost.then(({ message }): never => {
      throw new DeviceError(`the device is gone: ${message}`);
    });
    return Promise.race([work, gone]);
  }

  /** A new device, the same network, and the weights and optimizer's state of the last checkpoint. */
  private async recover(lost: Device, reason: string): Promise<void> {
    if (this.device !== lost || !this.run) return;
    const { config, live } = this.run;
    this.run = null;
    this.device = null;
    for (let attempt = 0; this.device === null; attempt++) {
      if (attempt >= REOPENINGS) await this.openAnew("cpu");
      else {
        await new Promise((resolve) => setTimeout(resolve, REOPEN_MS));
        await this.openAnew(config.backend === "cpu" ? "cpu" : "webgpu").catch(() => {});
      }
    }
    this.opened = config.backend;
    const run = await this.build({ ...config, ...live });
    this.run = run;
    this.restore(run, this.checkpoint ?? undefined);
    this.tell({ kind: "lost", reason, device: this.facts as DeviceFacts, step: run.trainer.steps });
  }

  private release(): void {
    this.run?.trainer.dispose();
    this.run?.view?.dispose();
    this.run = null;
  }
}

/**
 * Small at first, so that the bend of the curves is seen, then four times larger and again, as long as one stays short.
 * Few sizes, since each is a program of its own.
 */
function nextChunk(chunk: number, spentMs: number, step: number): number {
  if (spentMs > CHUNK_MS * 2.5 && chunk > 1) return chunk / 4;
  const most = step < 256 ? 16 : step < 1024 ? 64 : step < 8192 ? 256 : 4096;
  return spentMs < CHUNK_MS / 4 && chunk * 4 <= most ? chunk * 4 : chunk;
}

function first({ x, y }: Rows, inputs: number): Rows {
  return { x: x.subarray(0, SCORED * inputs), y: y.subarray(0, SCORED) };
}

/** [cells, units] -> [cells, at most SHOWN_UNITS]. */
function firstUnits(values: Float32Array, cells: number): Float32Array {
  const units = values.length / cells;
  if (units <= SHOWN_UNITS) return values;
  const out = new Float32Array(cells * SHOWN_UNITS);
  for (let cell = 0; cell < cells; cell++) {
    out.set(values.subarray(cell * units, cell * units + SHOWN_UNITS), cell * SHOWN_UNITS);
  }
  return out;
}

async function isGone(device: Device): Promise<boolean> {
  return Promise.race([device.lost.then(() => true), new Promise<false>((no) => setTimeout(() => no(false), 200))]);
}

function factsOf({ backend, info }: Device): DeviceFacts {
  const names = [info.vendor, info.architecture, info.description].filter(Boolean).join(" ");
  return { backend, name: names || "unnamed adapter", isFallback: info.isFallback };
}

/** Why the CPU trains where a GPU was hoped for, and what would bring it. */
async function whyNoGpu(): Promise<string> {
  if (!("gpu" in navigator)) {
    return isSecureContext
      ? "This browser has no WebGPU; Chrome and Edge from 113, Firefox from 141 and Safari from 26 have it."
      : "WebGPU is there only on pages served by https or from localhost.";
  }
  const adapter = await navigator.gpu.requestAdapter().catch(() => null);
  return adapter
    ? "WebGPU is here as software only, and the CPU is faster than that; a graphics driver that the browser accepts would enable the GPU."
    : "WebGPU found no adapter: update the graphics driver. In Chrome, chrome://gpu says why; on Linux it may need --enable-unsafe-webgpu.";
}

function routeOf(explained: string): string {
  return /^route: (.*)$/m.exec(explained)?.[1] ?? "";
}

function planeOf({ training, heldBack, features, axes, mean, deviation }: DataSet): Plane {
  const range = (feature: number): [number, number] => {
    let [least, most] = [Infinity, -Infinity];
    for (const { x } of [training, heldBack]) {
      for (let at = feature; at < x.length; at += features.length) {
        least = Math.min(least, x[at] as number);
        most = Math.max(most, x[at] as number);
      }
    }
    const margin = (most - least) * 0.12 || 1;
    return [least - margin, most + margin];
  };
  const label = (feature: number, value: number) =>
    String(Number((value * (deviation[feature] as number) + (mean[feature] as number)).toPrecision(2)));
  const [h, v] = axes;
  const [x, y] = [range(h), range(v)];
  return {
    x,
    y,
    cells: CELLS,
    xLabels: [label(h, x[0]), label(h, x[1])],
    yLabels: [label(v, y[0]), label(v, y[1])],
  };
}

/** Cells row by row from the top; the features that are not drawn stand at their mean, 0. */
function gridOf({ x, y, cells }: Plane, { features, axes }: DataSet): Float32Array {
  const grid = new Float32Array(cells * cells * features.length);
  for (let row = 0; row < cells; row++) {
    for (let column = 0; column < cells; column++) {
      const at = (row * cells + column) * features.length;
      grid[at + axes[0]] = x[0] + ((column + 0.5) / cells) * (x[1] - x[0]);
      grid[at + axes[1]] = y[1] - ((row + 0.5) / cells) * (y[1] - y[0]);
    }
  }
  return grid;
}
