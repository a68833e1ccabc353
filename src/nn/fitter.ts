import type { Device } from "../device";
import type { Values } from "../graph/program";
import type { Session } from "../session";
import { checkCallback, checkCount, checkOptions, checkSignal } from "../util/checks";
import { DeviceError, isClosedError } from "../util/errors";
import { Batches, checkBatches, rowsHeld } from "./batches";
import type { BehindFrozen, Led } from "./behind-frozen";
import { checkData, checkDataset, checkWeights, type Dataset, type DataValues, type Rows } from "./dataset";
import { type EpochStanding, Epochs, type Watch } from "./epochs";
import { type FitRun, runFit, type Survival } from "./fit";
import {
  type BeginOptions,
  checkBeginOptions,
  checkFitOptions,
  checkOrder,
  checkTotal,
  type FitOptions,
  type OpenFit,
  recoverySeconds,
  stepsOf,
} from "./fit-options";
import type { Forward } from "./forward";
import type { History } from "./history";
import type { Sequential } from "./model";
import { trainedNames } from "./programs";
import { ratesOf } from "./schedules";
import { type StageParts, Stages } from "./stages";
import { type Course, epochsOf, type Place, placeIn, type Standing, standingAt } from "./standing";
import { type Snapshot, Training } from "./training";

/** What a fit works with. */
export interface FitterParts extends StageParts {
  readonly model: Sequential;
  readonly batchSize: number | undefined;
  readonly forward: Forward;
  /** Bytes that a tensor of data may have on the device. */
  readonly pieceBytes: number;
}

/** What a fit begins with, checked: nothing has changed yet. */
export interface Start extends Course {
  /** What is trained: the network, or what is left of it behind a part that stays as it is. */
  readonly model: Sequential;
  readonly rows: Rows;
  rate(step: number): number;
  /** Not 0 where a fit is taken up again; then with what was seen of its epochs. */
  readonly first: number;
  readonly seen: EpochStanding | null;
}

interface Running extends Start {
  readonly training: Training;
  /** What was seen of its epochs by the calls that ended. */
  seen: EpochStanding | null;
  /** Where all goes on should the device be lost; kept only by fits that outlive it. */
  snapshot: Snapshot | null;
}

/** Fits, one after another: compiles their training steps and knows where they stand. */
export class Fitter {
  /** As of the last fit. */
  private standing: Standing = { steps: 0, place: null, order: null };
  /** Whether the next fit is the rest of the one in `standing`. */
  private takesUp = false;
  private readonly stages: Stages;
  private running: Running | null = null;
  /** Those of the fit that runs. */
  private epochs: Epochs | null = null;
  /** The open fit that may go on. */
  private open: Running | null = null;
  busy = false;
  private disposed = false;
  /** Seconds between snapshots where the last fit outlives its device. */
  private recovery: number | null = null;
  private moving: Promise<void> | null = null;
  /** Made where something is frozen. */
  private behind: BehindFrozen | null = null;

  constructor(private readonly parts: FitterParts) {
    this.stages = new Stages(parts);
  }

  get session(): Session | null {
    return this.stages.session;
  }

  get steps(): number {
    return this.running ? this.running.before + this.running.training.position : this.standing.steps;
  }

  async fit(data: Dataset<DataValues>, options: FitOptions): Promise<History> {
    const { model, loss } = this.parts;
    checkData("fit", data);
    checkFitOptions(options);
    const { every = 1, validation, sampleWeights, onProgress, signal } = options;
    const recovery = recoverySeconds("fit", options.recover);
    const rows = this.rowsOf("fit", data, sampleWeights);
    const validated = validation ? checkDataset("fit: validation", validation, model, loss) : null;
    const place = this.takesUp ? this.standing.place : null;
    const start = this.startOf("fit", rows, options, place, (perEpoch) => stepsOf(options, perEpoch));
    signal?.throwIfAborted();
    return this.alone(async () => {
      this.open = null;
      this.recovery = recovery;
      const { moves } = this.parts.home;
      const led = await this.outliving(async () => {
        const { start: from, ...rest } = await this.led(start, validated);
        return { ...rest, running: await this.begun(from) };
      });
      const evaluate = (held: Rows) => led.forward.evaluate(held);
      const run = { steps: start.steps, every, onProgress, signal, validation: led.validation, evaluate };
      return this.take(led.running, run, moves, options);
    });
  }

