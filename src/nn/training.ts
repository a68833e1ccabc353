import type { Session } from "../device";
import type { Values } from "../graph/program";
import type { Batches } from "./batches";
import type { Rule } from "./optimizers";
import type { State } from "./state";

export interface TrainingOptions {
  readonly session: Session;
  readonly state: State;
  readonly rule: Rule;
  readonly batches: Batches;
  /** Steps that the program's tables cover. */
  readonly tableSteps: number;
  /** Whether the program takes "base". */
  readonly counts: boolean;
  /** Steps of the trainer before step 0 of this fit. */
  readonly before: number;
  /** First step of this fit that is trained here: not 0 where a fit is taken up again. */
  readonly first: number;
  /** Learning rates of steps `first`, `first + 1`, …. */
  readonly rates: Float64Array;
}

export interface AdvanceOptions {
  readonly signal?: AbortSignal;
  onStep?(done: number, loss: number): void;
}

/** Runs the steps of one fit on its session. Steps are those of the fit, from 0. */
export class Training {
  /** Steps done, as of the last call that ended. */
  position: number;
  /** The step at which the run that was queued last begins. */
  private base: number;
  private piece = -1;

  constructor(private readonly options: TrainingOptions) {
    this.position = options.first;
    this.base = options.first;
  }

  /** How many steps one run can take from here. */
  reach(most: number): number {
    return Math.min(most, this.options.tableSteps, this.options.batches.stepsInPiece(this.position));
  }

  /** One run of `steps` steps, at most `reach`; their losses. While it runs, the next piece of the data is made ready. */
  async advance(steps: number, { signal, onStep }: AdvanceOptions = {}): Promise<Float32Array> {
    const { session, state } = this.options;
    const from = this.position;
    this.upload(from);
    const inputs = this.inputs(from, steps);
    session.write({ step: [0] });
    this.base = from;
    state.changed();
    const running = session.run(inputs, {
      steps,
      ...(signal && { signal }),
      ...(onStep && { onProgress: ({ step, outputs }) => onStep(from + step, outputs.loss as number) }),
    });
    try {
      if (from + steps < this.options.first + this.options.rates.length) this.upload(from + steps);
      const { loss } = await running;
      this.position = from + steps;
      return loss as Float32Array;
    } catch (error) {
      await running.catch(() => {});
      // Where the device is gone nothing can be read, and the first error says so.
      this.position = await this.reached().catch(() => from);
      throw error;
    } finally {
      state.changed();
    }
  }

  /** Takes the weights and the optimizer's state back to those of `snapshot`. */
  goBack(snapshot: Snapshot): void {
    this.options.state.write(snapshot.values);
    this.position = snapshot.position;
  }

  /** Steps of this fit that are done once all that is queued has run. */
  async reached(): Promise<number> {
    const { base } = this;
    const [done] = await this.options.session.read("step");
    return base + (done as number);
  }

  /** Queues the upload of the data that `step` needs, behind the run that may be under way. */
  private upload(step: number): void {
    const { batches, session } = this.options;
    const piece = batches.pieceOf(step);
    if (piece === this.piece) return;
    const { x, y } = batches.data(step);
    session.write({ "data.x": x, "data.y": y });
    this.piece = piece;
  }

  private inputs(from: number, steps: number): Record<string, Values> {
    const { batches, rule, rates, before, first, tableSteps, counts } = this.options;
    const tables = rule.tables.map(() => new Float64Array(tableSteps));
    for (let i = 0; i < steps; i++) {
      const scalars = rule.scalars(before + from + i, rates[from + i - first] as number);
      tables.forEach((table, t) => {
        table[i] = scalars[t] as number;
      });
    }
    const inputs: Record<string, Values> = Object.fromEntries(
      rule.tables.map((name, t) => [name, tables[t] as Float64Array]),
    );
    if (counts) inputs.base = Int32Array.of(before + from);
    if (!batches.full) {
      const order = new Int32Array(tableSteps * batches.batchSize);
      batches.fill(order, from, steps);
      inputs.order = order;
    }
    return inputs;
  }
}

/** Weights and optimizer's state before step `position` of a fit. */
export interface Snapshot {
  readonly position: number;
  readonly values: Record<string, Float32Array>;
}
