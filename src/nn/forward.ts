import type { Device } from "../device";
import { bytesOf } from "../graph/ops";
import type { Values } from "../graph/program";
import type { Session } from "../session";
import { DeviceError } from "../util/errors";
import type { Rows, TargetKind } from "./dataset";
import type { Criterion } from "./losses";
import type { Sequential } from "./model";
import { evaluationProgram, predictionProgram } from "./programs";
import type { State } from "./state";

/** Rows a prediction is compiled for; what is left over takes the smallest that holds it, filled up with zeros. */
const PREDICTED = [1, 16, 256, 4096] as const;
/** The most rows of one step of an evaluation. */
const CHUNK = 4096;
/** Numbers that a layer may have in a step of prediction or evaluation. */
export const LAYER_ELEMENTS = 2 ** 22;

export interface Evaluated {
  loss: number;
  accuracy?: number;
}

/** An evaluation's session, and what it holds. */
interface Evaluating {
  readonly session: Session;
  readonly capacity: number;
  readonly chunk: number;
  /** The data on the device, from which row on. */
  held: { rows: Rows; from: number } | null;
}

/**
 * The network without its training: predictions and evaluations, compiled when first asked for and kept. Their sessions
 * have weights of their own, written again when the state has newer ones.
 */
export class Forward {
  private readonly predicting = new Map<number, Promise<Session>>();
  private readonly evaluating = new Map<string, Promise<Evaluating>>();
  /** Which weights a session has. */
  private readonly versions = new WeakMap<Session, number>();
  private readonly sessions = new Set<Session>();
  private disposed = false;

  constructor(
    private device: Device,
    private readonly model: Sequential,
    private readonly loss: Criterion,
    private readonly state: State,
    /** Bytes that a tensor of data may have on the device. */
    private readonly pieceBytes: number,
  ) {}

  /** x [count, inputs] -> predictions [count, outputs]. */
  async predict(x: Float32Array, count: number): Promise<Float32Array> {
    const { inputs, outputs } = this.model;
    const result = new Float32Array(count * outputs);
    // Taken once, so that all rows are predicted by the same weights, also while a fit runs.
    const { version, weights } = await this.state.weights();
    const ahead = new Ahead();
    for (let from = 0; from < count; ) {
      const size = this.predictedRows(count - from);
      const session = await this.predictionOf(size);
      const taken = Math.min(size, count - from);
      const part = padded(x.subarray(from * inputs, (from + taken) * inputs), size * inputs);
      const at = from * outputs;
      this.renew(session, version, weights);
      await ahead.add(
        session.run({ x: part }).then(({ prediction }) => {
          result.set((prediction as Float32Array).subarray(0, taken * outputs), at);
        }),
      );
      from += taken;
    }
    await ahead.all();
    return result;
  }

  /** The session that predicts `rows` rows at a time. */
  async predictionOf(rows: number): Promise<Session> {
    return once(this.predicting, rows, () => this.compile(predictionProgram(this.model, this.loss, rows)));
  }

  /** The rows of the smallest prediction that `count` rows need, or of the largest there is. */
  predictedRows(count: number): number {
    return predictedRows(this.model, count);
  }

  /** Data that were evaluated last by the same session are still on the device, and go there no second time. */
  async evaluate(rows: Rows): Promise<Evaluated> {
    const evaluating = await this.evaluationOf(rows);
    const { session, capacity, chunk } = evaluating;
    let terms = 0;
    let hits = 0;
    let shares = 0;
    let penalty = 0;
    const { version, weights } = await this.state.weights();
    const ahead = new Ahead();
    for (let from = 0; from < rows.count; from += capacity) {
      const count = Math.min(capacity, rows.count - from);
      // From here to run() nothing waits, so that another evaluation cannot come between.
      this.renew(session, version, weights);
      if (evaluating.held?.rows !== rows || evaluating.held.from !== from)
        session.write(pieceOf(rows, from, count, capacity));
      evaluating.held = { rows, from };
      session.write({ step: [0] });
      await ahead.add(
        session.run({ count: [count] }, { steps: Math.ceil(count / chunk) }).then((results) => {
          terms += sum(results.terms);
          hits += sum(results.hits);
          shares += sum(results.shares);
          penalty = results.penalty?.[0] ?? 0;
        }),
      );
    }
    await ahead.all();
    return evaluated(this.model, this.loss, rows, { terms, hits, shares, penalty });
  }

  private async evaluationOf({ count, kind }: Rows): Promise<Evaluating> {
    const { model, loss } = this;
    const { capacity, chunk } = evaluatedRows(model, loss, { count, kind }, this.pieceBytes);
    return once(this.evaluating, key(capacity, kind), async () => {
      const session = await this.compile(evaluationProgram(model, loss, capacity, chunk, kind));
      return { session, capacity, chunk, held: null };
    });
  }

