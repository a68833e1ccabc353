import { checkInteger, checkJson, checkNames, type Json, told } from "./json";
import { BY, type Figures } from "./results";
import { checkTrial } from "./trial";
import type { Outcome, Work } from "./work";

/** What a queue holds: trials, and what a machine finds their data by. */
export interface Entry extends Work {
  readonly format: typeof FORMAT;
  /** Which sweep they are of. */
  readonly sweep: string;
  readonly data: Json;
}

const FORMAT = "wgrad trials 1";
const MOST_TOGETHER = 1024;
const MOST_ID = 1_000_000;

export function entryOf(sweep: string, data: Json, { epochs, trials }: Work): Entry {
  return { format: FORMAT, sweep, data, epochs, trials };
}

/** Which entry of its sweep it is: the same for the same trials, so that nothing is queued twice. */
export function nameOf(sweep: string, { epochs, trials }: Work): string {
  const [first] = trials;
  return `${sweep}-${epochs}-${first?.id}-${trials.length}`;
}

/** Checks what came from a queue, which anybody may have written. Throws TypeError, RangeError or ShapeError, with the path. */
export function checkEntry(given: unknown): Entry {
  const entry = checkNames("entry", checkJson("entry", given), ["format", "sweep", "data", "epochs", "trials"]);
  const { format, sweep, data, trials } = entry;
  if (format !== FORMAT)
    throw new TypeError(
      `entry.format is ${told(format)}; this version takes "${FORMAT}". Are both machines of one version?`,
    );
  // It becomes a part of keys.
  if (typeof sweep !== "string" || !/^[0-9a-f]{16}$/.test(sweep))
    throw new TypeError(`entry.sweep is ${told(sweep)}; it must be 16 hexadecimal digits.`);
  if (data === undefined) throw new TypeError("entry.data is not given.");
  if (!Array.isArray(trials) || trials.length < 1 || trials.length > MOST_TOGETHER)
    throw new TypeError(`entry.trials is ${told(trials)}; it must be an array of 1 to ${MOST_TOGETHER} trials.`);
  const own = trials.map((each: Json, i) => {
    const { id, trial } = checkNames(`entry.trials[${i}]`, each, ["id", "trial"]);
    return {
      id: checkInteger(`entry.trials[${i}].id`, id, 0, MOST_ID),
      trial: checkTrial(`entry.trials[${i}].trial`, trial).trial,
    };
  });
  if (new Set(own.map(({ id }) => id)).size < own.length) throw new TypeError("entry.trials: an id is there twice.");
  const most = Math.min(...own.map(({ trial }) => trial.epochs));
  const epochs = checkInteger("entry.epochs", entry.epochs, 1, most);
  return { format: FORMAT, sweep, data, epochs, trials: own };
}

/** Checks what a machine answered. Throws TypeError. */
export function checkOutcomes({ trials }: Work, given: unknown): Outcome[] {
  const outcomes = checkJson("answer", given);
  const wrong = () => new TypeError(`a machine's answer is ${told(outcomes)}; it must have an outcome for each trial.`);
  if (!Array.isArray(outcomes) || outcomes.length !== trials.length) throw wrong();
  return outcomes.map((outcome: Json, i) => {
    const { id, figures, failed } = checkNames("answer", outcome, ["id", "figures", "failed"]);
    if (id !== trials[i]?.id) throw wrong();
    if (typeof failed === "string") return { id: id as number, failed };
    const named = checkNames("answer.figures", figures, BY);
    if (typeof named.loss !== "number" || !Object.values(named).every((value) => typeof value === "number"))
      throw wrong();
    return { id: id as number, figures: { ...named } as unknown as Figures };
  });
}
