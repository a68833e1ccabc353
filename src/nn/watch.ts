import { checkAmount, checkCount, checkFlag, checkFraction, checkOptions, shown } from "../util/checks";

/** When a fit that gets no better ends. */
export interface EarlyStopping {
  /** Epochs without a better loss after which the fit ends. */
  patience: number;
  /** By how much a loss must be lower than the best one to be better; default 0. */
  minDelta?: number;
  /** Whether weights and layers' state end as they were after the best epoch; default true. */
  restoreBest?: boolean;
}

/** When the learning rate of a fit that gets no better is lowered. */
export interface ReduceOnPlateau {
  /** What the rate is multiplied by: at least 0 and less than 1. */
  factor: number;
  /** Epochs without a better loss after which it is, and after each of which again so many. */
  patience: number;
}

/** What `onEpoch` is told after an epoch. */
export interface EpochReport {
  /** From 0, in this fit. */
  epoch: number;
  /** Steps of this fit that are done. */
  step: number;
  /** The mean over the rows of this epoch, each as its batch's loss was before the update. */
  loss: number;
  validationLoss?: number;
  validationAccuracy?: number;
  /** Of the epoch's last step. */
  learningRate: number;
}

/** Whether what onEpoch gave ends the fit. Throws TypeError for what means nothing. */
export function endsFit(answer: unknown): boolean {
  if (answer !== undefined && answer !== "stop")
    throw new TypeError(`fit: onEpoch gave ${shown(answer)}; it must give "stop" or nothing.`);
  return answer === "stop";
}

export function checkEarlyStopping(options: EarlyStopping | undefined): void {
  if (options === undefined) return;
  checkOptions("fit: earlyStopping", options, ["patience", "minDelta", "restoreBest"]);
  const { patience, minDelta = 0, restoreBest = true } = options;
  checkCount("fit: earlyStopping", "patience", patience);
  checkAmount("fit: earlyStopping", "minDelta", minDelta);
  checkFlag("fit: earlyStopping", "restoreBest", restoreBest);
}

export function checkPlateau(options: ReduceOnPlateau | undefined): void {
  if (options === undefined) return;
  checkOptions("fit: reduceOnPlateau", options, ["factor", "patience"]);
  checkFraction("fit: reduceOnPlateau", "factor", options.factor);
  checkCount("fit: reduceOnPlateau", "patience", options.patience);
}

/** The best loss so far, Infinity before the first, and how many epochs have passed without a better one. */
export interface Waited {
  readonly best: number;
  readonly epochs: number;
}

/** How long no loss was better than the best. */
export class Patience {
  private best = Infinity;
  private epochs = 0;

  constructor(
    private readonly patience: number,
    private readonly minDelta = 0,
  ) {}

  waited(): Waited {
    return { best: this.best, epochs: this.epochs };
  }

  /** From the beginning where there is nothing to go on from. */
  goTo(waited: Waited | null): void {
    this.best = waited?.best ?? Infinity;
    this.epochs = waited?.epochs ?? 0;
  }

  /** What the loss of another epoch says: it is the best, or patience is at an end, which then begins anew. */
  after(loss: number): "better" | "waiting" | "over" {
    if (loss < this.best - this.minDelta) {
      this.best = loss;
      this.epochs = 0;
      return "better";
    }
    if (++this.epochs < this.patience) return "waiting";
    this.epochs = 0;
    return "over";
  }
}
