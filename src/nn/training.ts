import type { Values } from "../graph/program";
import type { RunOptions, Session } from "../session";
import type { Batches } from "./batches";
import type { Rule } from "./optimizers";
import type { Arrays, State } from "./state";

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
  /** Steps of the fit. */
  readonly steps: number;
  /** The learning rate of a step. */
  rate(step: number): number;
}

export interface AdvanceOptions {
  readonly signal?: AbortSignal;
  /** Whether all that is trained is read along at the end, for who asks the state next. */
  readonly reads?: boolean;
  onStep?(done: number, loss: number): void;
}

/** Runs the steps of one fit on its session. Steps are those of the fit, from 0. */
export class Training {
  /** Steps done, as of the last call that ended. */
  position: number;
  /** The step at which the run that was queued last begins. */
  private base: number;
  private piece = -1;
  /** What rates are multiplied by from a step on, latest last. */
  private readonly factors: { readonly from: number; readonly factor: number }[] = [];
  /** Inputs made while a run was under way, for one that begins where it ends. */
  private ready: Tables | null = null;

  constructor(private readonly options: TrainingOptions) {
    this.position = options.first;
    this.base = options.first;
    options.session.write({ step: [0] });
  }

  /** The learning rate of a step of this fit. */
  rate(step: number): number {
    const factor = this.factors.findLast(({ from }) => from <= step)?.factor ?? 1;
    return this.options.rate(step) * factor;
  }

  /** Multiplies the rate by `factor` from here on. */
  slowDown(factor: number): void {
    const last = this.factors.at(-1)?.factor ?? 1;
    this.factors.push({ from: this.position, factor: last * factor });
    this.ready = null;
  }

  /** How many steps one run can take from here. */
  reach(most: number): number {
    return Math.min(most, this.options.tableSteps, this.options.batches.stepsInPiece(this.position));
  }

  /** One run of `steps` steps, at most `reach`; their losses. While it runs, what the next needs is made ready. */
  async advance(steps: number, { signal, reads = false, onStep }: AdvanceOptions = {}): Promise<Float32Array> {
    const { session, state } = this.options;
    const from = this.position;
    this.upload(from);
    const { inputs } = this.ready?.from === from && this.ready.steps >= steps ? this.ready : this.tables(from, steps);
    session.write({ step: [0] });
    this.base = from;
    state.changed();
    const options: RunOptions = {
      steps,
      ...(signal && { signal }),
      ...(onStep && { onProgress: ({ step, outputs }) => onStep(from + step, outputs.loss as number) }),
    };
    const running = session.runAndRead(inputs, options, reads ? state.names : []);
    let values: Arrays | null = null;
    try {
      const next = from + steps;
      if (next < this.options.steps) {
        this.upload(next);
        this.ready = this.tables(next, Math.min(steps, this.options.steps - next));
      }
      const { loss, ...read } = await running;
      this.position = from + steps;
      if (reads) values = read;
      return loss as Float32Array;
    } catch (error) {
      await running.catch(() => {});
      // Where the device is gone nothing can be read, and the first error says so.
      this.position = await this.reached().catch(() => from);
      throw error;
    } finally {
      state.changed();
      if (values !== null) state.took(values);
    }
  }

  /** Takes the weights and the optimizer's state back to those of `snapshot`. */
  goBack(snapshot: Snapshot): void {
    this.options.state.write(snapshot.values);
    this.options.session.write({ step: [0] });
    this.position = snapshot.position;
    this.base = snapshot.position;
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
    session.write(batches.data(step));
    this.piece = piece;
  }

  private tables(from: number, steps: number): Tables {
    const { batches, rule, before, tableSteps, counts } = this.options;
    const scalars = rule.tables.map(() => new Float64Array(tableSteps));
    for (let i = 0; i < steps; i++) {
      const values = rule.scalars(before + from + i, this.rate(from + i));
      scalars.forEach((table, t) => {
        table[i] = values[t] as number;
      });
    }
    const inputs: Record<string, Values> = Object.fromEntries(
      rule.tables.map((name, t) => [name, scalars[t] as Float64Array]),
    );
    if (counts) inputs.base = Int32Array.of(before + from);
    if (!batches.full) {
      const order = new Int32Array(tableSteps * batches.batchSize);
      batches.fill(order, from, steps);
      inputs.order = order;
    }
    return { from, steps, inputs };
  }
}

/** A run's inputs, for `steps` steps or fewer. */
interface Tables {
  readonly from: number;
  readonly steps: number;
  readonly inputs: Record<string, Values>;
}

/** Weights and optimizer's state before step `position` of a fit. */
export interface Snapshot {
  readonly position: number;
  readonly values: Record<string, Float32Array>;
}
