import { slotName } from "./optimizer-step";
import type { Rule } from "./optimizers";
import { type Arrays, firstNonFinite, type State } from "./state";
import type { Snapshot, Training } from "./training";

/** Where training lost its footing. */
export interface Breakdown {
  /** Steps that training was taken back to: the last place where all is finite. */
  readonly position: number;
  /** The step where `tensor` is not finite: the loss of that step, or what its update makes. */
  readonly step: number;
  readonly tensor: string;
  /** The loss of that step. */
  readonly loss: number;
  /** Weights and state where `tensor` is not finite. */
  readonly values: Arrays;
}

/**
 * Finds the last place between a snapshot and step `bound` where weights, state and the loss are all finite, by running
 * the same steps again, and leaves the training there. Steps give the same bits each time, so what is found is what
 * happened. `older` is the snapshot before, for the step just before this one.
 */
export async function returnToFinite(
  training: Training,
  state: State,
  snapshot: Snapshot,
  older: Snapshot,
  bound: number,
): Promise<Breakdown> {
  const losses: number[] = [];
  let values: Arrays = {};
  const goTo = async (position: number, from = snapshot): Promise<string | null> => {
    training.goBack(from);
    while (training.position < position) {
      const at = training.position;
      const some = await training.advance(training.reach(position - at));
      some.forEach((loss, i) => {
        losses[at + i] = loss;
      });
    }
    const all = await state.all();
    const found = firstNonFinite(all);
    if (found !== null) values = all;
    return found;
  };

  let broken = bound;
  let tensor = await goTo(bound);
  const bad = losses.findIndex((loss) => loss !== undefined && !Number.isFinite(loss));
  if (bad >= 0) {
    broken = bad;
    tensor = await goTo(bad);
    if (tensor === null) {
      // The weights are finite, but so large that their loss is not: the step before is the last that is any good.
      const position = Math.max(bad - 1, older.position);
      await goTo(position, position < snapshot.position ? older : snapshot);
      return { position, step: bad, tensor: "loss", loss: losses[bad] as number, values };
    }
  }
  if (tensor === null) throw new Error(`internal: steps up to ${bound} are finite when run again`);
  let finite = snapshot.position;
  // Most often it is the last step; then by halves.
  for (let probe = broken - 1; broken - finite > 1; probe = (finite + broken) >> 1) {
    const found: string | null = await goTo(probe);
    if (found === null) finite = probe;
    else {
      broken = probe;
      tensor = found;
    }
  }
  await goTo(finite);
  return { position: finite, step: finite, tensor, loss: losses[finite] as number, values };
}

/** `rate` is that of the last update before things went wrong; null where there was none. */
export function breakdownError(breakdown: Breakdown, rate: number | null, rule: Rule): RangeError {
  const { position, step, tensor, loss } = breakdown;
  const what =
    tensor === "loss"
      ? `the loss of step ${step} is ${loss}`
      : `the update of step ${step} makes "${tensor}" non-finite; its loss is ${loss}`;
  const cause =
    dividedByZero(breakdown, rule) ??
    (rate === null
      ? "the likely cause is data or weights that are too large; scale them"
      : `the likely cause is a learning rate that is too large, here ${rate}; lower it, or scale the data`);
  return new RangeError(`fit: ${what}. The weights are those before step ${position}, where all is finite; ${cause}.`);
}

/** The least normal number of float32: a device may take a smaller epsilon for 0. */
const LEAST = 2 ** -126;

/** Of a weight whose gradients so far were 0, or whose squares float32 holds as 0: what an optimizer without epsilon makes of it. */
function dividedByZero({ tensor, values }: Breakdown, { name, divisor }: Rule): string | null {
  if (divisor === null || divisor.epsilon >= LEAST) return null;
  const roots = values[slotName(divisor.slot, tensor)];
  const at =
    values[tensor]?.findIndex((value, i) => !Number.isFinite(value) && Math.abs(roots?.[i] as number) < LEAST) ?? -1;
  if (at < 0) return null;
  return `the cause is ${name}'s epsilon of ${divisor.epsilon}: at index ${at} the gradient was 0 so far, or its square is in float32, and the update divides by 0; give an epsilon such as 1e-8`;
}
