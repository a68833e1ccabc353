import { type RandomState, randomState } from "../data/random";
import { bytesOf } from "../graph/ops";
import type { Rows } from "./dataset";

/** The rows that a run of steps trains on, by their place in what the device holds: which steps, which rows. */
export interface BatchOptions {
  /** Rows a step; those of the data or more make every step take all rows, in their order. */
  readonly batchSize: number;
  readonly shuffle: boolean;
  readonly seed: number;
  /** Rows that the device may hold at once: all, or a multiple of batchSize. */
  readonly rowsHeld: number;
  /** Which permutation the first epoch takes; default 0. Not 0 where a fit before went through some. */
  readonly firstEpoch?: number;
}

/**
 * Which rows each step trains on. Epoch e takes the rows in the order of the e-th `permutation(rows)` (from `firstEpoch`) of one
 * `randomState(seed)`, or as they stand without shuffling; batches follow each other in it, the last of an
 * epoch being what is left.
 *
 * Data that fit go to the device whole, and batches are picked there. Larger ones go there in pieces: a piece is the
 * rows of some whole batches, gathered here in the epoch's order. Batches, and results, are the same either way.
 */
export class Batches {
  readonly stepsPerEpoch: number;
  /** Every step takes all rows, so that nothing is picked. */
  readonly full: boolean;
  /** Whether a batch may have fewer than batchSize rows. */
  readonly ragged: boolean;
  readonly batchSize: number;
  /** Rows of the data on the device. */
  readonly rowsHeld: number;
  private readonly stepsPerPiece: number;
  private generator: RandomState | undefined;
  /** Permutations drawn from the generator so far; the latest few are kept. */
  private drawn = 0;
  private readonly recent = new Map<number, Int32Array>();

  constructor(
    private readonly rows: Rows,
    private readonly options: BatchOptions,
  ) {
    this.batchSize = Math.min(options.batchSize, rows.count);
    this.full = this.batchSize === rows.count;
    this.ragged = rows.count % this.batchSize !== 0;
    this.stepsPerEpoch = Math.ceil(rows.count / this.batchSize);
    this.rowsHeld = Math.min(options.rowsHeld, rows.count);
    this.stepsPerPiece = this.rowsHeld === rows.count ? Infinity : this.rowsHeld / this.batchSize;
  }

  /** The same batches of other rows, as many, of which the device may hold `rowsHeld` at once. */
  of(rows: Rows, rowsHeld: number): Batches {
    return new Batches(rows, { ...this.options, rowsHeld });
  }

  /** Rows of the batch of `step`. */
  rowsOf(step: number): number {
    return Math.min(this.batchSize, this.rows.count - (step % this.stepsPerEpoch) * this.batchSize);
  }

  /** Rows of the smallest batch. */
  get leastRows(): number {
    return this.ragged ? this.rows.count % this.batchSize : this.batchSize;
  }

  /** The piece that `step` needs on the device; with data that fit there is one, 0. */
  pieceOf(step: number): number {
    if (this.stepsPerPiece === Infinity) return 0;
    const epoch = Math.floor(step / this.stepsPerEpoch);
    const perEpoch = Math.ceil(this.stepsPerEpoch / this.stepsPerPiece);
    return epoch * perEpoch + Math.floor((step % this.stepsPerEpoch) / this.stepsPerPiece);
  }

  /** How many steps from `step` on the same piece serves. */
  stepsInPiece(step: number): number {
    if (this.stepsPerPiece === Infinity) return Infinity;
    const inEpoch = step % this.stepsPerEpoch;
    return Math.min(this.stepsPerPiece - (inEpoch % this.stepsPerPiece), this.stepsPerEpoch - inEpoch);
  }

  /** The data that the device must hold for `step`, by their names there: x [rowsHeld, inputs], y, and the rows' weights where they have any. */
  data(step: number): Record<string, Float32Array> {
    const { x, y, weights, count } = this.rows;
    const whole = { "data.x": x, "data.y": y, ...(weights && { "data.weights": weights }) };
    if (this.stepsPerPiece === Infinity) return whole;
    const order = this.permutation(Math.floor(step / this.stepsPerEpoch));
    const inEpoch = step % this.stepsPerEpoch;
    const first = (inEpoch - (inEpoch % this.stepsPerPiece)) * this.batchSize;
    const gathered = order.subarray(first, Math.min(first + this.rowsHeld, count));
    return Object.fromEntries(
      Object.entries(whole).map(([name, values]) => [
        name,
        gather(values, values.length / count, gathered, this.rowsHeld),
      ]),
    );
  }

