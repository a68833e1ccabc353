import { firstNonFinite, type State } from "./state";
import type { Snapshot, Training } from "./training";

/** Where training lost its footing: the update of step `step` would have made `tensor` non-finite. */
interface Breakdown {
  readonly step: number;
  readonly tensor: string;
  /** The loss of that step. */
  readonly loss: number;
}

/**
 * Finds the last step with finite weights and state between a snapshot and step `bound`, by running the same
 * steps again, and leaves the training there. Steps give the same bits each time, so what is found is what happened.
 */
export async function returnToFinite(
  training: Training,
  state: State,
  snapshot: Snapshot,
  bound: number,
): Promise<Breakdown> {
  const losses: number[] = [];
  const goTo = async (position: number): Promise<string | null> => {
    training.goBack(snapshot);
    while (training.position < position) {
      const at = training.position;
      const values = await training.advance(training.reach(position - at));
      values.forEach((loss, i) => {
        losses[at - snapshot.position + i] = loss;
      });
    }
    return firstNonFinite(await state.all());
  };

  let broken = bound;
  let tensor = await goTo(bound);
  const bad = losses.findIndex((loss) => !Number.isFinite(loss));
  if (bad >= 0) {
    // The step whose loss is not finite; most often the update before it was the cause.
    broken = snapshot.position + bad;
    tensor = await goTo(broken);
  }
  if (tensor === null) return { step: broken, tensor: "loss", loss: losses[bad] ?? Number.NaN };
  let finite = snapshot.position;
  let probe = broken - 1;
  while (broken - finite > 1) {
    const found: string | null = await goTo(probe);
    if (found === null) finite = probe;
    else {
      broken = probe;
      tensor = found;
    }
    probe = (finite + broken) >> 1;
  }
  await goTo(finite);
  return { step: finite, tensor, loss: losses[finite - snapshot.position] ?? Number.NaN };
}

export function breakdownError({ step, tensor, loss }: Breakdown, rate: number): RangeError {
  const cause = `the likely cause is a learning rate that is too large, here ${rate}; lower it, or scale the data`;
  const what =
    tensor === "loss"
      ? `the loss of step ${step} is ${loss}`
      : `the update of step ${step} makes "${tensor}" non-finite; its loss is ${loss}`;
  return new RangeError(`fit: ${what}. The weights are those before step ${step}, the last that are finite; ${cause}.`);
}