  private async compile(program: Parameters<Device["compile"]>[0]): Promise<Session> {
    const session = await this.device.compile(program);
    this.sessions.add(session);
    if (!this.disposed) return session;
    session.dispose();
    throw new DeviceError("the trainer was disposed during the call; make another with trainer().");
  }

  private renew(session: Session, version: number, weights: Record<string, Float32Array>): void {
    if (this.versions.get(session) === version) return;
    session.write(
      Object.fromEntries(Object.keys(this.model.held).map((name) => [name, weights[name] as Float32Array])),
    );
    this.versions.set(session, version);
  }

  /** What was compiled is gone with its device. */
  moveTo(device: Device): void {
    for (const session of this.sessions) session.dispose();
    this.sessions.clear();
    this.predicting.clear();
    this.evaluating.clear();
    this.device = device;
  }

  dispose(): void {
    this.disposed = true;
    for (const session of this.sessions) session.dispose();
  }
}

/** The rows of the smallest prediction that `count` rows need, or of the largest there is. */
export function predictedRows({ widest }: Sequential, count: number): number {
  const most = LAYER_ELEMENTS / widest;
  const sizes = PREDICTED.filter((size) => size === 1 || size <= most);
  return sizes.find((size) => size >= count) ?? (sizes[sizes.length - 1] as number);
}

/** How many rows an evaluation of `count` rows holds at once, and takes a step. Throws RangeError. */
export function evaluatedRows(
  model: Sequential,
  loss: Criterion,
  { count, kind }: Pick<Rows, "count" | "kind">,
  pieceBytes: number,
): { capacity: number; chunk: number } {
  const width = Math.max(model.inputs, kind === "classes" ? model.positions : model.outputs);
  const most = powerBelow(pieceBytes / (bytesOf("float32") * width));
  // A loss of the whole batch is of just these rows, all at once.
  const capacity = loss.whole ? count : Math.min(powerOfTwo(count), most);
  const chunk = loss.whole ? count : Math.min(capacity, CHUNK, powerBelow(LAYER_ELEMENTS / model.widest));
  if (capacity > most)
    throw new RangeError(`evaluate: ${loss.name} is one number for all ${count} rows; at most ${most} go at once.`);
  return { capacity, chunk };
}

/** What sums over all rows come to. */
export function evaluated(
  { positions, units }: Sequential,
  loss: Criterion,
  rows: Rows,
  { terms, hits, shares, penalty }: Record<"terms" | "hits" | "shares" | "penalty", number>,
): Evaluated {
  const divisor = loss.divides(rows.kind) ? shares : loss.divisor(rows.count * positions, units);
  const mean = terms / divisor + penalty;
  if (!loss.counts) return { loss: mean };
  // What is NaN has no largest output: that it might be counted right says nothing.
  const counted = rows.count * positions * loss.elements(units);
  return { loss: mean, accuracy: Number.isNaN(mean) ? Number.NaN : hits / counted };
}

/** Runs that go ahead while earlier ones are not answered yet: so many at most, since each has its inputs on the way. */
class Ahead {
  private static readonly MOST = 8;
  private runs: Promise<void>[] = [];

  async add(run: Promise<void>): Promise<void> {
    run.catch(() => {}); // told where it is waited for
    this.runs.push(run);
    if (this.runs.length >= Ahead.MOST) await this.runs.shift();
  }

  async all(): Promise<void> {
    await Promise.all(this.runs);
  }
}

/** Makes what is not there yet; what could not be made is tried again the next time. */
function once<K, V>(made: Map<K, Promise<V>>, key: K, make: () => Promise<V>): Promise<V> {
  const known = made.get(key);
  if (known) return known;
  const value = make();
  made.set(key, value);
  value.catch(() => {
    if (made.get(key) === value) made.delete(key);
  });
  return value;
}

function key(capacity: number, kind: TargetKind): string {
  return `${capacity} ${kind}`;
}

export function pieceOf(
  { x, y, count: all }: Rows,
  from: number,
  count: number,
  capacity: number,
): Record<string, Values> {
  const part = (values: Float32Array) => {
    const width = values.length / all;
    return padded(values.subarray(from * width, (from + count) * width), capacity * width);
  };
  return { "data.x": part(x), "data.y": part(y) };
}

export function padded(values: Float32Array, length: number): Float32Array {
  if (values.length === length) return values;
  const out = new Float32Array(length);
  out.set(values);
  return out;
}

export function sum(values: Float32Array | undefined): number {
  return values?.reduce((total, value) => total + value, 0) ?? 0;
}

/** The smallest power of two that is at least `value`. */
export function powerOfTwo(value: number): number {
  return 2 ** Math.ceil(Math.log2(value));
}

/** The largest power of two that is at most `value`, and at least 1. */
function powerBelow(value: number): number {
  return 2 ** Math.max(0, Math.floor(Math.log2(value)));
}
