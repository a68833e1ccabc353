import { input } from "../graph/tensor";
import type { Session } from "../session";
import type { Rows } from "./dataset";
import { type Evaluated, evaluated, evaluatedRows, padded, pieceOf, predictedRows, sum } from "./forward";
import type { Criterion } from "./losses";
import type { Sequential } from "./model";
import { evaluationProgram, predictionProgram } from "./programs";
import { type Network, ofCopy, sideBySide, type Together } from "./together";

/** Bytes that a tensor of data may have on the device: what every WebGPU device can bind. */
export const DATA_BYTES = 2 ** 27;

/** Predictions and evaluations of networks side by side, cut up as the trainer cuts up those of one: with its bits. */
export class EnsembleForward {
  /** The data that a session holds. */
  private readonly held = new WeakMap<Session, { rows: Rows; from: number }>();

  constructor(
    private readonly model: Sequential,
    private readonly loss: Criterion,
    private readonly together: Together,
    /** l2/2 of each network, where they have their own. */
    private readonly halfL2: readonly number[] | null,
  ) {}

  /** x [count, inputs] -> [count, outputs] for each network. */
  async predict(networks: readonly Network[], x: Float32Array, count: number): Promise<Float32Array[]> {
    const { model, loss, together } = this;
    const results = networks.map(() => new Float32Array(count * model.outputs));
    for (let from = 0; from < count; ) {
      const size = predictedRows(model, count - from);
      const taken = Math.min(size, count - from);
      const { session } = await together.compiled(`predict ${size}`, () => ({
        program: predictionProgram(model, loss, size),
        own: [],
      }));
      const part = padded(x.subarray(from * model.inputs, (from + taken) * model.inputs), size * model.inputs);
      let at = 0;
      for (const { networks: round, copies } of together.rounds(networks)) {
        session.write(sideBySide(copies, Object.keys(model.held)));
        const { prediction } = await session.run({ x: part });
        round.forEach((_, copy) => {
          const values = ofCopy(prediction as Float32Array, copy, copies.length);
          results[at++]?.set(values.subarray(0, taken * model.outputs), from * model.outputs);
        });
      }
      from += taken;
    }
    return results;
  }

  /** What evaluates such data. */
  async evaluation(rows: Rows): Promise<{ session: Session; capacity: number; chunk: number }> {
    const { model, loss } = this;
    const { capacity, chunk } = evaluatedRows(model, loss, rows, DATA_BYTES);
    const { session } = await this.together.compiled(`evaluate ${capacity} ${rows.kind}`, () => {
      const half = this.halfL2 && input([]);
      const program = evaluationProgram(model, loss, capacity, chunk, rows.kind, half ?? undefined);
      if (half) program.inputs.l2 = half;
      return { program, own: half ? ["l2"] : [] };
    });
    return { session, capacity, chunk };
  }

  async evaluate(networks: readonly Network[], rows: Rows): Promise<Evaluated[]> {
    const { model, loss, together } = this;
    const { session, capacity, chunk } = await this.evaluation(rows);
    const results: Evaluated[] = [];
    for (const { networks: round, copies } of together.rounds(networks)) {
      const sums = round.map(() => ({ terms: 0, hits: 0, shares: 0, penalty: 0 }));
      session.write(sideBySide(copies, Object.keys(model.held)));
      for (let from = 0; from < rows.count; from += capacity) {
        const count = Math.min(capacity, rows.count - from);
        const held = this.held.get(session);
        if (held?.rows !== rows || held.from !== from) session.write(pieceOf(rows, from, count, capacity));
        this.held.set(session, { rows, from });
        session.write({ step: new Float32Array(copies.length) });
        const l2 = this.halfL2 && copies.map(({ index }) => this.halfL2?.[index] ?? 0);
        const found = await session.run({ count: [count], ...(l2 && { l2 }) }, { steps: Math.ceil(count / chunk) });
        sums.forEach((all, copy) => {
          const each = (name: string) => found[name] && ofCopy(found[name], copy, copies.length);
          all.terms += sum(each("terms"));
          all.hits += sum(each("hits"));
          all.shares += sum(each("shares"));
          all.penalty = each("penalty")?.[0] ?? 0;
        });
      }
      results.push(...sums.map((all) => evaluated(model, loss, rows, all)));
    }
    return results;
  }
}
