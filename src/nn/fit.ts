import type { Device } from "../device";
import type { Batches } from "./batches";
import type { Rows } from "./dataset";
import type { EpochStanding, Epochs } from "./epochs";
import type { Evaluated } from "./forward";
import { type History, type Mark, Recorder, type Recovered } from "./history";
import type { Rule } from "./optimizers";
import { type FitProgress, Reporter } from "./progress";
import { firstNonFinite, type State } from "./state";
import type { Snapshot, Training } from "./training";

export interface FitRun {
  readonly training: Training;
  readonly state: State;
  readonly batches: Batches;
  readonly epochs: Epochs;
  /** Steps of the whole fit. */
  readonly steps: number;
  /** A loss for each step that is a multiple of it. */
  readonly every: number;
  readonly rule: Rule;
  readonly validation: Rows | null;
  evaluate(rows: Rows): Promise<Evaluated>;
  readonly onProgress: ((progress: FitProgress) => void) | undefined;
  readonly signal: AbortSignal | undefined;
  /** What outlives the device; null where the fit ends with it. */
  readonly survival: Survival | null;
}

/** How a fit outlives its device. */
export interface Survival {
  /** The longest time between two snapshots. */
  readonly seconds: number;
  readonly device: Device;
  /** How often another device has taken over, and what became of the one before. */
  readonly moves: number;
  readonly reason: string;
  /** `moves` as it was when the fit began. */
  readonly from: number;
  unlessLost<T>(work: Promise<T>): Promise<T>;
  /** Where all goes on should the device be lost from here on. */
  kept(snapshot: Snapshot): void;
  /** Whether `error` came of the loss of `device`, and another has taken over. Throws DeviceError where there is none. */
  survives(error: unknown, device: Device): Promise<boolean>;
  /** Brings the training onto the device that took over, where the state is that of the last snapshot. */
  settle(): Promise<void>;
}

/** How often the weights are kept, to return to when something becomes non-finite, in seconds; and how long one run should take. */
const SNAPSHOT_SECONDS = 1;
/** Steps of the first run, when the pace is not known yet. */
const FIRST_STEPS = 256;
/** The fewest steps of a run, whatever was measured of one; fewer only for those who want snapshots more often. */
const LEAST_STEPS = 16;

/** Runs the steps of a fit to its end, watching that everything stays finite. What ends it before has `history`: what was recorded until then. */
export async function runFit(run: FitRun): Promise<History> {
  const course = new FitCourse(run);
  const start = performance.now();
  const end = () => course.history((performance.now() - start) / 1000);
  try {
    await course.run();
    return end();
  } catch (error) {
    course.cutShort();
    // Read while the device is there, for who goes on on another.
    if (run.survival !== null) await run.state.all().catch(() => {});
    if (typeof error === "object" && error !== null) Reflect.set(error, "history", end());
    throw error;
  } finally {
    run.epochs.over();
  }
}

/** A snapshot, and how all that is counted stood. */
interface Kept extends Snapshot {
  readonly standing: EpochStanding;
  readonly mark: Mark;
}

class FitCourse {
  private readonly recorder: Recorder;
  private readonly progress: Reporter;
  private readonly recovered: Recovered[] = [];
  private readonly first: number;
  private readonly seconds: number;
  private snapshot: Kept | null = null;
  private older: Kept | null = null;
  private keptAt = 0;
  /** Steps of a run, by how long those before took. */
  private pace: number;
  private moves: number;
  private lastLoss: number | null = null;

  constructor(private readonly fit: FitRun) {
    const { training, steps, every, survival } = fit;
    this.first = training.position;
    this.recorder = new Recorder(this.first, steps, every);
    this.progress = new Reporter(fit, this.first);
    this.seconds = Math.min(SNAPSHOT_SECONDS, survival?.seconds ?? Infinity);
    this.pace = this.firstPace;
    this.moves = survival?.from ?? 0;
  }

  private get firstPace(): number {
    return this.seconds < SNAPSHOT_SECONDS ? LEAST_STEPS : FIRST_STEPS;
  }

  history(seconds: number): History {
    const { validation, survival } = this.fit;
    return this.recorder.end(validation !== null, survival && this.recovered, seconds);
  }

  async run(): Promise<void> {
    const { survival } = this.fit;
    if (survival === null) return this.toTheEnd();
    for (;;) {
      const { device } = survival;
      try {
        if (this.moved) await this.resettle(survival);
        return await this.toTheEnd();
      } catch (error) {
        let survives = false;
        try {
          survives = !this.fit.signal?.aborted && (await survival.survives(error, device));
        } catch (none) {
          this.rewind();
          throw none;
        }
        if (!survives) throw error;
      }
    }
  }

  /** Whether another device has taken over, at somebody else's call: what was counted since the last snapshot is void. */
  private get moved(): boolean {
    return this.fit.survival !== null && this.fit.survival.moves !== this.moves;
  }

  /** Goes on where the last snapshot was taken, on the device that took over. */
  private async resettle(survival: Survival): Promise<void> {
    this.rewind();
    this.moves = survival.moves;
    const { backend, info } = survival.device;
    const { position } = this.fit.training;
    const epoch = Math.floor(position / this.fit.batches.stepsPerEpoch);
    this.recovered.push({ step: position, epoch, reason: survival.reason, device: { backend, info } });
    await survival.settle();
    this.pace = this.firstPace;
  }

  private rewind(): void {
    const { snapshot } = this;
    this.fit.training.takeCut();
    if (snapshot === null) return;
    this.fit.training.standAt(snapshot.position);
    this.fit.epochs.goTo(snapshot.standing);
    this.recorder.backTo(snapshot.mark);
    this.progress.validated(this.recorder.lastValidated);
    this.older = snapshot;
  }