  /** How a fit of these data and options would go on elsewhere, from a checkpoint of now. Changes nothing; throws as `fit` does. */
  planned(call: string, data: Dataset<DataValues>, options: FitOptions): Start {
    checkData(call, data);
    checkOrder(call, options);
    const rows = this.rowsOf(call, data, options.sampleWeights);
    return this.startOf(call, rows, options, this.standing.place, (perEpoch) => stepsOf(options, perEpoch, call));
  }

  private rowsOf(call: string, data: Dataset<DataValues>, sampleWeights: DataValues | undefined): Rows {
    const { model, loss } = this.parts;
    const rows = checkDataset(call, data, model, loss);
    return sampleWeights === undefined
      ? rows
      : { ...rows, weights: checkWeights(call, sampleWeights, rows.count, loss) };
  }

  private async led(start: Start, validation: Rows | null): Promise<Led<Start>> {
    const { model, trained, forward } = this.parts;
    if (trainedNames(model, trained).length === Object.keys(model.parameters).length)
      return { start, validation, forward };
    // A chunk of its own: a page that freezes nothing does not download it.
    const { BehindFrozen } = await import("./behind-frozen");
    this.behind ??= new BehindFrozen(this.parts);
    return this.behind.led(start, validation);
  }

  /** `advancing` is given what makes each advance, and throws where there can be none. */
  async begin(
    data: Dataset<DataValues>,
    options: BeginOptions,
    advancing: <T>(make: () => Promise<T>) => Promise<T>,
  ): Promise<OpenFit> {
    const { model, loss, forward, home } = this.parts;
    checkData("begin", data);
    checkBeginOptions(options);
    const recovery = recoverySeconds("begin", options.recover);
    const rows = checkDataset("begin", data, model, loss);
    const { takeUp = true } = options;
    const place = takeUp && this.takesUp ? this.standing.place : null;
    const start = this.startOf("begin", rows, options, place, () => Infinity);
    let { moves } = home;
    const running = await this.alone(async () => {
      this.recovery = recovery;
      this.open = await this.outliving(() => this.begun(start));
      this.standing = standingAt(start.first, start, start.seen);
      return this.open;
    });
    const { training, batches } = running;
    const evaluate = (held: Rows) => forward.evaluate(held);
    return {
      stepsPerEpoch: batches.stepsPerEpoch,
      get step() {
        return training.position;
      },
      advance: (count, given = {}) =>
        advancing(async () => {
          if (this.open !== running) {
            throw new Error("advance: another fit has begun since, or a checkpoint was resumed; begin() again.");
          }
          checkOptions("advance", given, ["onProgress", "signal"]);
          checkCount("advance", "steps", count);
          const { onProgress, signal } = given;
          checkCallback("advance", "onProgress", onProgress);
          checkSignal("advance", signal);
          signal?.throwIfAborted();
          const steps = training.position + count;
          checkTotal("advance", steps);
          return this.alone(async () => {
            const from = moves;
            moves = home.moves;
            try {
              return await this.take(
                running,
                { steps, every: 1, onProgress, signal, validation: null, evaluate },
                from,
              );
            } finally {
              moves = home.moves;
            }
          });
        }),
    };
  }

  private async alone<T>(work: () => Promise<T>): Promise<T> {
    this.busy = true;
    try {
      return await work();
    } finally {
      this.busy = false;
    }
  }

  private startOf(
    call: string,
    rows: Rows,
    { shuffle = true, seed = 0, takeUp = true }: BeginOptions,
    place: Place | null,
    stepsFor: (stepsPerEpoch: number) => number,
  ): Start {
    const batchSize = this.parts.batchSize ?? rows.count;
    const order = { rows: rows.count, batchSize: Math.min(batchSize, rows.count), shuffle, seed };
    const epoch = place?.epoch ?? (takeUp ? epochsOf(this.standing.order, order) : 0);
    const batches = new Batches(rows, {
      batchSize,
      shuffle,
      seed,
      rowsHeld: rowsHeld(rows, this.parts),
      firstEpoch: epoch,
    });
    const { loss, model } = this.parts;
    checkBatches(call, batches, rows, model, loss);
    const steps = stepsFor(batches.stepsPerEpoch);
    const fit = { ...order, epoch };
    const first = place ? placeIn(call, place, fit, steps) : 0;
    const before = this.standing.steps - first;
    const rate = ratesOf(this.parts.rule, before, first, steps);
    return { model, rows, batches, fit, first, before, steps, rate, seen: place?.epochs ?? null };
  }

