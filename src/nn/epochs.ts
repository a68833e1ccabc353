import type { Batches } from "./batches";
import type { Evaluated } from "./forward";
import type { Arrays, State } from "./state";
import type { Factor, Training } from "./training";
import { type EarlyStopping, type EpochReport, endsFit, Patience, type ReduceOnPlateau, type Waited } from "./watch";

export type OnEpoch<Epoch = EpochReport> = (epoch: Epoch) => "stop" | void | Promise<"stop" | void>;

/** What is done after the epochs of a fit. */
export interface Watch {
  readonly onEpoch?: OnEpoch | undefined;
  readonly earlyStopping?: EarlyStopping | undefined;
  readonly reduceOnPlateau?: ReduceOnPlateau | undefined;
}

/** What a fit has seen of its epochs: all that early stopping, the learning rate and an epoch's loss go on from. */
export interface EpochStanding {
  /** The step after which an epoch's end was last seen to. */
  readonly seenTo: number;
  /** Of the epoch under way: losses times rows, and rows. */
  readonly lossSum: number;
  readonly rows: number;
  readonly stopping: Waited | null;
  readonly plateau: Waited | null;
  /** What rates are multiplied by, and from which step on. */
  readonly factors: readonly Factor[];
  /** Weights and layers' state after the best epoch. */
  readonly best: Arrays | null;
}

/** The epochs of one fit: their losses, and what is done at their ends. */
export class Epochs {
  private readonly stopping: Patience | null;
  private readonly plateau: Patience | null;
  private best: Arrays | null = null;
  private lossSum = 0;
  private rows = 0;
  private seenTo = 0;
  /** Whether onEpoch or early stopping has ended the fit. */
  stopped = false;
  private readonly told = new Set<(position: number) => void>();

  constructor(
    private readonly training: Training,
    private readonly batches: Batches,
    private readonly state: State,
    private readonly watch: Watch = {},
    from: EpochStanding | null = null,
  ) {
    const { earlyStopping: stopping, reduceOnPlateau: plateau } = watch;
    this.stopping = stopping ? new Patience(stopping.patience, stopping.minDelta) : null;
    this.plateau = plateau ? new Patience(plateau.patience) : null;
    if (from !== null) this.goTo(from);
  }

  /** Whether anything is to be done at their ends. */
  get watched(): boolean {
    return this.watch.onEpoch !== undefined || this.stopping !== null || this.plateau !== null;
  }

  standing(): EpochStanding {
    const { seenTo, lossSum, rows, best, training, stopping, plateau } = this;
    return {
      seenTo,
      lossSum,
      rows,
      best,
      factors: training.factors,
      stopping: stopping?.waited() ?? null,
      plateau: plateau?.waited() ?? null,
    };
  }

  goTo({ seenTo, lossSum, rows, stopping, plateau, factors, best }: EpochStanding): void {
    this.seenTo = seenTo;
    this.lossSum = lossSum;
    this.rows = rows;
    this.best = best;
    this.training.factors = factors;
    this.stopping?.goTo(stopping);
    this.plateau?.goTo(plateau);
  }

  /** Losses of steps that were just done, from step `from` of the fit. */
  losses(from: number, losses: Float32Array): void {
    losses.forEach((loss, i) => {
      if ((from + i) % this.batches.stepsPerEpoch === 0) [this.lossSum, this.rows] = [0, 0];
      const rows = this.batches.rowsOf(from + i);
      this.lossSum += loss * rows;
      this.rows += rows;
    });
    for (const tell of this.told) tell(from + losses.length);
  }

  /** Whether training stands at the end of an epoch that was not seen to yet; `last` is the last step of the fit. */
  isDue(last: number): boolean {
    const { position } = this.training;
    const ends = position % this.batches.stepsPerEpoch === 0 || position === last;
    return ends && this.rows > 0 && this.seenTo < position;
  }

  /** Sees to the end of an epoch; `keep` keeps what was counted before others are told. */
  async end(result: Evaluated | null, keep: () => void): Promise<void> {
    const { training, batches, state } = this;
    const { onEpoch, earlyStopping, reduceOnPlateau } = this.watch;
    const { position } = training;
    const report: EpochReport = {
      epoch: Math.floor((position - 1) / batches.stepsPerEpoch),
      step: position,
      loss: this.lossSum / this.rows,
      ...(result && { validationLoss: result.loss }),
      ...(result?.accuracy !== undefined && { validationAccuracy: result.accuracy }),
      learningRate: training.rate(position - 1),
    };
    const judged = report.validationLoss ?? report.loss;
    const keepsBest = this.stopping !== null && (earlyStopping?.restoreBest ?? true);
    // Read before anything is counted: should the device go away, the epoch is seen to once more.
    const weights = keepsBest ? (await state.weights()).weights : null;
    const found = this.stopping?.after(judged);
    if (found === "better") this.best = weights;
    if (this.plateau?.after(judged) === "over") training.slowDown(reduceOnPlateau?.factor ?? 1);
    this.seenTo = position;
    if (found === "over") this.stopped = true;
    keep();
    if (endsFit(await onEpoch?.(report))) this.stopped = true;
  }

  /** Takes the weights back to those of the best epoch, where that is wanted. */
  restore(): void {
    if (this.best !== null) this.state.write(this.best);
  }

  /**
   * How the epochs stand at a step that is asked for once it is known: now, or at the end of the run under way or of one that follows.
   * Null where the fit ended elsewhere.
   */
  watching(): { at(position: number): Promise<EpochStanding | null>; end(): void } {
    const known = new Map([[this.training.position, this.standing()]]);
    let ask: (position: number) => void = () => {};
    const tell = (position: number) => {
      known.set(position, this.standing());
      ask(position);
    };
    this.told.add(tell);
    return {
      at: (wanted) =>
        new Promise((resolve) => {
          ask = (position) => {
            const found = known.get(wanted);
            if (found !== undefined || position === Infinity) resolve(found ?? null);
          };
          ask(known.has(Infinity) ? Infinity : wanted);
        }),
      end: () => this.told.delete(tell),
    };
  }

  /** Tells who still waits for a step that none comes any more. */
  over(): void {
    for (const tell of this.told) tell(Infinity);
  }
}