  private async toTheEnd(): Promise<void> {
    const { training, state, epochs, steps, validation, signal, survival } = this.fit;
    if (this.snapshot === null) await this.keep();
    const watched = validation !== null || epochs.watched;
    while (!epochs.stopped) {
      signal?.throwIfAborted();
      if (watched && epochs.isDue(steps)) await this.endEpoch();
      else if (training.position < steps) await this.someSteps(watched);
      else break;
      // Someone else's call may have found the device gone first.
      if (survival !== null && this.moved) await this.resettle(survival);
    }
    epochs.restore();
    // Where weights of other steps were taken back, they are those to go on from.
    if (survival !== null) survival.kept({ position: training.position, values: await state.all() });
  }

  private async endEpoch(): Promise<void> {
    const { validation, epochs, training } = this.fit;
    const result = validation === null ? null : await this.guarded(this.fit.evaluate(validation));
    if (result !== null) {
      this.recorder.validated(result);
      this.progress.validated(result);
    }
    if (this.lastLoss !== null) this.progress.tell(training.position, this.lastLoss);
    await this.progress.settled();
    if (this.moved) return;
    await epochs.end(result, () => this.recount());
  }

  private async someSteps(watched: boolean): Promise<void> {
    const { training, state, batches, epochs, steps, signal, survival } = this.fit;
    const { position: from } = training;
    const inEpoch = watched ? batches.stepsPerEpoch - (from % batches.stepsPerEpoch) : Infinity;
    const count = training.reach(Math.min(steps - from, inEpoch, this.pace));
    const ends = watched && (count === inEpoch || from + count === steps);
    const broken = new AbortController();
    const began = performance.now();
    const expectedMs = (count / this.pace) * this.seconds * 1000;
    // Whoever wants the weights after this run has them read along with its losses: a wait of its own may take as long as the run.
    const keeps =
      from + count === steps || (ends && survival !== null) || began + expectedMs - this.keptAt > this.seconds * 1000;
    let losses: Float32Array;
    try {
      losses = await this.guarded(
        training.advance(count, {
          reads: keeps || ends,
          signal: signal ? AbortSignal.any([signal, broken.signal]) : broken.signal,
          onStep: (done, loss) => {
            if (Number.isFinite(loss)) this.progress.tell(done, loss);
            else broken.abort();
          },
        }),
      );
    } catch (error) {
      if (broken.signal.aborted && !signal?.aborted) await this.stop(training.takeCut());
      throw error;
    }
    if (this.moved) return;
    if (losses.some((loss) => !Number.isFinite(loss))) await this.stop({ from, losses });
    if (keeps && firstNonFinite(await this.guarded(state.all())) !== null) await this.stop({ from, losses });
    if (this.moved) return;
    const least = this.seconds < SNAPSHOT_SECONDS ? 1 : LEAST_STEPS;
    // A browser's clock may stand still for a short run.
    const tookMs = Math.max(performance.now() - began, 0.01);
    this.pace = Math.max(least, Math.ceil((count / tookMs) * 1000 * this.seconds));
    this.recorder.losses(from, losses);
    epochs.losses(from, losses);
    if (keeps) await this.keep();
    this.lastLoss = losses[count - 1] as number;
    if (watched && epochs.isDue(steps)) return;
    this.progress.tell(training.position, this.lastLoss);
    await this.progress.settled();
  }

  private async keep(): Promise<void> {
    const { training, state, epochs, survival } = this.fit;
    const values = await this.guarded(state.all());
    if (this.moved) return;
    const kept = { position: training.position, values, standing: epochs.standing(), mark: this.recorder.mark };
    this.older = this.snapshot ?? kept;
    this.snapshot = kept;
    this.keptAt = performance.now();
    survival?.kept(kept);
  }

  /** Counts what was seen of an epoch into the snapshot at its end, so that none is seen to twice. */
  private recount(): void {
    const { snapshot, recorder } = this;
    const { epochs, training } = this.fit;
    if (snapshot?.position === training.position)
      this.snapshot = { ...snapshot, standing: epochs.standing(), mark: recorder.mark };
  }

  /** Ends a fit in which something has become non-finite, in the run of these losses. */
  private async stop(run: { readonly from: number; readonly losses: Float32Array } | null): Promise<never> {
    const { training, state, rule } = this.fit;
    const { snapshot, older } = this;
    if (snapshot === null || older === null) throw new Error("internal: steps without a snapshot");
    // A chunk of its own: a page where all stays finite does not download it.
    const { breakdownError, returnToFinite } = await import("./finite");
    const breakdown = await this.guarded(returnToFinite(training, state, snapshot, older, training.position));
    if (run !== null)
      this.recorder.losses(run.from, run.losses.subarray(0, Math.max(0, breakdown.position - run.from)));
    const updated = breakdown.tensor === "loss" ? breakdown.step - 1 : breakdown.step;
    throw breakdownError(breakdown, updated < this.first ? null : training.rate(updated), rule);
  }

  /** Counts the steps of a run that was stopped. */
  cutShort(): void {
    const cut = this.fit.training.takeCut();
    if (cut === null) return;
    this.recorder.losses(cut.from, cut.losses);
    this.fit.epochs.losses(cut.from, cut.losses);
  }

  /** What a device is asked for, where the fit is to outlive it: an answer that never comes must not hold it up. */
  private guarded<T>(work: Promise<T>): Promise<T> {
    return this.fit.survival?.unlessLost(work) ?? work;
  }
}
