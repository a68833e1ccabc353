import type { Device } from "../device";
import { type Batches, rowsHeld } from "./batches";
import type { Rows } from "./dataset";
import { featuresOf, frozenPart, isSmall, type Parted } from "./features";
import { Forward } from "./forward";
import type { Sequential } from "./model";
import type { StageParts } from "./stages";

interface Parts extends StageParts {
  readonly model: Sequential;
  readonly forward: Forward;
  readonly batchSize: number | undefined;
  readonly pieceBytes: number;
}

/** A fit, as far as it says what is trained, and on what. */
interface Fitted {
  readonly model: Sequential;
  readonly rows: Rows;
  readonly batches: Batches;
  /** The first step, and all steps. */
  readonly first: number;
  readonly steps: number;
}

/** What a fit trains and evaluates by. */
export interface Led<F> {
  readonly start: F;
  readonly validation: Rows | null;
  readonly forward: Forward;
}

/**
 * Fits that see their rows more than once, of a network that begins with a part that stays as it is: what that makes of the rows is computed
 * once, and the rest trains on it.
 */
export class BehindFrozen {
  /** Null where nothing can be parted, undefined where nobody has looked. */
  private parted: (Parted & { readonly forward: Forward }) | null | undefined;

  constructor(private readonly parts: Parts) {}

  async led<F extends Fitted>(start: F, validation: Rows | null): Promise<Led<F>> {
    const { model, trained, home, loss, state, forward, pieceBytes } = this.parts;
    const { rows, batches, steps, first } = start;
    const asItIs = { start, validation, forward };
    const epochs = (steps - first) / batches.stepsPerEpoch;
    if (epochs < 2) return asItIs;
    if (this.parted === undefined) {
      const parted = frozenPart(model, trained.frozen);
      this.parted = parted && { ...parted, forward: new Forward(home.device, parted.rest, loss, state, pieceBytes) };
    }
    const { parted } = this;
    if (parted === null || !isSmall(parted, rows.count + (validation?.count ?? 0))) return asItIs;
    const { weights } = await state.weights();
    const sets = validation === null ? [rows] : [rows, validation];
    const [made, validated = null] = await featuresOf(home.device, parted.first, weights, sets);
    if (made === undefined) return asItIs;
    const { rest } = parted;
    return {
      start: {
        ...start,
        model: rest,
        rows: made,
        batches: batches.of(made, rowsHeld(made, { ...this.parts, model: rest })),
      },
      validation: validated,
      forward: parted.forward,
    };
  }

  /** What was compiled is gone with its device. */
  moveTo(device: Device): void {
    this.parted?.forward.moveTo(device);
  }

  dispose(): void {
    this.parted?.forward.dispose();
  }
}
