import { input, type Tensor } from "../graph/tensor";
import type { Session } from "../session";
import { Batches } from "./batches";
import type { Rows } from "./dataset";
import { type Evaluated, powerOfTwo } from "./forward";
import { type History, Recorder } from "./history";
import type { Criterion } from "./losses";
import type { Sequential } from "./model";
import type { UpdateRule } from "./optimizer-step";
import type { Rule } from "./optimizers";
import { trainingProgram } from "./programs";
import { ratesOf } from "./schedules";
import { epochsOf } from "./standing";
import { type Arrays, firstNonFinite } from "./state";
import { type Network, ofCopy, type Shared, sideBySide } from "./together";
import { type EarlyStopping, type EpochReport, Patience, type ReduceOnPlateau } from "./watch";

/** What is each network's own, by its index. */
export interface Each {
  readonly lr?: readonly number[];
  readonly weightDecay?: readonly number[];
  readonly l2?: readonly number[];
}

/** How networks are trained. */
export interface EnsembleParts {
  readonly model: Sequential;
  readonly loss: Criterion;
  readonly rule: Rule;
  readonly each: Each;
  /** Names of weights, layers' state and optimizer's state. */
  readonly stateNames: readonly string[];
}

/** Numbers in the tables of one run, over all networks; and steps. */
const TABLE_ELEMENTS = 2 ** 20;
const MOST_STEPS = 2 ** 12;
/** Steps that a table has room for at least, where it is small: short fits of different lengths share a program. */
const SHORT_STEPS = 2 ** 8;
/** A run should be over after so long: others then learn how far it is. */
const RUN_MS = 250;
const FIRST_STEPS = 16;

/** A training step of copies, and what its seeds are made of. */
export interface TrainingStep extends Shared {
  readonly tableSteps: number;
  /** Of each draw of random numbers, what its seed is but for the network's own. */
  readonly draws: readonly number[];
  readonly rule: UpdateRule;
  readonly counts: boolean;
  readonly hasOrder: boolean;
  readonly hasL2: boolean;
}

/** The step of `atOnce` networks on data of so many rows. */
export function trainingStep(
  { model, loss, rule, each }: EnsembleParts,
  rows: Rows,
  { batchSize, full, ragged }: Pick<Batches, "batchSize" | "full" | "ragged">,
  steps: number,
  atOnce: number,
): TrainingStep {
  const draws: number[] = [];
  const seeds: Record<string, Tensor> = {};
  const seed = (given: number) => {
    const made = input([], "int32");
    seeds[`draw.${draws.push(given) - 1}`] = made;
    return made;
  };
  const halfL2 = each.l2 && input([]);
  const most = Math.min(MOST_STEPS, Math.floor(TABLE_ELEMENTS / (atOnce * (full ? 1 : batchSize))));
  const tableSteps = Math.max(1, Math.min(powerOfTwo(Math.max(steps, SHORT_STEPS)), most));
  const varied = each.weightDecay ? decaying(rule) : rule;
  const weighted = rows.weights !== undefined;
  const batch = full ? null : batchSize;
  const shape = { rows: rows.count, batch, ragged, kind: rows.kind, weighted, steps: tableSteps };
  const trained = { frozen: () => false, each: { halfL2, seed } };
  // With seed 0 a draw's is what its place in the network makes of it; that of each network comes to it.
  const program = trainingProgram(model.seeded(0), loss, varied, shape, trained);
  Object.assign(program.inputs, seeds, halfL2 && { l2: halfL2 });
  return {
    program,
    own: Object.keys(program.inputs),
    tableSteps,
    draws,
    rule: varied,
    counts: Object.hasOwn(program.inputs, "base"),
    hasOrder: !full,
    hasL2: halfL2 !== undefined,
  };
}

/** The rule with a decay of its own in the last table, where `sgd` and `adam` have theirs. */
function decaying(rule: Rule): UpdateRule {
  const { name, lr, slots, tables, scalars, decay } = rule;
  return {
    ...{ name, lr, slots, scalars },
    tables: [...tables, "weightDecay"],
    each: (p, gradient, own, all) => {
      const [given, by] = [all.slice(0, tables.length), all[tables.length] as Tensor];
      return decay?.joins === "gradient"
        ? rule.each(p, gradient.add(p.mul(by)), own, given)
        : rule.each(p.sub(p.mul(by)), gradient, own, given);
    },
  };
}

/** What an epoch came to for one network. */
export interface NetworkReport extends Omit<EpochReport, "epoch" | "step"> {
  network: number;
}

