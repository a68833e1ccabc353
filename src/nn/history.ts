import type { Device } from "../device";
import type { Evaluated } from "./forward";

/** `loss[i]` is that of the batch of step `step[i]`, before the step's update. Steps are those of the fit, from 0. */
export interface History {
  step: Int32Array;
  loss: Float32Array;
  /** One value an epoch, after its last step; an epoch cut short at the end of the fit counts. */
  validationLoss?: Float32Array;
  /** For the two cross entropies. */
  validationAccuracy?: Float32Array;
  /** Where a fit with `recover` went on on another device; empty where its device stayed. */
  recovered?: Recovered[];
  seconds: number;
}

/** One change of the device. */
export interface Recovered {
  /** The step that training went on from, and its epoch: those of the last snapshot. */
  step: number;
  epoch: number;
  /** What became of the device before. */
  reason: string;
  /** The one that training went on on. */
  device: Pick<Device, "backend" | "info">;
}

/** How much of a history there was. */
export interface Mark {
  readonly count: number;
  readonly evaluated: number;
}

/** Writes down the history of a fit. */
export class Recorder {
  private readonly step: Int32Array;
  private readonly loss: Float32Array;
  private count = 0;
  private readonly evaluated: Evaluated[] = [];

  constructor(
    first: number,
    steps: number,
    private readonly every: number,
  ) {
    const length = Math.ceil(steps / every) - Math.ceil(first / every);
    this.step = new Int32Array(length);
    this.loss = new Float32Array(length);
  }

  losses(from: number, losses: Float32Array): void {
    for (let i = (this.every - (from % this.every)) % this.every; i < losses.length; i += this.every) {
      this.step[this.count] = from + i;
      this.loss[this.count++] = losses[i] as number;
    }
  }

  validated(result: Evaluated): void {
    this.evaluated.push(result);
  }

  get lastValidated(): Evaluated | null {
    return this.evaluated.at(-1) ?? null;
  }

  get mark(): Mark {
    return { count: this.count, evaluated: this.evaluated.length };
  }

  /** Forgets what came after. */
  backTo({ count, evaluated }: Mark): void {
    this.count = count;
    this.evaluated.length = evaluated;
  }

  end(validated: boolean, recovered: readonly Recovered[] | null, seconds: number): History {
    const { evaluated, count } = this;
    const whole = count === this.step.length;
    const step = whole ? this.step : this.step.slice(0, count);
    const loss = whole ? this.loss : this.loss.slice(0, count);
    const history: History = { step, loss, ...(recovered && { recovered: [...recovered] }), seconds };
    if (!validated) return history;
    history.validationLoss = Float32Array.from(evaluated, (each) => each.loss);
    if (evaluated.every(({ accuracy }) => accuracy !== undefined))
      history.validationAccuracy = Float32Array.from(evaluated, (each) => each.accuracy ?? Number.NaN);
    return history;
  }
}