  private async begun(start: Start): Promise<Running> {
    const { rule, state } = this.parts;
    const { model, rows, batches, first, before, steps, rate } = start;
    const open = steps === Infinity;
    const stage = await this.stages.compile(model, rows, batches, steps - first);
    this.takesUp = false;
    const training = new Training(stage, {
      state,
      rule,
      batches,
      before,
      first,
      rate,
      steps: open ? first : steps, // of an open fit nothing is made ready ahead: its rates may change until they are needed
    });
    return { ...start, training, snapshot: null };
  }

  private async take(
    running: Running,
    options: Omit<FitRun, "training" | "state" | "batches" | "rule" | "epochs" | "survival">,
    moves: number,
    watch: Watch = {},
  ): Promise<History> {
    const { training, batches } = running;
    const { state, rule } = this.parts;
    const epochs = new Epochs(training, batches, state, watch, running.seen);
    this.running = running;
    this.epochs = epochs;
    const survival = this.recovery === null ? null : this.survivalOf(running, this.recovery, moves);
    try {
      return await runFit({ training, state, batches, rule, epochs, survival, ...options });
    } finally {
      running.seen = epochs.standing();
      this.standing = standingAt(training.position, running, running.seen);
      this.running = null;
    }
  }

  private survivalOf(running: Running, seconds: number, from: number): Survival {
    const { home } = this.parts;
    return {
      seconds,
      from,
      get device() {
        return home.device;
      },
      get moves() {
        return home.moves;
      },
      get reason() {
        return home.reason;
      },
      unlessLost: (work) => home.unlessLost(work),
      kept(snapshot) {
        running.snapshot = snapshot;
      },
      survives: (error, device) => this.survives(error, device),
      settle: async () => {
        const { model, rows, batches, steps, training } = running;
        training.moveTo(await this.stages.compile(model, rows, batches, steps - training.position));
      },
    };
  }

  /** Does `work` again on another device where its own is lost, if the last fit was to outlive that. */
  async outliving<T>(work: () => Promise<T>): Promise<T> {
    const { home } = this.parts;
    for (;;) {
      const { device } = home;
      try {
        return await (this.recovery === null ? work() : home.unlessLost(work()));
      } catch (error) {
        if (!(await this.survives(error, device))) throw error;
      }
    }
  }

  private async survives(error: unknown, device: Device): Promise<boolean> {
    const { home } = this.parts;
    if (this.recovery === null || this.disposed || !(await home.isLoss(error, device))) return false;
    if (home.device === device) {
      this.moving ??= this.move().finally(() => {
        this.moving = null;
      });
    }
    await this.moving;
    return true;
  }

  /** To another device, with all as it was at the last snapshot. */
  private async move(): Promise<void> {
    const { home, state, forward } = this.parts;
    const running = this.running ?? this.open;
    // Between two calls what is known may be newer than the snapshot: weights may have been replaced.
    const known = this.running === null ? state.whole : null;
    const values = known ?? running?.snapshot?.values;
    if (values === undefined) {
      throw new DeviceError(
        "the device was lost before the weights of the last fit were read, and they with it; load() or resume() what was saved last in another trainer()",
      );
    }
    state.restore(values);
    this.stages.leave();
    if (running?.snapshot && known === null) running.training.standAt(running.snapshot.position);
    await home.move(running ? running.before + running.training.position : this.steps);
    forward.moveTo(home.device);
    this.behind?.moveTo(home.device);
  }

  /** Replaces weights or state, also where their device is gone and another is to take over. */
  write(values: Record<string, Values>): void {
    const { state } = this.parts;
    try {
      state.write(values);
    } catch (error) {
      const { whole } = state;
      if (this.recovery === null || whole === null || !(error instanceof DeviceError) || isClosedError(error))
        throw error;
      state.restore(whole);
      state.write(values);
    }
  }

  /** Where training stands once all that is queued has run. */
  async reached(): Promise<Standing> {
    const { running, epochs, standing } = this;
    if (running === null || epochs === null) return standing;
    const watching = epochs.watching();
    try {
      const position = await running.training.reached();
      return standingAt(position, running, await watching.at(position));
    } finally {
      watching.end();
    }
  }

  /** The next fit goes on from here. */
  goTo(standing: Standing): void {
    this.standing = standing;
    this.open = null;
    this.takesUp = standing.place !== null;
  }

  dispose(): void {
    this.disposed = true;
    this.stages.dispose();
    this.behind?.dispose();
  }
}
