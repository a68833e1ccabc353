import type { Values } from "../graph/program";
import type { RunAndRead, Session } from "../session";
import type { Batches } from "./batches";
import type { Rule } from "./optimizers";
import type { Arrays, State } from "./state";

/** The compiled step of a fit. */
export interface Stage {
  readonly session: Session;
  /** Steps that the program's tables cover. */
  readonly tableSteps: number;
  /** Whether the program takes "base". */
  readonly counts: boolean;
}

/** What rates are multiplied by from a step on. */
export interface Factor {
  readonly from: number;
  readonly factor: number;
}

export interface TrainingOptions {
  readonly state: State;
  readonly rule: Rule;
  readonly batches: Batches;
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
  /** Latest last. */
  private slowed: readonly Factor[] = [];
  /** Inputs made while a run was under way, for one that begins where it ends. */
  private ready: Tables | null = null;
  /** Losses of the steps that the last run did before it was cut short. */
  private cut: { readonly from: number; readonly losses: Float32Array } | null = null;

  constructor(
    private stage: Stage,
    private readonly options: TrainingOptions,
  ) {
    this.position = options.first;
    this.base = options.first;
    stage.session.write({ step: [0] });
  }

  /** Goes on in another session, which has the state by now. */
  moveTo(stage: Stage): void {
    if (stage.session === this.stage.session) return;
    this.stage = stage;
    this.piece = -1;
    this.ready = null;
    stage.session.write({ step: [0] });
  }

  /** What rates are multiplied by. */
  get factors(): readonly Factor[] {
    return this.slowed;
  }

  set factors(factors: readonly Factor[]) {
    this.slowed = factors;
    this.ready = null;
  }

  /** From which step on, and what the losses were, where the last run was cut short; told once. */
  takeCut(): { readonly from: number; readonly losses: Float32Array } | null {
    const { cut } = this;
    this.cut = null;
    return cut;
  }

  /** The learning rate of a step of this fit. */
  rate(step: number): number {
    const factor = this.slowed.findLast(({ from }) => from <= step)?.factor ?? 1;
    return this.options.rate(step) * factor;
  }

  /** Multiplies the rate by `factor` from here on. */
  slowDown(factor: number): void {
    const last = this.slowed.at(-1)?.factor ?? 1;
    this.factors = [...this.slowed, { from: this.position, factor: last * factor }];
  }

  /** How many steps one run can take from here. */
  reach(most: number): number {
    return Math.min(most, this.stage.tableSteps, this.options.batches.stepsInPiece(this.position));
  }

  /** One run of `steps` steps, at most `reach`; their losses. While it runs, what the next needs is made ready. */
  async advance(steps: number, { signal, reads = false, onStep }: AdvanceOptions = {}): Promise<Float32Array> {
    const { state } = this.options;
    const { session } = this.stage;
    const from = this.position;
    this.cut = null;
    this.upload(from);
    const { inputs } = this.ready?.from === from && this.ready.steps >= steps ? this.ready : this.tables(from, steps);
    session.write({ step: [0] });
    this.base = from;
    state.changed();
    let done: Float32Array = new Float32Array(0);
    const options: RunAndRead = {
      steps,
      read: reads ? state.inSession : [],
      recording: ({ loss }) => {
        done = loss as Float32Array;
      },
      ...(signal && { signal }),
      ...(onStep && { onProgress: ({ step, outputs }) => onStep(from + step, outputs.loss as number) }),
    };
    const running = session.runAndRead(inputs, options);
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
      const position = await this.reached().catch(() => from);
      if (session === this.stage.session) {
        this.position = position;
        this.cut = { from, losses: done.slice(0, position - from) };
      }
      throw error;
    } finally {
      state.changed();
      if (values !== null) state.took(session, values);
    }
  }

  /** Takes the weights and the optimizer's state back to those of `snapshot`. */
  goBack(snapshot: Snapshot): void {
    this.options.state.write(snapshot.values);
    this.stage.session.write({ step: [0] });
    this.standAt(snapshot.position);
  }

  /** Where the state is that of another step. */
  standAt(position: number): void {
    this.position = position;
    this.base = position;
  }

  /** Steps of this fit that are done once all that is queued has run. */
  async reached(): Promise<number> {
    const { base } = this;
    const [done] = await this.stage.session.read("step");
    return base + (done as number);
  }

  /** Queues the upload of the data that `step` needs, behind the run that may be under way. */
  private upload(step: number): void {
    const { batches } = this.options;
    const { session } = this.stage;
    const piece = batches.pieceOf(step);
    if (piece === this.piece) return;
    session.write(batches.data(step));
    this.piece = piece;
  }

  private tables(from: number, steps: number): Tables {
    const { batches, rule, before } = this.options;
    const { tableSteps, counts } = this.stage;
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