export interface RoundOptions {
  readonly rows: Rows;
  readonly steps: number;
  readonly every: number;
  readonly batchSize: number;
  readonly shuffle: boolean;
  readonly earlyStopping: EarlyStopping | undefined;
  readonly reduceOnPlateau: ReduceOnPlateau | undefined;
  readonly signal: AbortSignal | undefined;
  /** Told of every epoch of the networks that trained through it; whether the fit ends there. Null where nobody is. */
  readonly onEpoch: ((epoch: number, step: number, networks: readonly NetworkReport[]) => Promise<boolean>) | null;
  /** Null without validation. */
  readonly evaluate: ((networks: readonly Network[]) => Promise<Evaluated[]>) | null;
  /** Told after each run: steps that are done, and the losses of those that still train. */
  told(position: number, losses: readonly number[]): Promise<void>;
}

/** One network's way through a fit. */
class Course {
  readonly batches: Batches;
  readonly recorder: Recorder;
  private readonly rate: (step: number) => number;
  private readonly stopping: Patience | null;
  private readonly plateau: Patience | null;
  private readonly epoch: number;
  private readonly before: number;
  private best: Arrays | null = null;
  private lossSum = 0;
  private rowsSeen = 0;
  private factor = 1;
  /** Whether it still trains. */
  active = true;
  done = 0;
  lastLoss = Number.NaN;

  constructor(
    readonly network: Network,
    private readonly parts: EnsembleParts,
    private readonly options: RoundOptions,
  ) {
    const { rows, steps, every, batchSize, shuffle, earlyStopping: stopping, reduceOnPlateau: plateau } = options;
    const order = { rows: rows.count, batchSize: Math.min(batchSize, rows.count), shuffle, seed: network.seed };
    this.epoch = epochsOf(network.order, order);
    this.before = network.steps;
    this.batches = new Batches(rows, { ...order, rowsHeld: rows.count, firstEpoch: this.epoch });
    this.recorder = new Recorder(0, steps, every);
    const { name, tables, scalars } = parts.rule;
    const lr = parts.each.lr?.[network.index] ?? parts.rule.lr;
    this.rate = ratesOf({ name, lr, tables, scalars }, this.before, 0, steps);
    this.stopping = stopping ? new Patience(stopping.patience, stopping.minDelta) : null;
    this.plateau = plateau ? new Patience(plateau.patience) : null;
  }

  /** The step's numbers, those of a weight decay of its own last. */
  scalars(step: number): readonly number[] {
    const { rule, each } = this.parts;
    const rate = this.rate(step) * this.factor;
    const own = each.weightDecay?.[this.network.index];
    const given = rule.scalars(this.before + step, rate);
    return own === undefined ? given : [...given, rule.decay?.joins === "gradient" ? own : rate * own];
  }

  base(position: number): number {
    return this.before + position;
  }

  /** Takes in what a run from step `from` on came to. */
  ran(from: number, losses: Float32Array, values: Arrays): void {
    const { network } = this;
    const bad = losses.findIndex((loss) => !Number.isFinite(loss));
    const tensor = bad >= 0 ? "loss" : firstNonFinite(values);
    const finite = bad >= 0 ? losses.subarray(0, bad) : losses;
    this.recorder.losses(from, finite);
    if (tensor !== null) {
      network.dropped = { network: network.index, seed: network.seed, step: from + finite.length, tensor };
      this.active = false;
      return;
    }
    network.values = values;
    this.done = from + losses.length;
    this.lastLoss = losses[losses.length - 1] as number;
    losses.forEach((loss, i) => {
      if ((from + i) % this.batches.stepsPerEpoch === 0) [this.lossSum, this.rowsSeen] = [0, 0];
      const rows = this.batches.rowsOf(from + i);
      this.lossSum += loss * rows;
      this.rowsSeen += rows;
    });
  }

  /** Sees to the end of an epoch. */
  endEpoch(result: Evaluated | null): NetworkReport {
    const { earlyStopping, reduceOnPlateau } = this.options;
    if (result !== null) this.recorder.validated(result);
    const loss = this.lossSum / this.rowsSeen;
    const judged = result?.loss ?? loss;
    const report = {
      network: this.network.index,
      loss,
      ...(result && { validationLoss: result.loss }),
      ...(result?.accuracy !== undefined && { validationAccuracy: result.accuracy }),
      learningRate: this.rate(this.done - 1) * this.factor,
    };
    const found = this.stopping?.after(judged);
    if (found === "better" && (earlyStopping?.restoreBest ?? true)) this.best = this.network.values;
    if (this.plateau?.after(judged) === "over") this.factor *= reduceOnPlateau?.factor ?? 1;
    if (found === "over") this.active = false;
    return report;
  }

  end(): void {
    const { network, epoch, done } = this;
    const { rows, shuffle } = this.options;
    const { batchSize, stepsPerEpoch } = this.batches;
    // What was best has been finite; the optimizer's state stays as it is, as the trainer's does.
    if (this.best !== null) {
      const held = Object.keys(this.parts.model.held).map((name) => [name, this.best?.[name] as Float32Array]);
      network.values = { ...network.values, ...Object.fromEntries(held) };
    }
    network.steps = this.before + done;
    network.order = {
      ...{ rows: rows.count, batchSize, shuffle, seed: network.seed },
      epoch: epoch + Math.ceil(done / stepsPerEpoch),
    };
  }
}

