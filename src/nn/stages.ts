import type { Session } from "../session";
import { DeviceError } from "../util/errors";
import type { Batches } from "./batches";
import type { Rows } from "./dataset";
import { powerOfTwo } from "./forward";
import type { Home } from "./home";
import type { Criterion } from "./losses";
import type { Sequential } from "./model";
import type { Rule } from "./optimizers";
import { type Trained, type TrainingShape, trainingProgram } from "./programs";
import type { State } from "./state";
import type { Stage } from "./training";

/** Numbers in a table of one run: a run should last, and its tables should go there quickly. */
const TABLE_ELEMENTS = 2 ** 18;
const TABLE_STEPS = { least: 16, most: 2 ** 14 } as const;
/** Steps that a table has room for at least, where it is small: short fits of different lengths share a program. */
const SHORT_STEPS = 2 ** 8;
const LARGEST_TABLE = 2 ** 24;
/** Steps that the tables of an open fit have room for: more are several runs. */
const OPEN_STEPS = 2 ** 12;

/** What training steps are compiled of. */
export interface StageParts {
  readonly home: Home;
  readonly loss: Criterion;
  readonly rule: Rule;
  readonly trained: Trained;
  readonly state: State;
}

/** The compiled training step of the last fit, which fits of the same shape go on with. */
export class Stages {
  private compiled: (Stage & { readonly model: Sequential; readonly shape: TrainingShape }) | null = null;
  private disposed = false;

  constructor(private readonly parts: StageParts) {}

  get session(): Session | null {
    return this.compiled?.session ?? null;
  }

  /** That of the last fit where it fits this one too, else a new one. `steps` are those to come, Infinity where that is not known. */
  async compile(model: Sequential, rows: Rows, batches: Batches, steps: number): Promise<Stage> {
    const { home, loss, rule, trained, state } = this.parts;
    const batch = batches.full ? null : batches.batchSize;
    // One run should last, and its tables should be small; whatever the batch, a table fits a buffer.
    const most = Math.min(TABLE_ELEMENTS / (batch ?? 1), TABLE_STEPS.most);
    const least = Math.min(LARGEST_TABLE / (batch ?? 1), TABLE_STEPS.least);
    const wanted = powerOfTwo(Math.max(steps === Infinity ? OPEN_STEPS : steps, SHORT_STEPS));
    const tableSteps = Math.min(wanted, Math.max(1, Math.floor(Math.max(least, most))));
    const shape = {
      rows: batches.rowsHeld,
      batch,
      ragged: batches.ragged,
      kind: rows.kind,
      weighted: rows.weights !== undefined,
      steps: tableSteps,
    };
    const last = this.compiled;
    if (last && last.model === model && sameTraining(last.shape, shape) && last.tableSteps >= tableSteps) {
      await state.moveTo(last.session);
      return last;
    }
    const program = trainingProgram(model, loss, rule, shape, trained);
    const session = await home.device.compile(program);
    try {
      const names = Object.keys(program.parameters).filter((name) => Object.hasOwn(state.shapes, name));
      await state.moveTo(session, names);
      if (this.disposed) throw new DeviceError("fit: the trainer was disposed during the call; make another.");
    } catch (error) {
      session.dispose();
      throw error;
    }
    last?.session.dispose();
    this.compiled = { session, model, shape, tableSteps, counts: "base" in program.inputs };
    return this.compiled;
  }

  /** Forgets what was compiled: its device is gone. */
  leave(): void {
    this.compiled?.session.dispose();
    this.compiled = null;
  }

  dispose(): void {
    this.disposed = true;
    this.compiled?.session.dispose();
  }
}

function sameTraining(a: TrainingShape, b: TrainingShape): boolean {
  return (
    a.rows === b.rows && a.batch === b.batch && a.ragged === b.ragged && a.kind === b.kind && a.weighted === b.weighted
  );
}