  /** Rows of steps `from` … `from + steps - 1` into `out` [·, batchSize], as places in what is held; -1 for none. */
  fill(out: Int32Array, from: number, steps: number): void {
    for (let i = 0; i < steps; i++) {
      const inEpoch = (from + i) % this.stepsPerEpoch;
      const first = inEpoch * this.batchSize;
      const size = this.rowsOf(from + i);
      const batch = out.subarray(i * this.batchSize, (i + 1) * this.batchSize).fill(-1, size);
      if (this.stepsPerPiece === Infinity) {
        batch.set(this.permutation(Math.floor((from + i) / this.stepsPerEpoch)).subarray(first, first + size));
      } else {
        const held = (inEpoch % this.stepsPerPiece) * this.batchSize;
        for (let row = 0; row < size; row++) batch[row] = held + row;
      }
    }
  }

  private permutation(epoch: number): Int32Array {
    const { shuffle, seed, firstEpoch = 0 } = this.options;
    const key = shuffle ? firstEpoch + epoch : 0;
    const known = this.recent.get(key);
    if (known) return known;
    if (!shuffle) {
      const order = Int32Array.from({ length: this.rows.count }, (_, i) => i);
      this.recent.set(0, order);
      return order;
    }
    if (this.generator === undefined || key < this.drawn) {
      this.generator = randomState(seed);
      this.drawn = 0;
    }
    let order: Int32Array = new Int32Array(0);
    for (; this.drawn <= key; this.drawn++) order = this.generator.permutation(this.rows.count);
    for (const old of this.recent.keys()) if (this.recent.size >= 3) this.recent.delete(old);
    this.recent.set(key, order);
    return order;
  }
}

/** Of a network and its limits, what says how many rows a buffer holds. */
interface Held {
  readonly model: { readonly inputs: number; readonly outputs: number; readonly positions: number };
  readonly batchSize: number | undefined;
  /** Bytes that a tensor of data may have on the device. */
  readonly pieceBytes: number;
}

/** How many rows the device holds at once: all, or as many whole batches as a buffer has room for. Throws RangeError where that is not one. */
export function rowsHeld({ count, kind }: Rows, { model, batchSize, pieceBytes }: Held): number {
  const rowBytes = bytesOf("float32") * Math.max(model.inputs, kind === "classes" ? model.positions : model.outputs);
  const most = Math.floor(pieceBytes / rowBytes);
  if (count <= most) return count;
  const batch = batchSize ?? count;
  if (batch > most) {
    throw new RangeError(
      `fit: a batch of ${Math.min(batch, count)} rows is ${Math.min(batch, count) * rowBytes} bytes, and a buffer has room for ${pieceBytes}; give the trainer a batchSize of at most ${most}.`,
    );
  }
  return most - (most % batch);
}

/** Throws RangeError for batches that the loss or a layer can make nothing of. */
export function checkBatches(
  call: string,
  batches: Batches,
  { count }: Rows,
  { leastRows }: { readonly leastRows: number },
  loss: { readonly name: string; readonly whole: boolean },
): void {
  if (loss.whole && batches.ragged) {
    throw new RangeError(
      `${call}: ${loss.name} is one number for a batch, and ${count} rows in batches of ${batches.batchSize} leave a smaller one; give the trainer a batchSize that divides them.`,
    );
  }
  if (batches.leastRows < leastRows) {
    throw new RangeError(
      `${call}: ${count} rows in batches of ${batches.batchSize} make one of ${batches.leastRows}; batchNorm needs ${leastRows} to have a variance. Give the trainer another batchSize, or leave a row out.`,
    );
  }
}

/** Rows of `width` numbers by index, then zeros up to `held` rows. */
function gather(values: Float32Array, width: number, rows: Int32Array, held: number): Float32Array {
  const out = new Float32Array(held * width);
  rows.forEach((row, i) => {
    out.set(values.subarray(row * width, (row + 1) * width), i * width);
  });
  return out;
}