/** Trains the networks of a round side by side; their histories, as far as they came, and whether onEpoch ended the fit. */
export async function fitRound(
  session: Session,
  step: TrainingStep,
  parts: EnsembleParts,
  { networks, copies }: { networks: readonly Network[]; copies: readonly Network[] },
  options: RoundOptions,
): Promise<{ histories: History[]; stopped: boolean }> {
  const { steps, rows, evaluate, onEpoch, signal } = options;
  const began = performance.now();
  const courses = networks.map((network) => new Course(network, parts, options));
  const ofNetwork = (copy: number) => (courses[copy] ?? courses[courses.length - 1]) as Course;
  const perEpoch = ofNetwork(0).batches.stepsPerEpoch;
  const { earlyStopping, reduceOnPlateau } = options;
  const watched = evaluate !== null || onEpoch !== null || earlyStopping !== undefined || reduceOnPlateau !== undefined;
  const data = { "data.x": rows.x, "data.y": rows.y, ...(rows.weights && { "data.weights": rows.weights }) };
  session.write({ ...sideBySide(copies, parts.stateNames), ...data });
  let stopped = false;
  let pace = FIRST_STEPS;
  try {
    for (let position = 0; position < steps && !stopped && courses.some(({ active }) => active); ) {
      signal?.throwIfAborted();
      const inEpoch = watched ? perEpoch - (position % perEpoch) : Number.POSITIVE_INFINITY;
      const count = Math.min(steps - position, inEpoch, step.tableSteps, pace);
      const start = performance.now();
      session.write({ step: new Float32Array(copies.length) });
      const inputs = tables(
        step,
        copies.map((_, copy) => ofNetwork(copy)),
        parts,
        position,
        count,
      );
      const { loss, ...values } = await session.runAndRead(inputs, {
        steps: count,
        read: parts.stateNames,
        ...(signal && { signal }),
      });
      courses.forEach((course, copy) => {
        if (!course.active) return;
        const own = Object.fromEntries(
          parts.stateNames.map((name) => [name, ofCopy(values[name] as Float32Array, copy, copies.length)]),
        );
        course.ran(position, ofCopy(loss as Float32Array, copy, copies.length), own);
      });
      position += count;
      pace = Math.max(1, Math.ceil((count / Math.max(performance.now() - start, 0.01)) * RUN_MS));
      if (watched && (position % perEpoch === 0 || position === steps)) {
        const training = courses.filter(({ active }) => active);
        const results = evaluate && training.length > 0 ? await evaluate(training.map(({ network }) => network)) : null;
        const reports = training.map((course, i) => course.endEpoch(results?.[i] ?? null));
        const epoch = Math.floor((position - 1) / perEpoch);
        stopped = reports.length > 0 && ((await onEpoch?.(epoch, position, reports)) ?? false);
      }
      await options.told(
        position,
        courses.filter(({ active }) => active).map(({ lastLoss }) => lastLoss),
      );
    }
  } finally {
    for (const course of courses) course.end();
  }
  const seconds = (performance.now() - began) / 1000;
  return { histories: courses.map(({ recorder }) => recorder.end(evaluate !== null, null, seconds)), stopped };
}

/** The inputs of a run of `count` steps, one network's after another's. */
function tables(
  { tableSteps, draws, rule, counts, hasOrder, hasL2 }: TrainingStep,
  courses: readonly Course[],
  { each }: EnsembleParts,
  position: number,
  count: number,
) {
  const scalars = rule.tables.map(() => new Float64Array(courses.length * tableSteps));
  courses.forEach((course, copy) => {
    for (let i = 0; i < count; i++) {
      course.scalars(position + i).forEach((value, t) => {
        (scalars[t] as Float64Array)[copy * tableSteps + i] = value;
      });
    }
  });
  const inputs: Record<string, Float64Array | Int32Array> = {};
  rule.tables.forEach((name, t) => {
    inputs[name] = scalars[t] as Float64Array;
  });
  draws.forEach((given, k) => {
    inputs[`draw.${k}`] = Int32Array.from(courses, ({ network }) => (given ^ network.seed) >>> 1);
  });
  if (counts) inputs.base = Int32Array.from(courses, (course) => course.base(position));
  if (hasL2) inputs.l2 = Float64Array.from(courses, ({ network }) => (each.l2?.[network.index] ?? 0) / 2);
  if (hasOrder) {
    const size = tableSteps * (courses[0]?.batches.batchSize ?? 0);
    const order = new Int32Array(courses.length * size);
    courses.forEach(({ batches }, copy) => {
      batches.fill(order.subarray(copy * size, (copy + 1) * size), position, count);
    });
    inputs.order = order;
  }
  return inputs;
}
